import { deserialize, serialize } from 'node:v8';
import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { toCommit } from '../../src/assess/pointer.ts';
import type { SavedState } from '../../src/assess/saved-state.ts';
import { OwnershipLost } from '../../src/core/stream.ts';
import type { SpanFacts } from '../../src/semconv/span-facts.ts';
import { flat } from '../kpi/events.ts';
import { runs } from '../property-runs.ts';
import { until } from '../until.ts';
import { Process, settings } from './assess-process.ts';
import { MemoryPartition } from './memory-partition.ts';
import { MemoryRuns } from './memory-runs.ts';
import { MemoryStates } from './memory-states.ts';

const noon = Date.UTC(2026, 10, 23, 12);
const minute = 60_000;
const five = { window: '5m' };
const hour = { window: '1h' };
const running: Process[] = [];

function start(...given: ConstructorParameters<typeof Process>): Process {
  const process = new Process(...given);
  running.push(process);
  return process;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.stop()));
});

/** The spans of a run that ended at `endMs`: a tool call, then the root. */
function aRun(runId: string, endMs: number, given: Partial<SpanFacts> = {}): Partial<SpanFacts>[] {
  const common = { runId, traceId: runId, agent: 'refund', release: '1', environment: 'test' };
  return [
    {
      ...common,
      spanId: 't',
      parentSpanId: 'r',
      step: 'tool',
      tool: 'pay',
      result: 'ok',
      startMs: endMs - 900,
      endMs: endMs - 500,
    },
    { ...common, spanId: 'r', parentSpanId: '', step: 'agent', startMs: endMs - 1000, endMs, ...given },
  ];
}

test('a run on the stream is in the gauges and the counters', async () => {
  const partition = new MemoryPartition();
  partition.append(noon, aRun('a', noon - 1000));
  partition.append(noon, aRun('b', noon - 500, { failed: true }));
  const process = start(noon);
  await process.own(partition);
  expect(process.kpi('plimsoll_kpi_run_success_ratio', five)).toBe(0.5);
  expect(process.kpi('plimsoll_kpi_tool_call_success_ratio', five)).toBe(1);
  await process.assessor.committed();
  expect(process.kpi('plimsoll_runs_total', { outcome: 'failure', evidence: 'none' })).toBe(1);
  expect(process.kpi('plimsoll_kpi_window_complete', hour)).toBe(1);
  expect(process.assessor.check()).toEqual({ flowing: true, reason: '' });
});

test('a run whose root never comes ends by the clock when nothing else arrives', async () => {
  const partition = new MemoryPartition();
  partition.append(noon, aRun('a', noon).slice(0, 1));
  const process = start(noon);
  await process.own(partition);
  expect(process.kpi('plimsoll_kpi_run_success_denominator', five)).toBeUndefined();
  process.nowMs = noon + settings.idleTimeoutMs;
  await until('the run timed out', () => process.kpi('plimsoll_kpi_run_success_denominator', five) === 1);
  expect(process.kpi('plimsoll_kpi_run_success_ratio', five)).toBe(0);
});

