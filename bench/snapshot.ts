// What a snapshot of everything that is assessed costs: how long reading stands still for it, how long packing takes
// beside that, how large it is, and how long the next process needs to begin with it.
// `node bench/snapshot.ts [open runs]`.
import { Assessment, type AssessmentState } from '../src/assess/assessment.ts';
import { StateLog } from '../src/assess/state-log.ts';
import { createLog } from '../src/core/log.ts';
import type { NewRecord, StreamRecord } from '../src/core/stream.ts';
import { EnrichedSpans } from '../src/enrich/enriched-spans.ts';
import { Enricher } from '../src/enrich/enricher.ts';
import { Judge } from '../src/judge/judge.ts';
import { Kpis } from '../src/kpi/kpis.ts';
import { SampleRequests } from './sample-requests.ts';

const openRuns = Number(process.argv[2] ?? 100_000);
const spans = 512;
const enricher = new Enricher({ content: { mode: 'drop' } });
const samples = new SampleRequests({ spans });
const records: StreamRecord[] = [];
const stream = {
  id: 'states',
  recordLimitBytes: Infinity,
  consume: async (appended: readonly NewRecord[]) => {
    for (const { headers, payload } of appended)
      records.push({ offset: records.length, timeMs: 0, spans: 0, headers, payload: Buffer.from(payload) });
    return Promise.resolve();
  },
  reader: () => ({
    partition: 0,
    isAtEnd: true,
    bounds: async () => Promise.resolve({ start: 0, end: records.length }),
    read: async (offset: number) => Promise.resolve(records.slice(offset)),
  }),
};
const states = new StateLog<AssessmentState>(stream, createLog('silent'));

function newAssessment(): Assessment {
  const kpis = new Kpis({
    windowsMs: [300_000, 3_600_000, 86_400_000],
    latenessMs: 120_000,
    idleAfterMs: 1000,
    maxSeries: 10_000,
    expireAfterMs: 86_400_000,
  });
  const settings = {
    idleTimeoutMs: 300_000,
    rememberMs: 120_000,
    rememberIdleMs: 3_600_000,
    holdMs: 60_000,
    maxRuns: openRuns,
    maxSpansPerRun: 10_000,
    maxSpans: 10 * openRuns,
    guessEscalations: false,
  };
  return new Assessment(kpis, new Judge(() => undefined), settings, () => undefined);
}

const assessment = newAssessment();
const nowMs = Date.now();
const reading = assessment.begin(0, { next: 0, isKnown: false }, { start: 0, end: 0 }, nowMs);
const facts = new EnrichedSpans(enricher);
for (let offset = 0; assessment.assembler.openRuns < openRuns; offset++) {
  for (const record of enricher.enrich(samples.next(nowMs), 1).records) {
    assessment.enterRecord(reading, offset, nowMs, nowMs);
    facts.read(record);
    // Without their roots they stay open.
    for (let i = 0; i < facts.count; i++)
      if (facts.at(i).parentSpanId !== '') assessment.assembler.add(facts.at(i), reading.lane);
    assessment.leaveRecord(reading, nowMs);
  }
}

const never = new AbortController().signal;
for (let round = 0; round < 3; round++) {
  const beganMs = performance.now();
  const writing = states.write(assessment.save(nowMs), never);
  const stoodMs = performance.now() - beganMs;
  const written = await writing;
  if (!written) throw new Error('nothing was written');
  const { snapshot, busyMs } = written;
  const readMs = performance.now();
  const state = await states.read(snapshot, never);
  if (!state) throw new Error('nothing was read');
  newAssessment().restore(state);
  const restoredMs = performance.now() - readMs;
  console.log(
    `${assessment.assembler.openRuns} open runs, ${assessment.assembler.spanIds} spans: reading stands still for ${stoodMs.toFixed(0)} ms, packing takes ${(busyMs - stoodMs).toFixed(0)} ms beside it; ${(snapshot.bytes / 2 ** 20).toFixed(1)} MiB; a process begins with it in ${restoredMs.toFixed(0)} ms`,
  );
}
