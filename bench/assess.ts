// What assessing costs: CPU per span from the bytes of a record to runs, windows and counters, index included, and
// the memory that a remembered run takes. `node bench/assess.ts [spans]`.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Assessor } from '../src/assess/assessor.ts';
import { RowOutbox } from '../src/assess/row-outbox.ts';
import { StateLog } from '../src/assess/state-log.ts';
import { createLog } from '../src/core/log.ts';
import type { Claim, StreamRecord } from '../src/core/stream.ts';
import { Telemetry } from '../src/core/telemetry.ts';
import { EnrichedSpans } from '../src/enrich/enriched-spans.ts';
import { Enricher } from '../src/enrich/enricher.ts';
import { Judge } from '../src/judge/judge.ts';
import { incidentBook } from '../test/assess/incident-books.ts';
import { SampleRequests } from './sample-requests.ts';

const spans = 512;
/** Records made at a time, outside of what is measured. */
const made = 32;
const maxRuns = 100_000;
const total = Number(process.argv[2] ?? 1_000_000);
const enricher = new Enricher({ content: { mode: 'drop' } });
const samples = new SampleRequests({ spans });
const stopping = new AbortController();
let records: StreamRecord[] = [];
let read = 0;
let cpuMicros = 0;
let began: NodeJS.CpuUsage | undefined;
let after = { heap: 0, buffers: 0 };

setFlagsFromString('--expose-gc');
const collector: unknown = runInNewContext('gc');

/** Collects garbage: all of it, or what is young. */
function collect(type: 'major' | 'minor'): void {
  if (typeof collector === 'function') collector({ type });
}

/**
 * Hands out two records at a time, and measures until all that were made have been taken and the young garbage of that
 * is collected. That of making them is collected before, and in nobody's account.
 */
function nextRecords(offset: number): readonly StreamRecord[] {
  if (records.length === 0) {
    if (began) {
      collect('minor');
      cpuMicros += cpuSince(began);
    }
    if (read >= total) {
      after = memory();
      stopping.abort();
      return [];
    }
    records = makeRecords(offset);
    collect('minor');
    began = process.cpuUsage();
  }
  const next = records.splice(0, 2);
  read += next.length * spans;
  return next;
}

function makeRecords(offset: number): StreamRecord[] {
  const nowMs = Date.now();
  return Array.from({ length: made }, (_, n) =>
    enricher.enrich(samples.next(nowMs), 1).records.map(({ payload, headers }) => {
      return { offset: offset + n, timeMs: nowMs, spans, headers, payload };
    }),
  ).flat();
}

function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

const claim: Claim = {
  partition: 0,
  isAtEnd: true,
  committed: undefined,
  lost: new AbortController().signal,
  bounds: () => Promise.resolve({ start: 0, end: 0 }),
  read: (offset) => Promise.resolve(nextRecords(offset)),
  commit: () => Promise.resolve(),
};
const telemetry = new Telemetry();
const log = createLog('silent');
const runsStream = { consume: () => Promise.resolve(), recordLimitBytes: Infinity };
const noStates = {
  id: 'states',
  recordLimitBytes: Infinity,
  consume: () => Promise.resolve(),
  reader: () => ({
    partition: 0,
    isAtEnd: true,
    bounds: () => Promise.resolve({ start: 0, end: 0 }),
    read: () => Promise.resolve([]),
  }),
};
const assessor = new Assessor(
  {
    windowsMs: [300_000, 3_600_000],
    latenessMs: 120_000,
    maxSeries: 10_000,
    idleTimeoutMs: 300_000,
    maxRuns,
    guessEscalations: false,
    snapshotEveryMs: 1e9,
  },
  {
    partitions: 1,
    spans: new EnrichedSpans(enricher),
    outbox: new RowOutbox(runsStream, { log }),
    states: new StateLog(noStates, log),
    policyRevision: () => '',
    book: incidentBook(),
    judge: new Judge(() => undefined),
    judged: () => {},
    incidentsCommitted: () => {},
    clock: { nowMs: () => Date.now() },
    telemetry,
    log,
  },
);
const before = memory();
await assessor.worker(claim, stopping.signal);
const gauge = await telemetry.registry.getSingleMetricAsString('plimsoll_assess_runs_in_memory');
const runs = Number(gauge.split(' ').at(-1));
console.log(
  `assess ${((cpuMicros * 1000) / read).toFixed(0)} CPU ns a span, garbage collection of everything included; ${read} spans`,
);
console.log(
  `memory ${((after.heap - before.heap) / runs).toFixed(0)} bytes of heap and ${((after.buffers - before.buffers) / runs).toFixed(0)} of buffers for each of ${runs} runs in memory`,
);

/** Bytes in use once garbage is collected: on the heap of objects, and in buffers. */
function memory(): { readonly heap: number; readonly buffers: number } {
  collect('major');
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, buffers: arrayBuffers };
}