test('a record that is no request is skipped and counted, and the next one is read', async () => {
  const partition = new MemoryPartition();
  partition.appendBytes(noon, Buffer.from('garbage'), 1);
  partition.append(noon, aRun('a', noon));
  const process = start(noon);
  await process.own(partition);
  expect(process.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(1);
  expect(
    await process.telemetry.registry.getSingleMetricAsString('plimsoll_assess_undecodable_records_total'),
  ).toMatch(/ 1$/m);
});

test('KPIs are exported while every partition is owned, and not one moment longer', async () => {
  const [one, two] = [new MemoryPartition(0), new MemoryPartition(1)];
  one.append(noon, aRun('a', noon));
  two.append(noon, aRun('b', noon));
  const process = start(noon, 2);
  const ownedOne = process.own(one);
  expect(process.kpi('plimsoll_kpi_active')).toBe(0);
  expect(process.assessor.check().reason).toBe('owns 1 of 2 partitions of the stream');
  const lost = new AbortController();
  await Promise.all([ownedOne, process.own(two, lost)]);
  expect(process.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(2);
  lost.abort();
  await until('it knows', () => process.kpi('plimsoll_kpi_active') === 0);
  expect(process.assessor.families()).toHaveLength(1);
});

test('after another partition was lost and came back the windows are whole, and nothing is counted twice', async () => {
  const [one, two] = [new MemoryPartition(0), new MemoryPartition(1)];
  for (const [i, partition] of [one, two].entries()) {
    partition.append(noon, aRun(`first ${i}`, noon));
    partition.append(noon + 4 * minute, aRun(`second ${i}`, noon + 4 * minute));
  }
  const process = start(noon + 4 * minute, 2);
  const lost = new AbortController();
  await Promise.all([process.own(one), process.own(two, lost)]);
  process.nowMs += 8 * minute;
  await until(
    'the runs were forgotten',
    async () => (await process.gauge('plimsoll_assess_runs_in_memory')) === 0,
  );
  lost.abort();
  await until('it knows', () => process.kpi('plimsoll_kpi_active') === 0);
  await process.own(two);
  await until('it is whole', () => process.kpi('plimsoll_kpi_window_complete', hour) === 1);
  expect(process.kpi('plimsoll_kpi_run_success_denominator', hour)).toBe(4);
  expect(process.kpi('plimsoll_kpi_tool_call_success_denominator', hour)).toBe(4);
  await process.assessor.committed();
  expect(process.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' })).toBe(4);
});

test('what was read but not yet committed when ownership was lost counts once, and counters never fall', async () => {
  const [partition, states] = [new MemoryPartition(), new MemoryStates()];
  const process = start(noon, 1, new MemoryRuns(), states);
  const lost = new AbortController();
  const completed = (): number | undefined =>
    process.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' });
  partition.append(noon, aRun('a', noon));
  await process.own(partition, lost);
  await process.assessor.committed();
  expect(completed()).toBe(1);
  const commits = partition.commits.length;
  const { promise, resolve: letGo } = Promise.withResolvers<void>();
  states.slow = promise;
  partition.append(noon + 1000, aRun('b', noon + 1000));
  await until('it has read on', () => process.kpi('plimsoll_kpi_run_success_denominator', five) === 2);
  expect(completed()).toBe(1);
  lost.abort();
  letGo();
  await until('it knows', () => process.kpi('plimsoll_kpi_active') === 0);
  expect(partition.commits).toHaveLength(commits);
  await process.own(partition);
  expect(completed()).toBeGreaterThanOrEqual(1);
  expect(process.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(2);
  await process.assessor.committed();
  expect(completed()).toBe(2);
});

test('whoever waits for a commit that is fenced is told', async () => {
  const partition = new MemoryPartition();
  const process = start(noon);
  const { claim, reached } = partition.claim(new AbortController().signal);
  let isFenced = false;
  process.work({
    ...claim,
    commit: async (commit) => {
      if (isFenced) throw new OwnershipLost('fenced');
      return claim.commit(commit);
    },
  });
  await reached;
  await process.assessor.committed();
  isFenced = true;
  await expect(process.assessor.committed()).rejects.toThrow('ask the one that does');
});

test('a new counter is 0 for a while, and then what it counted, though nothing else happens', async () => {
  const partition = new MemoryPartition();
  const process = start(noon, 1, new MemoryRuns(), new MemoryStates(), { zeroForMs: 15_000 });
  const completed = (): number | undefined =>
    process.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' });
  await process.own(partition);
  partition.append(noon, aRun('a', noon));
  await until('it is exported', () => completed() !== undefined);
  for (const laterMs of [1000, 13_000]) {
    process.nowMs += laterMs;
    const { reads } = partition;
    await until('it looked at the clock', () => partition.reads > reads + 2);
    await process.assessor.committed();
    expect(completed()).toBe(0);
  }
  process.nowMs += 3000;
  await until('it is shown', () => completed() === 1);
});

test('whoever waits for a commit is told when the process ceases to own the stream, or never did', async () => {
  const [partition, states] = [new MemoryPartition(), new MemoryStates()];
  const process = start(noon, 1, new MemoryRuns(), states);
  const says = 'this process does not assess the stream now: ask the one that does';
  await expect(process.assessor.committed()).rejects.toThrow(says);
  const lost = new AbortController();
  await process.own(partition, lost);
  await process.assessor.committed();
  states.isFull = true;
  const waits = expect(process.assessor.committed()).rejects.toThrow('the stream plimsoll_state is full');
  await until('a reason', () => !process.assessor.check().flowing);
  expect(process.assessor.check().reason).toBe(
    'waits for the stream of snapshots: the stream plimsoll_state is full',
  );
  lost.abort();
  await waits;
});

describe('the stream of runs', () => {
  test('has what is known of each run that ended, and of one that changed', async () => {
    const [partition, stream] = [new MemoryPartition(), new MemoryRuns()];
    const [tool, root] = aRun('a', noon, { sessionId: 's', userId: 'u', taskType: 'refunds' });
    partition.append(noon, [root!]);
    partition.append(noon, [tool!]);
    const process = start(noon, 1, stream);
    await process.own(partition);
    await process.stop();
    expect([...stream.runs.values()]).toMatchObject([
      {
        AgentName: 'refund',
        SessionId: 's',
        UserId: 'u',
        TaskType: 'refunds',
        Outcome: 'completed',
        ToolCalls: 1,
        StartTime: '2026-11-23 11:59:59.000',
        EndTime: '2026-11-23 12:00:00.000',
        Version: 2,
      },
    ]);
  });

  test('says of a run which policy covers its agent in its environment', async () => {
    const [partition, stream] = [new MemoryPartition(), new MemoryRuns()];
    const labels = { environment: 'production' };
    partition.append(noon, aRun('a', noon, { ...labels, agent: 'covered' }));
    partition.append(noon, aRun('b', noon, { ...labels, agent: 'other' }));
    const process = start(noon, 1, stream);
    await process.own(partition);
    await process.stop();
    expect([...stream.runs.values()].map((row) => [row['AgentName'], row['PolicyRevision']])).toEqual([
      ['covered', 'covered-production'],
      ['other', undefined],
    ]);
  });

  test('has every run before the spans of it are committed, those that other partitions ended, too', async () => {
    const [one, two, stream] = [new MemoryPartition(0), new MemoryPartition(1), new MemoryRuns()];
    const { promise, resolve: letGo } = Promise.withResolvers<void>();
    stream.slow = promise;
    onTestFinished(() => letGo());
    const process = start(noon, 2, stream);
    await Promise.all([process.own(one), process.own(two)]);
    one.append(noon, aRun('a', noon));
    two.append(noon, aRun('b', noon).slice(0, 1));
    await until('both were read', async () => (await process.gauge('plimsoll_assess_open_runs')) === 1);
    process.nowMs += settings.idleTimeoutMs;
    await until('both ended', () => process.kpi('plimsoll_kpi_run_success_denominator', hour) === 2);
    const durable = (): number => stream.runs.size;
    for (const partition of [one, two]) {
      const before = partition.reads;
      await until('it has read on for a while', () => partition.reads > before + 20);
      expect(partition.commits.at(-1)?.position.offset ?? 0).toBe(0);
    }
    expect(durable()).toBe(0);
    letGo();
    for (const partition of [one, two])
      await until('it has committed', () => {
        const isCommitted = partition.commits.at(-1)?.position.offset === 1;
        if (isCommitted) expect(durable()).toBe(2);
        return isCommitted;
      });
  });

  test('that takes nothing stops reading, says so, and gets every run once it takes some', async () => {
    const [partition, stream] = [new MemoryPartition(), new MemoryRuns()];
    stream.isFull = true;
    const process = start(noon, 1, stream);
    await process.own(partition);
    const append = (from: number): void => {
      for (let i = from; i < from + 10; i++) partition.append(noon, aRun(`r${i}`, noon));
    };
    append(0);
    await until('it was read', () => process.kpi('plimsoll_kpi_run_success_denominator', five) === 10);
    append(10);
    await until('a reason', () => !process.assessor.check().flowing);
    expect(process.assessor.check().reason).toBe(
      'waits for the stream of runs: the stream agent_runs is full',
    );
    const { reads } = partition;
    process.nowMs += 5000;
    const { refused } = stream;
    await until('it was tried again', () => stream.refused > refused + 1);
    expect(partition.reads).toBe(reads);
    expect(process.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(10);
    expect(partition.commits.at(-1)?.position.offset ?? 0).toBe(0);
    stream.isFull = false;
    await until('every run', () => stream.runs.size === 20);
    expect(stream.rows).toHaveLength(20);
    expect(process.assessor.check()).toEqual({ flowing: true, reason: '' });
    process.nowMs += 5000;
    await until('it has committed', () => partition.commits.at(-1)?.position.offset === 20);
  });

  test('that takes nothing keeps a process from stopping no longer than it may, and the next one sends the runs', async () => {
    const [partition, stream] = [new MemoryPartition(), new MemoryRuns()];
    partition.append(noon, aRun('a', noon));
    stream.isFull = true;
    const first = start(noon, 1, stream);
    await first.own(partition);
    await until('a reason', () => !first.assessor.check().flowing || first.outbox.send());
    const stopped = first.stop();
    await first.outbox.stop(AbortSignal.abort());
    await stopped;
    expect(partition.commits.at(-1)?.position.offset ?? 0).toBe(0);
    stream.isFull = false;
    const second = start(noon, 1, stream);
    await second.own(partition);
    await second.stop();
    expect([...stream.runs.values()]).toMatchObject([{ Outcome: 'completed' }]);
  });

  test('gets records no longer than it takes', async () => {
    const [partition, stream] = [new MemoryPartition(), new MemoryRuns(1000)];
    for (let i = 0; i < 20; i++) partition.append(noon, aRun(`r${i}`, noon));
    const process = start(noon, 1, stream);
    await process.own(partition);
    await process.stop();
    expect(stream.runs.size).toBe(20);
    expect(Math.max(...stream.records.map(({ payload }) => payload.length))).toBeLessThanOrEqual(1000);
    expect(stream.records.length).toBeLessThan(15);
  });
});

describe('after a restart', () => {
  test('windows and counters go on where they were, and nothing is read again', async () => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates()];
    partition.append(noon, aRun('a', noon));
    const first = start(noon, 1, new MemoryRuns(), states);
    await first.own(partition);
    await first.stop();
    partition.start = 1;
    const second = start(noon + minute, 1, new MemoryRuns(), states);
    await second.own(partition);
    expect(second.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' })).toBe(1);
    partition.append(noon + minute, aRun('b', noon + minute));
    await until('it was read', () => second.kpi('plimsoll_kpi_run_success_denominator', five) === 2);
    await second.assessor.committed();
    expect(second.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' })).toBe(2);
    expect(second.kpi('plimsoll_kpi_window_complete', hour)).toBe(1);
    expect(await second.gauge('plimsoll_assess_spans_total')).toBe(2);
  });

  test('a run that was open is whole when its root comes, however long ago it began', async () => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates()];
    const long = aRun('long', noon + 3 * 60 * minute);
    for (let i = 0; i <= 45; i++) {
      const atMs = noon + i * 4 * minute;
      partition.append(atMs, [{ ...long[0], spanId: `t${i}`, startMs: atMs, endMs: atMs }]);
    }
    const first = start(noon + 3 * 60 * minute, 1, new MemoryRuns(), states);
    await first.own(partition);
    await first.stop();
    partition.start = 46;
    partition.append(noon + 3 * 60 * minute, [...long.slice(1), { ...long[0], spanId: 't7' }]);
    const second = start(noon + 3 * 60 * minute + 1000, 1, new MemoryRuns(), states);
    await second.own(partition);
    await second.assessor.committed();
    const samples = flat(second.assessor.families());
    const duration = [...samples].find(([name]) => name.startsWith('plimsoll_run_duration_seconds_sum'))?.[1];
    expect(duration).toBe(3 * 3600);
    expect(await second.gauge('plimsoll_assess_resent_spans_total')).toBe(1);
  });

  test('a run that timed out before is corrected by its root, and one that timed out while nobody looked is counted', async () => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates()];
    const [tool, root] = aRun('before', noon);
    partition.append(noon, [tool!]);
    partition.append(noon + 4 * minute, aRun('meanwhile', noon + 4 * minute).slice(0, 1));
    const first = start(noon + 4 * minute, 1, new MemoryRuns(), states);
    await first.own(partition);
    first.nowMs = noon + 6 * minute;
    await until('one timed out', () => first.kpi('plimsoll_kpi_run_success_denominator', five) === 1);
    await first.stop();
    partition.append(noon + 8 * minute, [{ ...root, endMs: noon + 8 * minute }]);
    const second = start(noon + 10 * minute, 1, new MemoryRuns(), states);
    await second.own(partition);
    second.nowMs += 2000;
    await until('both are there', () => second.kpi('plimsoll_kpi_run_success_denominator', hour) === 2);
    expect(second.kpi('plimsoll_kpi_run_success_ratio', hour)).toBe(0.5);
    await second.assessor.committed();
    expect(second.kpi('plimsoll_runs_total', { outcome: 'unknown', evidence: 'none' })).toBe(2);
    expect(second.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' })).toBe(0);
  });

  test.each([
    [
      'the snapshot is not on its stream any more',
      (states: MemoryStates) => (states.start = states.records.length),
    ],
    ['part of it is not', (states: MemoryStates) => (states.start = states.records.length - 1)],
    ['it is damaged', (states: MemoryStates) => states.records.at(-1)!.payload.fill(7)],
    ['the stream of snapshots was made anew', (states: MemoryStates) => (states.id = 'other')],
  ])('where %s, all that the stream holds is assessed anew', async (_, damage) => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates(100)];
    partition.append(noon, aRun('a', noon));
    partition.append(noon + minute, aRun('b', noon + minute));
    const first = start(noon + minute, 1, new MemoryRuns(), states);
    await first.own(partition);
    await first.stop();
    damage(states);
    const second = start(noon + minute, 1, new MemoryRuns(), states);
    await second.own(partition);
    await second.assessor.committed();
    expect(second.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' })).toBe(2);
    expect(second.kpi('plimsoll_kpi_run_success_denominator', hour)).toBe(2);
    expect(second.kpi('plimsoll_kpi_window_complete', hour)).toBe(1);
  });

  test('with other windows counters go on, and a window that is new is complete once it is full', async () => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates()];
    partition.append(noon, aRun('a', noon));
    const first = start(noon, 1, new MemoryRuns(), states);
    await first.own(partition);
    await first.stop();
    const windowsMs = [5 * minute, 10 * minute];
    const second = start(noon, 1, new MemoryRuns(), states, { windowsMs });
    await second.own(partition);
    expect(second.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' })).toBe(1);
    expect(second.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(1);
    expect(second.kpi('plimsoll_kpi_window_complete', { window: '10m' })).toBe(0);
    second.nowMs = noon + 11 * minute;
    await until('it is full', () => second.kpi('plimsoll_kpi_window_complete', { window: '10m' }) === 1);
  });

  test('counters are not exported before a stream that is assessed anew has been read', async () => {
    const partition = new MemoryPartition();
    partition.append(noon, aRun('a', noon));
    partition.append(noon, aRun('b', noon));
    const process = start(noon);
    const { claim } = partition.claim(new AbortController().signal);
    const { promise: hold, resolve: letGo } = Promise.withResolvers<void>();
    let reads = 0;
    const read: typeof claim.read = async (offset, _, waitMs) => {
      if (reads++ > 0) await hold;
      return claim.read(offset, 1, waitMs);
    };
    process.work({ ...claim, read });
    await until('one was read', () => process.kpi('plimsoll_kpi_run_success_denominator', five) === 1);
    await process.assessor.committed();
    const completed = { outcome: 'completed', evidence: 'none' };
    expect(process.kpi('plimsoll_runs_total', completed)).toBeUndefined();
    letGo();
    await until('both were', () => process.kpi('plimsoll_runs_total', completed) === 2);
  });

  test('a snapshot that its stream cannot hold is pointed at by nobody, and health says so', async () => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates(100)];
    partition.append(noon, aRun('a', noon));
    const process = start(noon, 1, new MemoryRuns(), states);
    states.keeps = 1;
    await process.own(partition);
    await until('a reason', () => !process.assessor.check().flowing);
    expect(process.assessor.check().reason).toBe(
      'waits for the stream of snapshots: a snapshot of 0 MiB does not fit on its stream: raise connectors::embedded::retention::size, or retention.bytes of the topic, or lower processors::runs::max_open_runs',
    );
    expect(partition.commits).toEqual([]);
    states.keeps = Infinity;
    await until('it flows', () => partition.commits.length > 0);
    expect(process.assessor.check()).toEqual({ flowing: true, reason: '' });
  });

  test('a snapshot that another process wrote and could not commit changes nothing', async () => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates()];
    partition.append(noon, aRun('a', noon));
    const first = start(noon, 1, new MemoryRuns(), states);
    await first.own(partition);
    await first.stop();
    const [committed] = partition.commits.splice(-1);
    const stranger = new MemoryPartition();
    stranger.append(noon, aRun('c', noon, { failed: true }));
    const zombie = start(noon, 1, new MemoryRuns(), states);
    await zombie.own(stranger);
    await zombie.stop();
    partition.commits.push(committed!);
    const second = start(noon, 1, new MemoryRuns(), states);
    await second.own(partition);
    expect(second.kpi('plimsoll_kpi_run_success_ratio', five)).toBe(1);
    expect(second.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(1);
  });

  test('the snapshot that was committed on any partition last is the one to go on with', async () => {
    const [one, two, states] = [new MemoryPartition(0), new MemoryPartition(1), new MemoryStates()];
    const first = start(noon, 2, new MemoryRuns(), states);
    await Promise.all([first.own(one), first.own(two)]);
    await first.assessor.committed();
    const early = two.commits.at(-1)!;
    one.append(noon, aRun('a', noon));
    two.append(noon, aRun('b', noon));
    await until('both were read', () => first.kpi('plimsoll_kpi_run_success_denominator', five) === 2);
    await first.stop();
    two.commits.push(early); // as if it had been killed between the two commits
    one.start = two.start = 1;
    const second = start(noon, 2, new MemoryRuns(), states);
    await Promise.all([second.own(one), second.own(two)]);
    expect(second.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(2);
    expect(second.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' })).toBe(2);
  });

  test('a window is not complete while part of it was removed from the stream before it was read, and is once time has passed', async () => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates()];
    partition.append(noon, aRun('r0', noon));
    const first = start(noon, 1, new MemoryRuns(), states);
    await first.own(partition);
    await first.stop();
    for (let i = 1; i < 60; i++) partition.append(noon + i * minute, aRun(`r${i}`, noon + i * minute));
    partition.start = 50;
    const second = start(noon + 59 * minute, 1, new MemoryRuns(), states);
    await second.own(partition);
    expect(second.kpi('plimsoll_kpi_window_complete', five)).toBe(1);
    expect(second.kpi('plimsoll_kpi_window_complete', hour)).toBe(0);
    second.nowMs = noon + 120 * minute;
    await until('an hour is whole', () => second.kpi('plimsoll_kpi_window_complete', hour) === 1);
  });

  test('a commit of another program, or of an operator, says where to begin, and no more', async () => {
    for (const metadata of ['', 'garbage', '{"offset":3}']) {
      const partition = new MemoryPartition();
      partition.append(noon, aRun('a', noon));
      partition.append(noon, aRun('b', noon));
      partition.commits.push({ position: { offset: 1, index: 0 }, metadata });
      const process = start(noon);
      await process.own(partition);
      expect(process.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(1);
      expect(process.kpi('plimsoll_kpi_window_complete', five)).toBe(0);
    }
  });

  test('incidents are what they were, and those that were not committed are not there', async () => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates()];
    const report = { agent: 'refund', release: '1', environment: 'test', severity: 'sev2' } as const;
    const told = { owner: '', title: 'Refunds twice', summary: '', startedMs: undefined };
    const first = start(noon, 1, new MemoryRuns(), states);
    const lost = new AbortController();
    await first.own(partition, lost);
    first.book.open({ ...report, ...told, key: 'kept' }, noon);
    await first.assessor.committed();
    expect(first.committedIncidents).toEqual(['kept']);
    states.isFull = true;
    first.book.open({ ...report, ...told, key: 'too late' }, noon);
    lost.abort();
    await until('it knows', () => !first.assessor.isAssessing);
    expect([...first.book.incidents]).toEqual([]);
    states.isFull = false;
    const second = start(noon, 1, new MemoryRuns(), states);
    await second.own(partition);
    expect([...second.book.incidents].map(({ key }) => key)).toEqual(['kept']);
    expect(first.committedIncidents).toEqual(['kept']);
    expect(second.committedIncidents).toEqual(['kept']);
    expect(second.kpi('plimsoll_incidents_opened_total', { severity: 'sev2' })).toBe(1);
  });

  test('a commit of another version of the program makes all that the stream holds be assessed anew', async () => {
    const partition = new MemoryPartition();
    partition.append(noon, aRun('a', noon));
    partition.append(noon, aRun('b', noon));
    partition.commits.push({ position: { offset: 1, index: 0 }, metadata: '{"v":2,"replayFrom":1}' });
    const process = start(noon);
    await process.own(partition);
    expect(process.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(2);
  });

  test('an operator who moves one partition is followed there, and the others go on with the snapshot', async () => {
    const [one, two, states] = [new MemoryPartition(0), new MemoryPartition(1), new MemoryStates()];
    for (const [i, partition] of [one, two].entries()) partition.append(noon, aRun(`first ${i}`, noon));
    const first = start(noon, 2, new MemoryRuns(), states);
    await Promise.all([first.own(one), first.own(two)]);
    await first.stop();
    one.append(noon, aRun('skipped', noon));
    one.append(noon, aRun('after it', noon));
    two.append(noon, aRun('second', noon));
    one.commits.push({ position: { offset: 2, index: 0 }, metadata: '' });
    const second = start(noon, 2, new MemoryRuns(), states);
    await Promise.all([second.own(one), second.own(two)]);
    await second.assessor.committed();
    expect(second.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' })).toBe(4);
    expect(second.kpi('plimsoll_kpi_window_complete', five)).toBe(0);
  });

  test('nothing of a snapshot that could not be committed on every partition is exported', async () => {
    const [one, two, states] = [new MemoryPartition(0), new MemoryPartition(1), new MemoryStates()];
    const first = start(noon, 2, new MemoryRuns(), states);
    const lost = new AbortController();
    const { claim, reached } = two.claim(lost.signal);
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    let isFenced = false;
    let refused = 0;
    first.work({
      ...claim,
      commit: async (commit) => {
        if (!isFenced) return claim.commit(commit);
        refused++;
        await held;
        lost.abort(new OwnershipLost('fenced'));
        throw new OwnershipLost('fenced');
      },
    });
    await Promise.all([first.own(one, lost), reached]);
    one.append(noon, aRun('a', noon));
    await until('it was read', () => first.kpi('plimsoll_kpi_run_success_denominator', five) === 1);
    await first.assessor.committed();
    const completed = { outcome: 'completed', evidence: 'none' };
    isFenced = true;
    one.append(noon, aRun('b', noon));
    await until('it commits both', () => refused > 0 && one.commits.at(-1)?.position.offset === 2);
    expect(first.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(2);
    expect(first.kpi('plimsoll_runs_total', completed)).toBe(1);
    letGo();
    await until('it knows', () => !first.assessor.isAssessing);
    const second = start(noon, 2, new MemoryRuns(), states);
    await Promise.all([second.own(one), second.own(two)]);
    expect(second.kpi('plimsoll_runs_total', completed)).toBeGreaterThanOrEqual(1);
    await second.assessor.committed();
    expect(second.kpi('plimsoll_runs_total', completed)).toBe(2);
  });

  test('a snapshot that makes no sense to this version is as one that is not there', async () => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates()];
    partition.append(noon, aRun('a', noon));
    const first = start(noon, 1, new MemoryRuns(), states);
    await first.own(partition);
    await first.stop();
    const [last] = states.records.splice(-1);
    const state: SavedState = deserialize(zstdDecompressSync(last!.payload));
    const broken = { ...state, assessment: { ...state.assessment, kpis: {} } };
    const payload = zstdCompressSync(serialize(broken));
    states.records.push({ ...last!, payload });
    const commit = partition.commits.at(-1)!;
    const pointer = JSON.parse(commit.metadata);
    Object.assign(pointer.snapshot, { bytes: payload.length, crc: crc32(payload) });
    partition.commits.push({ ...commit, metadata: JSON.stringify(pointer) });
    const second = start(noon, 1, new MemoryRuns(), states);
    await second.own(partition);
    expect(second.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(1);
    await second.assessor.committed();
    expect(second.kpi('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' })).toBe(1);
  });

  test('a stream of snapshots that does not answer is waited for, and said', async () => {
    const [partition, states] = [new MemoryPartition(), new MemoryStates(100)];
    partition.append(noon, aRun('a', noon));
    const first = start(noon, 1, new MemoryRuns(), states);
    await first.own(partition);
    await first.stop();
    states.emptyReads = 5;
    partition.start = 1;
    const second = start(noon, 1, new MemoryRuns(), states);
    await second.own(partition);
    expect(second.kpi('plimsoll_kpi_run_success_denominator', five)).toBe(1);
    await second.stop();
    const { promise } = Promise.withResolvers<void>();
    states.silent = promise;
    const third = start(noon, 1, new MemoryRuns(), states);
    const lost = new AbortController();
    const { claim } = partition.claim(lost.signal);
    const worked = third.assessor.worker(claim, new AbortController().signal);
    await until('it says so', () => third.assessor.check().reason === 'reads the last snapshot');
    lost.abort(new OwnershipLost('lost'));
    await worked;
  });

  test('a pointer fits into the metadata of a commit', () => {
    const snapshot = {
      stream: 'x'.repeat(64),
      id: 'f'.repeat(16),
      from: Number.MAX_SAFE_INTEGER,
      chunks: 1e6,
      bytes: 1e12,
      crc: 2 ** 32 - 1,
    };
    expect(toCommit(Number.MAX_SAFE_INTEGER, snapshot).metadata.length).toBeLessThan(400);
  });

  test('windows are not complete over records that retention removed before they were read', async () => {
    const partition = new MemoryPartition();
    for (let i = 0; i < 3; i++) partition.append(noon + i * minute, aRun(`r${i}`, noon + i * minute));
    const process = start(noon + 2 * minute);
    await process.own(partition);
    expect(process.kpi('plimsoll_kpi_window_complete', five)).toBe(1);
    partition.append(noon + 4 * minute, aRun('r4', noon + 4 * minute));
    partition.records[3] = { ...partition.records[3]!, offset: 5 };
    await until('it says so', () => process.kpi('plimsoll_kpi_window_complete', five) === 0);
    process.nowMs = noon + 9 * minute;
    await until('it is whole again', () => process.kpi('plimsoll_kpi_window_complete', five) === 1);
  });

  test('nothing is complete before everything that was on the stream has been read', async () => {
    const partition = new MemoryPartition();
    partition.append(noon, aRun('a', noon));
    const process = start(noon);
    const { claim } = partition.claim(new AbortController().signal);
    const { promise: hold, resolve: letGo } = Promise.withResolvers<void>();
    let reads = 0;
    const slow = {
      ...claim,
      bounds: () => Promise.resolve({ start: 0, end: 2 }),
      read: async (offset: number, limitBytes: number, waitMs: number) => {
        if (reads++ > 0) await hold;
        return claim.read(offset, limitBytes, waitMs);
      },
    };
    const stop = new AbortController();
    const done = process.assessor.worker(slow, stop.signal);
    await until(
      'the first record was read',
      () => process.kpi('plimsoll_kpi_run_success_denominator', five) === 1,
    );
    expect(process.kpi('plimsoll_kpi_window_complete', five)).toBe(0);
    partition.append(noon, aRun('b', noon));
    letGo();
    await until('all was read', () => process.kpi('plimsoll_kpi_window_complete', five) === 1);
    stop.abort();
    await done;
  });
});

