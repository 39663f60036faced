import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { RunOutbox } from '../../src/assess/run-outbox.ts';
import { createLog } from '../../src/core/log.ts';
import { finishedRun } from '../runs/finished-runs.ts';
import { MemoryRuns } from './memory-runs.ts';

/** Who waits for `signal` to abort. */
const waiting = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

test('a wait that is over leaves nothing behind with its owner, however often it waits', async () => {
  const outbox = new RunOutbox(new MemoryRuns(), { log: createLog('silent'), limitBytes: 100 });
  const owner = new AbortController().signal;
  for (let n = 0; n < 100; n++) {
    outbox.add(finishedRun({ runId: String(n) }));
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
  const outbox = new RunOutbox(stream, { log: createLog('silent'), limitBytes: 100 });
  outbox.add(finishedRun());
  const owner = new AbortController();
  const waits = [outbox.room(owner.signal), outbox.flushed(outbox.added, new AbortController().signal)];
  owner.abort();
  await waits[0];
  await outbox.stop(AbortSignal.abort());
  await waits[1];
  expect(outbox.hasRoom).toBe(false);
});
