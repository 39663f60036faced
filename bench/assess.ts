// What assessing costs: CPU per span from the bytes of a record to runs, windows and counters, index included.
// `node bench/assess.ts [spans]`.
import { Assessor } from '../src/assess/assessor.ts';
import { createLog } from '../src/core/log.ts';
import type { Claim, StreamRecord } from '../src/core/stream.ts';
import { Telemetry } from '../src/core/telemetry.ts';
import { EnrichedSpans } from '../src/enrich/enriched-spans.ts';
import { Enricher } from '../src/enrich/enricher.ts';
import { SampleRequests } from './sample-requests.ts';

const spans = 512;
const total = Number(process.argv[2] ?? 1_000_000);
const enricher = new Enricher({ content: { mode: 'drop' } });
const samples = new SampleRequests({ spans });
const stopping = new AbortController();
let read = 0;
let cpuMicros = 0;

/** Hands out freshly made records, two at a time, and measures the time between two reads. */
function nextRecords(offset: number): readonly StreamRecord[] {
  cpuMicros += cpuSince(lastRead);
  if (read >= total) stopping.abort();
  const nowMs = Date.now();
  const records = [0, 1].flatMap((n) =>
    enricher.enrich(samples.next(nowMs), 1).records.map(({ payload, headers }) => {
      return { offset: offset + n, timeMs: nowMs, spans, headers, payload };
    }),
  );
  read += records.length * spans;
  lastRead = process.cpuUsage();
  return records;
}

function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

const claim: Claim = {
  partition: 0,
  committed: undefined,
  lost: new AbortController().signal,
  bounds: () => Promise.resolve({ start: 0, end: 0 }),
  read: (offset) => Promise.resolve(nextRecords(offset)),
  commit: () => Promise.resolve(),
};
const assessor = new Assessor(
  {
    windowsMs: [300_000, 3_600_000],
    latenessMs: 120_000,
    maxSeries: 10_000,
    idleTimeoutMs: 300_000,
    maxRuns: 100_000,
  },
  {
    partitions: 1,
    spans: new EnrichedSpans(enricher),
    clock: { nowMs: () => Date.now() },
    telemetry: new Telemetry(),
    log: createLog('silent'),
  },
);
let lastRead = process.cpuUsage();
await assessor.worker(claim, stopping.signal);
console.log(
  `assess ${((cpuMicros * 1000) / read).toFixed(0)} CPU ns a span, garbage collection of everything included; ${read} spans`,
);
