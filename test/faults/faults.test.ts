import { afterAll, describe, expect, test } from 'vitest';
import { ownBrokerMissing } from '../kafka/requires-kafka.ts';
import { run } from './run.ts';
import { allFaults } from './storm.ts';

/** The death of a leader and answers that are lost have tests of their own; `main.ts` draws from all. */
const kinds = ['store-kill', 'store-pause', 'ingest-kill', 'assess-kill', 'clickhouse-kill'];
/** About five times what it takes where nothing else runs. */
const limitMs = 600_000;

describe.skipIf(ownBrokerMissing())('the whole pipeline under load', () => {
  let ended: Promise<unknown> = Promise.resolve();
  afterAll(async () => ended.catch(() => undefined)); // that nothing runs on when the test took too long

  test(
    'loses no span and no run and stores none twice, though processes, brokers and ClickHouse fail',
    async ({ signal }) => {
      const running = run({
        seed: 7,
        spansPerSecond: 400,
        faults: allFaults.filter(({ kind }) => kinds.includes(kind)),
        isOver: (done) => kinds.every((kind) => done.kinds.has(kind)),
        recreatesTopic: false,
        signal,
        say: (text) => void process.stderr.write(`${text}\n`),
      });
      ended = running;
      const { failure, reckoning, poisonSpans, fallenCounters, zombies, crashes } = await running;
      expect(failure).toBeUndefined();
      expect(reckoning.accepted).toBeGreaterThan(1000);
      expect(reckoning).toMatchObject({
        lost: 0,
        duplicated: 0,
        deadLettered: poisonSpans,
        storedAndDead: 0,
        strangers: 0,
        repeatedPositions: 0,
        unaccounted: 0,
        miscountedRuns: 0,
      });
      expect(fallenCounters).toEqual([]);
      expect(zombies).toBe(1);
      expect(crashes).toEqual([]);
    },
    limitMs,
  );
});
