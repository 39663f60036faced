import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { RowOutbox } from '../../src/assess/row-outbox.ts';
import { createLog } from '../../src/core/log.ts';
import { tableRowOf } from '../../src/runs/run-row.ts';
import { finishedRun } from '../runs/finished-runs.ts';
import { MemoryRuns } from './memory-runs.ts';

/** Who waits for `signal` to abort. */
const waiting = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

test('a wait that is over leaves nothing behind with its owner, however often it waits', async () => {
  const outbox = new RowOutbox(new MemoryRuns(), { log: createLog('silent'), limitBytes: 100 });
  const owner = new AbortController().signal;
  for (let n = 0; n < 100; n++) {
    outbox.add(tableRowOf(finishedRun({ runId: String(n) }), ''));
    const wait = n % 2 === 0 ? outbox.room(owner) : outbox.flushed(outbox.added, owner);
    expect(waiting(owner)).toBe(1);
    await wait;
    expect(outbox.hasRoom).toBe(true);
  }
  expect(waiting(owner)).toBe(0);
});

test('a wait ends when its owner does, or the outbox', async () => {
  const stream = new MemoryRuns();
  stream.isFull = true;
  const outbox = new RowOutbox(stream, { log: createLog('silent'), limitBytes: 100 });
  outbox.add(tableRowOf(finishedRun(), ''));
  const owner = new AbortController();
  const waits = [outbox.room(owner.signal), outbox.flushed(outbox.added, new AbortController().signal)];
  owner.abort();
  await waits[0];
  await outbox.stop(AbortSignal.abort());
  await waits[1];
  expect(outbox.hasRoom).toBe(false);
});

test('a record holds rows of one table, and of a row that waits only the greatest version is sent', async () => {
  const stream = new MemoryRuns();
  const outbox = new RowOutbox(stream, { log: createLog('silent') });
  outbox.add({ table: 'agent_runs', key: 'a', version: 2, row: '{"run":"a2"}' });
  outbox.add({ table: 'policies', key: 'a', version: 1, row: '{"policy":"a1"}' });
  outbox.add({ table: 'agent_runs', key: 'b', version: 1, row: '{"run":"b1"}' });
  outbox.add({ table: 'agent_runs', key: 'a', version: 1, row: '{"run":"a1"}' });
  outbox.add({ table: 'policies', key: 'a', version: 1, row: '{"policy":"ä1"}' });
  const all = outbox.added;
  await outbox.flushed(all, new AbortController().signal);
  expect(all).toBe(3);
  expect(
    stream.records.map(({ headers, payload }) => [
      headers['plimsoll.content'],
      Buffer.from(payload).toString(),
    ]),
  ).toEqual([
    ['agent_runs/1', '{"run":"a2"}\n{"run":"b1"}\n'],
    ['policies/1', '{"policy":"ä1"}\n'],
  ]);
});