const arbitraryRecords = fc.array(
  fc.record({
    run: fc.integer({ min: 0, max: 12 }),
    gapMs: fc.integer({ min: 0, max: 90_000 }),
    part: fc.constantFrom('tool', 'root', 'both'),
    failed: fc.boolean(),
  }),
  { minLength: 1, maxLength: 30 },
);

/** Everything that is exported once all is committed, but for what the process counts of itself. */
async function exported(process: Process): Promise<Map<string, number>> {
  await process.assessor.committed();
  return flat(process.assessor.families());
}

const arbitraryEnds = fc.array(fc.record({ at: fc.nat(), isKilled: fc.boolean() }), { maxLength: 4 });

test('property: wherever processes are stopped or killed, gauges, counters and kept runs are those of one that never was, and no counter falls', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryRecords, arbitraryEnds, async (rows, ends) => {
      const [whole, broken] = [new MemoryPartition(), new MemoryPartition()];
      const [runsOfMany, runsOfOne, states] = [new MemoryRuns(), new MemoryRuns(), new MemoryStates(300)];
      let nowMs = noon;
      for (const [i, { run, gapMs, part, failed }] of rows.entries()) {
        nowMs += gapMs;
        const [tool, root] = aRun(`run${run}`, nowMs, { failed, spanId: `r${i}` });
        const spans = [
          ...(part === 'root' ? [] : [{ ...tool, spanId: `t${i}` }]),
          ...(part === 'tool' ? [] : [root!]),
        ];
        whole.append(nowMs, spans);
      }
      // While nothing has arrived the clock moves the watermark, for as long as that lasts.
      const stops = ends.map(({ at, isKilled }) => ({ at: 1 + (at % rows.length), isKilled }));
      let shown = new Map<string, number>();
      for (const { at, isKilled } of stops.toSorted((a, b) => a.at - b.at)) {
        broken.records.push(...whole.records.slice(broken.records.length, at));
        const process = new Process(broken.records.at(-1)?.timeMs ?? noon, 1, runsOfMany, states);
        const lost = new AbortController();
        await process.own(broken, lost);
        if (isKilled) lost.abort();
        else await process.assessor.committed();
        const now = countersOf(process);
        if (!isKilled) {
          for (const [name, count] of shown) expect(now.get(name), name).toBeGreaterThanOrEqual(count);
          shown = now;
        }
        await process.stop();
      }
      broken.records.push(...whole.records.slice(broken.records.length));
      const last = new Process(nowMs, 1, runsOfMany, states);
      const unbroken = new Process(nowMs, 1, runsOfOne);
      await Promise.all([last.own(broken), unbroken.own(whole)]);
      try {
        expect(await exported(last)).toEqual(await exported(unbroken));
      } finally {
        await Promise.all([last.stop(), unbroken.stop()]);
      }
      expect(runsOfMany.runs).toEqual(runsOfOne.runs);
    }),
    { numRuns: Math.min(runs, 300) },
  );
});

