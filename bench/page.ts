// What the live page costs with 500 agents in two environments, two releases each: CPU of looking (computing the KPIs and
// adding them up), of a view, and of packing it, beside that of a scrape; its size; and
// what the trends fill. `node bench/page.ts [agents]`.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { prometheusText } from '../src/metrics/prometheus-text.ts';
import { EventFrame } from '../src/page/event-frame.ts';
import { figuresIn } from '../src/page/figures.ts';
import type { Choice, Moment } from '../src/page/moment.ts';
import { amounts } from '../src/page/tile-table.ts';
import { amountSeries } from '../src/page/trend-series.ts';
import { Trends } from '../src/page/trends.ts';
import { viewOf } from '../src/page/view.ts';
import { call, kpisOf, run } from '../test/kpi/events.ts';
import { median } from './measure.ts';

setFlagsFromString('--expose-gc');
const agents = Number(process.argv[2] ?? 500);
const rounds = 15;
const nowMs = Date.UTC(2026, 10, 26, 12);
const windowsMs = [300_000, 3_600_000, 86_400_000];
const windows = ['5m', '1h', '24h'];

const kpis = kpisOf(1, { maxSeries: 10_000_000, windowsMs });
for (let n = 0; n < agents * 4 * 10; n++) {
  const labels = {
    agent: `support-agent-${n % agents}`,
    environment: Math.floor(n / agents) % 2 === 0 ? 'production' : 'staging',
    release: `2026.11.${Math.floor(n / agents / 2) % 2}`,
  };
  const endMs = nowMs - ((n * 7919) % 300_000);
  const costUsd = { llm: n / 1e6, tool: 0, review: 0 };
  kpis.finished(run(endMs, { ...labels, costUsd, outcome: n % 7 === 0 ? 'failure' : 'completed' }));
  kpis.toolCall(call(endMs, { ...labels, durationMs: n % 5000 }));
}
kpis.watermark.advance(0, nowMs, nowMs, nowMs);
kpis.sweep(nowMs);
kpis.publish(kpis.save([], nowMs));

const trends = new Trends({ width: windows.length * amounts.length, limit: 1001 });
const evidence = new Trends({ width: 1, limit: 2000 });
const everything: Choice = { window: '1h', place: null };
const one: Choice = { window: '1h', place: { agent: 'support-agent-7', environment: 'production' } };

function momentNow(): Moment {
  const figures = figuresIn(kpis.families(nowMs, true));
  const rollbacks = { attempts: [], stopReason: undefined, fault: undefined };
  const assessed = { figures, standings: [], incidents: [], rollbacks, trends, evidence };
  return {
    atMs: nowMs,
    version: '0.0.0',
    windows,
    flow: [],
    assessed: { ...assessed, objectiveOf: () => null, hasPolicies: true },
  };
}

const before = await memoryBytes();
const first = momentNow();
for (let i = 0; i < 720; i++)
  trends.add(nowMs - (720 - i) * 10_000, amountSeries(first.assessed?.figures ?? new Map(), windows));
const after = await memoryBytes();

const spent: Record<string, number[]> = {};
function timed<T>(what: string, work: () => T): T {
  const began = cpuMs();
  const result = work();
  (spent[what] ??= []).push(cpuMs() - began);
  return result;
}

let text = '';
let packedBytes = 0;
for (let round = -5; round < rounds; round++) {
  if (round === 0) for (const all of Object.values(spent)) all.length = 0; // the compiler's
  const families = timed('computing the KPIs', () => kpis.families(nowMs, true));
  timed('writing them for Prometheus', () => prometheusText(families));
  timed('adding them up', () => figuresIn(families));
  const moment = momentNow();
  text = timed('a view of all agents', () => JSON.stringify(viewOf(moment, everything)));
  timed('a view of one agent', () => JSON.stringify(viewOf(moment, one)));
  packedBytes = timed('packing it', () => new EventFrame(text).packed.length);
}
const oneText = JSON.stringify(viewOf(first, one));
for (const [what, all] of Object.entries(spent)) console.log(`${what}: ${median(all).toFixed(1)} ms of CPU`);
const mean = (what: string): number => median(spent[what] ?? []);
const look = mean('computing the KPIs') + mean('adding them up');
const scrape = mean('computing the KPIs') + mean('writing them for Prometheus');
console.log(
  `all that is done for a view, whoever reads it: ${((look + mean('a view of all agents') + mean('packing it')) / scrape).toFixed(2)} times a scrape`,
);
const packed = gzipSync(oneText, { level: 1 }).length;
console.log(
  `bytes: all ${agents * 2} lines ${text.length}, packed ${packedBytes}; one agent ${oneText.length}, packed ${packed}`,
);
console.log(
  `trends of ${trends.timesMs.length} points: ${(trends.bytes / 1e6).toFixed(1)} MB, with all around them ${((after - before) / 1e6).toFixed(1)} MB`,
);

/** What is reachable, in the heap and outside. Buffers are given back a while after what held them. */
async function memoryBytes(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    runInNewContext('gc()');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
