import { deserialize, serialize } from 'node:v8';
import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SavedState } from '../../src/assess/saved-state.ts';
import type { CanaryRules } from '../../src/judge/canary-rules.ts';
import type { Standing } from '../../src/judge/standing.ts';
import { runs } from '../property-runs.ts';
import { until } from '../until.ts';
import { Process } from './assess-process.ts';
import { MemoryPartition } from './memory-partition.ts';
import { MemoryRuns } from './memory-runs.ts';
import { MemoryStates } from './memory-states.ts';

const noon = Date.UTC(2026, 10, 23, 12);
const minute = 60_000;

const rules: CanaryRules = {
  policy: 'refunds',
  revision: 'r1',
  share: 0.5,
  unit: 'run',
  deadlineMs: 2 * minute,
  tickMs: minute,
  minRuns: 2,
  margin: 0.2,
  tolerance: 0,
  pauseAt: 2,
  rollbackAt: 4,
  maxMs: 60 * minute,
  onTimeout: 'pause',
  goodOutcomes: ['success', 'completed'],
  kpis: [
    { kpi: 'run_success', weight: 0.7, reference: 0.1, floor: 0.6 },
    { kpi: 'run_escalation', weight: 0.3, reference: 0.2, floor: undefined },
  ],
};

const rulesOf = (): CanaryRules => rules;

const records = fc.array(
  fc.record({
    gapMs: fc.integer({ min: 0, max: 50_000 }),
    release: fc.constantFrom('1', '1', '2'),
    failed: fc.boolean(),
    /** The root comes in the same record, so many records later, or never. */
    after: fc.integer({ min: 0, max: 5 }),
  }),
  { minLength: 5, maxLength: 60 },
);

const kills = fc.array(fc.record({ at: fc.nat(), isKilled: fc.boolean() }), { maxLength: 4 });

type Row = typeof records extends fc.Arbitrary<readonly (infer R)[]> ? R : never;

/** One record for each row: the first span of a run, and roots that are due. */
function traffic(rows: readonly Row[]): MemoryPartition {
  const partition = new MemoryPartition();
  let timeMs = noon;
  const due = new Map<number, Row & { readonly id: string; readonly startMs: number }>();
  for (const [i, row] of rows.entries()) {
    timeMs += row.gapMs;
    const common = { runId: `run${i}`, traceId: `run${i}`, agent: 'refund', environment: 'test' };
    const first = {
      ...common,
      release: row.release,
      spanId: `m${i}`,
      parentSpanId: `r${i}`,
      step: 'llm',
    } as const;
    const spans: Parameters<MemoryPartition['append']>[1][number][] = [
      { ...first, startMs: timeMs - 10, endMs: timeMs },
    ];
    if (row.after < 5) due.set(i + row.after, { ...row, id: `${i}`, startMs: timeMs - 20 });
    const root = due.get(i);
    if (root)
      spans.push({
        ...common,
        runId: `run${root.id}`,
        traceId: `run${root.id}`,
        release: root.release,
        spanId: `r${root.id}`,
        parentSpanId: '',
        step: 'agent',
        failed: root.failed,
        startMs: root.startMs,
        endMs: timeMs,
      });
    partition.append(timeMs, spans);
  }
  return partition;
}

test('a process whose clock is an hour ahead makes no open run fail', async () => {
  const partition = new MemoryPartition();
  const run = (id: string, timeMs: number, step: 'llm' | 'agent', release = '1'): void =>
    partition.append(timeMs, [
      {
        runId: id,
        traceId: id,
        agent: 'refund',
        environment: 'test',
        release,
        spanId: `${step}${id}`,
        parentSpanId: step === 'agent' ? '' : `agent${id}`,
        step,
        startMs: noon,
        endMs: noon + 10,
      },
    ]);
  for (let i = 0; i < 30; i++) run(`run${i}`, noon + i, 'llm');
  const process = new Process(noon + 100, 1, new MemoryRuns(), new MemoryStates(), {}, rulesOf);
  run('ahead', noon + 60 * minute, 'agent');
  for (let i = 0; i < 30; i++) run(`run${i}`, noon + 50 + i, 'agent');
  await process.own(partition);
  try {
    process.nowMs += 4 * minute;
    await until('the judge has spoken', async () => {
      await process.assessor.committed();
      return process.standings.some(({ units }) => units.candidate.settled === 31);
    });
    expect(process.standings).toMatchObject([{ release: '1', verdict: 'inconclusive', action: 'none' }]);
  } finally {
    await process.stop();
  }
});

/** Gives all of `thing` the names that a snapshot of version 1 has. */
function giveFormerNames(thing: unknown, seen = new Set<unknown>()): void {
  if (typeof thing !== 'object' || thing === null || seen.has(thing)) return;
  seen.add(thing);
  if (thing instanceof Map || thing instanceof Set) {
    for (const entry of thing) giveFormerNames(entry, seen);
    return;
  }
  for (const [name, value] of Object.entries(thing)) {
    giveFormerNames(value, seen);
    const former = { cap: 'capUsd', limit: 'limitUsd' }[name];
    if (former === undefined) continue;
    if (name === 'limit') Reflect.set(thing, 'reference', undefined);
    Reflect.set(thing, former, value);
    Reflect.deleteProperty(thing, name);
  }
}