function countersOf(process: Process): Map<string, number> {
  const families = process.assessor.families().filter(({ kind }) => kind !== 'gauge');
  return flat(families);
}

const spreadRecords = fc.array(
  fc.record({
    run: fc.integer({ min: 0, max: 3 }),
    partition: fc.integer({ min: 0, max: 1 }),
    isRoot: fc.boolean(),
    gapMs: fc.integer({ min: 0, max: 1000 }),
  }),
  { minLength: 1, maxLength: 24 },
);

/** The spans of `rows`, a record each, on two partitions that both may have spans of a run. */
function spread(rows: readonly { run: number; partition: number; isRoot: boolean; gapMs: number }[]) {
  const partitions = [new MemoryPartition(0), new MemoryPartition(1)] as const;
  let timeMs = noon;
  for (const [i, { run, partition, isRoot, gapMs }] of rows.entries()) {
    timeMs += gapMs;
    const ids = { runId: `order ${run}`, traceId: `trace ${run} ${partition}`, spanId: `s${i}` };
    partitions[partition]?.append(timeMs, [
      isRoot
        ? { ...ids, parentSpanId: '', step: 'agent', startMs: timeMs - 10, endMs: timeMs }
        : { ...ids, step: 'llm', costUsd: i / 1000, costSource: 'reported', startMs: timeMs, endMs: timeMs },
    ]);
  }
  return partitions;
}

