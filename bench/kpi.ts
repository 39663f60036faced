// What KPIs cost: CPU of a run that ends, of one that is revised, and of a tool call; of saving and restoring the state
// of 1,000 series and 100,000 runs. A scrape: `bench/exposition.ts`. `node bench/kpi.ts [events]`.
import { deserialize, serialize } from 'node:v8';
import type { KpiRun, KpiToolCall } from '../src/kpi/facts.ts';
import { Kpis, type KpiState } from '../src/kpi/kpis.ts';
import { outcomes, results } from '../src/semconv/vocabulary.ts';
import { median } from './measure.ts';

const events = Number(process.argv[2] ?? 200_000);
const hourMs = 3_600_000;
const nowMs = Math.floor(Date.now() / hourMs) * hourMs;
const settings = {
  windowsMs: [300_000, hourMs, 24 * hourMs],
  latenessMs: 120_000,
  idleAfterMs: 1000,
  maxSeries: 1_000_000,
  expireAfterMs: 24 * hourMs,
};

/** Label sets: so many releases, and so many tools of each. */
interface Fleet {
  readonly releases: number;
  readonly tools: number;
}

function runOf(fleet: Fleet, i: number, closedMs: number): KpiRun {
  const release = i % fleet.releases;
  return {
    traceId: String(i).padStart(32, '0'),
    agent: `agent-${release >> 2}`,
    release: `1.${release & 3}.0`,
    environment: 'production',
    startMs: closedMs - 1000 - ((i * 7919) % 60_000),
    endMs: closedMs,
    closedMs,
    outcome: outcomes[i % 3]!,
    evidence: i % 4 === 0 ? 'app' : 'none',
    escalationReason: i % 10 === 0 ? 'approval' : undefined,
    escalationRequests: [],
    peakRequests: [],
    costUsd: { llm: 0.01 + (i % 100) / 1000, tool: 0, review: i % 10 === 0 ? 2 : 0 },
    peakUsd: { llm: 0.01 + (i % 100) / 1000, tool: 0, review: i % 10 === 0 ? 2 : 0 },
    priced: true,
    reviewSeconds: 0,
    scores: noScores,
    behindMs: 0,
  };
}
const noScores: ReadonlyMap<string, number> = new Map();

function callOf(fleet: Fleet, i: number, endMs: number): KpiToolCall {
  const release = i % fleet.releases;
  return {
    traceId: String(i).padStart(32, '0'),
    agent: `agent-${release >> 2}`,
    release: `1.${release & 3}.0`,
    environment: 'production',
    tool: `tool-${Math.floor(i / fleet.releases) % fleet.tools}`,
    result: results[i % 20 === 0 ? 1 : 0],
    attempts: 1,
    endMs,
    durationMs: 20 + ((i * 7919) % 2000),
    behindMs: 0,
  };
}

function read(from: Buffer): KpiState {
  const given: KpiState = deserialize(from);
  return given;
}

function cpuMs(work: () => unknown): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** KPIs of `fleet` after a day in which every pane of every series had events. */
function filled(fleet: Fleet): { readonly kpis: Kpis; readonly runs: readonly KpiRun[] } {
  const kpis = new Kpis(settings);
  kpis.watermark.claim(0);
  const runs: KpiRun[] = [];
  const agosMs = [
    ...Array.from({ length: 60 }, (_, n) => n * 24 * 60_000),
    ...Array.from({ length: 60 }, (_, n) => n * 60_000),
    ...Array.from({ length: 30 }, (_, n) => n * 10_000),
  ];
  let i = 0;
  for (const agoMs of agosMs.toSorted((a, b) => b - a)) {
    const atMs = nowMs - agoMs;
    for (let k = 0; k < fleet.releases * fleet.tools; k++) {
      if (k < fleet.releases) {
        const run = runOf(fleet, k, atMs);
        kpis.finished(run);
        if (runs.length < 100_000) runs.push(run);
      }
      kpis.toolCall(callOf(fleet, i++, atMs));
    }
    kpis.watermark.advance(0, atMs, atMs, atMs);
    kpis.sweep(atMs);
  }
  return { kpis, runs };
}

/** CPU of one update, in ns, after as many that warm up. */
function perUpdate(what: string, update: (i: number) => void): void {
  for (let i = 0; i < events; i++) update(i);
  const ms = cpuMs(() => {
    for (let i = 0; i < events; i++) update(i);
  });
  console.log(`${what.padEnd(9)} ${((ms * 1e6) / events).toFixed(0)} CPU ns, the facts of it made included`);
}

const half = { releases: 500, tools: 1 };
const { kpis, runs } = filled(half);
perUpdate('nothing', (i) => void runOf(half, i, nowMs));
perUpdate('run', (i) => kpis.finished(runOf(half, i, nowMs + (i % 100))));
let last = runOf(half, 0, nowMs);
kpis.finished(last);
perUpdate('revision', (i) => {
  const next = { ...runOf(half, 0, nowMs), outcome: outcomes[i % 3]! };
  kpis.revised(last, next);
  last = next;
});
perUpdate('tool call', (i) => kpis.toolCall(callOf(half, i, nowMs + (i % 100))));

const places = Array.from({ length: 100_000 }, (_, i) => runs[i % runs.length]!.place);
let state = kpis.save(places, nowMs);
let bytes = serialize(state);
const steps = {
  save: () => (state = kpis.save(places, nowMs)),
  serialize: () => (bytes = serialize(state)),
  deserialize: () => (state = read(bytes)),
  restore: () => new Kpis(settings).restore(state),
  sweep: () => kpis.sweep(nowMs),
};
const said = Object.entries(steps).map(([what, step]) => {
  const ms = Array.from({ length: 9 }, () => cpuMs(step));
  return `${what} ${median(ms).toFixed(1)}`;
});
console.log(
  `state of 500 releases with a tool each, every pane of 5m, 1h and 24h filled, and 100,000 runs: ${said.join(', ')} CPU ms; ${(bytes.byteLength / 1e6).toFixed(1)} MB`,
);