/** What the last snapshot says. */
function lastOf(states: MemoryStates): SavedState {
  return deserialize(zstdDecompressSync(states.records.at(-1)!.payload));
}

/** Makes the snapshot that is committed one of version 1. */
function writeFormer(partition: MemoryPartition, states: MemoryStates): void {
  const state = lastOf(states);
  const last = states.records.pop();
  giveFormerNames(state.judge);
  const payload = zstdCompressSync(serialize({ ...state, versions: { ...state.versions, judge: 1 } }));
  states.records.push({ ...last!, payload });
  const commit = partition.commits.at(-1)!;
  const pointer = JSON.parse(commit.metadata);
  Object.assign(pointer.snapshot, { bytes: payload.length, crc: crc32(payload) });
  partition.commits.push({ ...commit, metadata: JSON.stringify(pointer) });
}

/** Minutes of three runs of 1 and one of 2, which costs twice as much, and fails in the first 40; appended to `partition`. */
function addDearRuns(partition: MemoryPartition, from: number, to: number): void {
  for (let at = from; at < to; at++)
    for (const [i, release] of ['1', '1', '2', '1'].entries()) {
      const id = `${at} ${i}`;
      const timeMs = noon + at * minute + i * 1000;
      const isNew = release === '2';
      const common = { runId: id, traceId: id, agent: 'refund', environment: 'test', release, endMs: timeMs };
      partition.append(timeMs, [
        {
          ...common,
          spanId: `m${id}`,
          parentSpanId: `r${id}`,
          step: 'llm',
          startMs: timeMs - 10,
          costUsd: isNew ? 0.02 : 0.01,
        },
        {
          ...common,
          spanId: `r${id}`,
          parentSpanId: '',
          step: 'agent',
          failed: isNew && at < 40,
          startMs: timeMs - 20,
        },
      ]);
    }
}

test('an upgrade during a canary keeps its evidence: a snapshot of version 1 is read, and what has failed stays failed', async () => {
  const byCost: CanaryRules = {
    ...rules,
    share: 0.25,
    kpis: [
      { kpi: 'run_success', weight: 0.5, reference: 0.1, floor: undefined },
      { kpi: 'cost_usd_per_run', weight: 0.5, reference: 0.01, floor: 0.5, limit: 0.01 },
    ],
  };
  const judgedBy = async (upgrades: boolean) => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates()];
    let standings: readonly Standing[] = [];
    for (const [from, to] of [
      [0, 40],
      [40, 60],
    ] as const) {
      if (upgrades && from > 0) writeFormer(partition, states);
      addDearRuns(partition, from, to);
      const process = new Process(noon + to * minute, 1, new MemoryRuns(), states, {}, () => byCost);
      await process.own(partition);
      await process.assessor.committed();
      ({ standings } = process);
      await process.stop();
    }
    return { standings, state: lastOf(states).judge };
  };
  const upgraded = await judgedBy(true);
  expect(upgraded).toEqual(await judgedBy(false));
  const said = upgraded.standings.find(({ release }) => release === '2');
  expect(said).toMatchObject({ verdict: 'fail', starts: 1 });
});

async function standingsOf(process: Process): Promise<readonly Standing[]> {
  process.nowMs += 20 * minute;
  await until('every run ended', async () => (await process.gauge('plimsoll_assess_open_runs')) === 0);
  await process.assessor.committed();
  return process.standings;
}

test('property: wherever processes are stopped or killed, the judge says what one that never was says, to the last bit', async () => {
  let judged = 0;
  await fc.assert(
    fc.asyncProperty(records, kills, async (rows, ends) => {
      const whole = traffic(rows);
      const broken = new MemoryPartition();
      const states = new MemoryStates(300);
      const stops = ends.map(({ at, isKilled }) => ({ at: 1 + (at % rows.length), isKilled }));
      for (const { at, isKilled } of stops.toSorted((a, b) => a.at - b.at)) {
        broken.records.push(...whole.records.slice(broken.records.length, at));
        const process = new Process(
          broken.records.at(-1)?.timeMs ?? noon,
          1,
          new MemoryRuns(),
          states,
          {},
          rulesOf,
        );
        const lost = new AbortController();
        await process.own(broken, lost);
        if (isKilled) lost.abort();
        else await process.assessor.committed();
        await process.stop();
      }
      broken.records.push(...whole.records.slice(broken.records.length));
      const nowMs = whole.records.at(-1)?.timeMs ?? noon;
      const last = new Process(nowMs, 1, new MemoryRuns(), states, {}, rulesOf);
      const unbroken = new Process(nowMs, 1, new MemoryRuns(), new MemoryStates(), {}, rulesOf);
      await Promise.all([last.own(broken), unbroken.own(whole)]);
      try {
        const [ofMany, ofOne] = [await standingsOf(last), await standingsOf(unbroken)];
        expect(ofMany).toEqual(ofOne);
        if (ofOne.some(({ units }) => units.baseline.settled > 2)) judged++;
      } finally {
        await Promise.all([last.stop(), unbroken.stop()]);
      }
    }),
    { numRuns: Math.min(runs, 50) },
  );
  expect(judged).toBeGreaterThan(0);
});