/** Assesses `partitions` a record at a time, in turns as `delays` say, and is killed after `reads`; without, runs until every run has ended. */
async function assessUntil(
  partitions: readonly MemoryPartition[],
  stream: MemoryRuns,
  delays: Iterator<number>,
  states: MemoryStates,
  reads = Infinity,
): Promise<void> {
  const process = new Process(noon + 30_000, partitions.length, stream, states);
  const lost = new AbortController();
  const { promise: killed, resolve: kill } = Promise.withResolvers<void>();
  let left = reads;
  const owned = partitions.map(async (partition) => {
    const { claim, reached } = partition.claim(lost.signal);
    const read: typeof claim.read = async (offset, _, waitMs) => {
      if (left-- <= 0) {
        kill();
        await new Promise((resolve) => lost.signal.addEventListener('abort', resolve));
      }
      process.nowMs += 300;
      for (let turn = delays.next().value ?? 0; turn > 0; turn--) await Promise.resolve();
      return claim.read(offset, 1, waitMs);
    };
    process.work({ ...claim, read });
    await reached;
  });
  await Promise.race([killed, Promise.all(owned)]);
  if (reads === Infinity) {
    process.nowMs += 10 * minute;
    await until('every run ended', async () => (await process.gauge('plimsoll_assess_open_runs')) === 0);
    await process.stop();
  } else {
    await process.outbox.stop(AbortSignal.abort());
    lost.abort();
    await process.stop();
  }
}

test('property: wherever processes are killed, every run is kept with all that is known of it, from both partitions', async () => {
  await fc.assert(
    fc.asyncProperty(
      spreadRecords,
      fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 3 }),
      fc.infiniteStream(fc.nat(6)),
      async (rows, kills, delays) => {
        const [killed, unbroken] = [new MemoryRuns(), new MemoryRuns()];
        const partitions = spread(rows);
        const states = new MemoryStates(500);
        for (const reads of kills) await assessUntil(partitions, killed, delays, states, reads);
        await assessUntil(partitions, killed, delays, states);
        await assessUntil(spread(rows), unbroken, delays, new MemoryStates());
        expect(killed.runs).toEqual(unbroken.runs);
      },
    ),
    { numRuns: Math.min(runs, 300) },
  );
});
