import { describe, expect, test } from 'vitest';
import { ownBrokerMissing } from '../kafka/requires-kafka.ts';
import { run, type Report } from './run.ts';
import { allFaults } from './storm.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Does each of `kinds` once. */
async function once(seed: number, kinds: readonly string[]): Promise<Report> {
  return run({
    seed,
    spansPerSecond: 400,
    faults: allFaults.filter(({ kind }) => kinds.includes(kind)),
    isOver: (done) => kinds.every((kind) => done.kinds.has(kind)),
    recreatesTopic: false,
    say,
  });
}

describe.skipIf(ownBrokerMissing())('the whole pipeline under load', () => {
  test('loses no span and stores none twice, though processes, brokers and ClickHouse fail', async () => {
    const kinds = [
      'store-kill',
      'store-pause',
      'ingest-kill',
      'leader-kill',
      'clickhouse-drop-answer',
      'clickhouse-kill',
    ];
    const { reckoning, poisonSpans, zombies, crashes } = await once(7, kinds);
    expect(reckoning.accepted).toBeGreaterThan(1000);
    expect(reckoning).toMatchObject({
      lost: 0,
      duplicated: 0,
      deadLettered: poisonSpans,
      storedAndDead: 0,
      strangers: 0,
      repeatedPositions: 0,
      unaccounted: 0,
    });
    expect(zombies).toBe(1);
    expect(crashes).toEqual([]);
  }, 300_000);
});
