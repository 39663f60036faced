import { expect, test } from 'vitest';
import { ClickHouseFault } from '../../src/store/clickhouse-fault.ts';
import { defaultPatience, Patience } from '../../src/store/patience.ts';
import { PatientTable } from '../../src/store/patient-table.ts';
import { KeepingTable } from './keeping-table.ts';

const origin = { streamId: 's1', partition: 0 };
const all = { from: { offset: 0, index: 0 }, to: { offset: 9, index: 0 } };

/** Fails so often before it answers. */
class FailingTable extends KeepingTable {
  asked = 0;
  readonly #failures: number;
  readonly #error: Error;

  constructor(failures: number, error: Error) {
    super();
    this.#failures = failures;
    this.#error = error;
  }

  override async held(...asked: Parameters<KeepingTable['held']>): ReturnType<KeepingTable['held']> {
    if (this.asked++ < this.#failures) throw this.#error;
    return super.held(...asked);
  }
}

const behind = new ClickHouseFault('time', 'the replica is behind the others', {});
const refused = new ClickHouseFault('operator', 'this user lacks a right: grant it', {});

async function ask(table: KeepingTable): Promise<readonly number[]> {
  const waits: number[] = [];
  const pause = async (ms: number): Promise<void> => {
    waits.push(ms);
    return Promise.resolve();
  };
  const patience = new Patience(defaultPatience, pause, (message) => `no answer (${message})`);
  await new PatientTable(table, patience).held(origin, all);
  return waits;
}

test('a replica that is behind is asked again, after longer and longer waits', async () => {
  const table = new FailingTable(3, behind);
  expect((await ask(table)).length).toBe(3);
  expect(table.asked).toBe(4);
});

test('one that stays behind is given up, and what only an operator can mend at once', async () => {
  const table = new FailingTable(Infinity, behind);
  await expect(ask(table)).rejects.toThrow('no answer (the replica is behind the others)');
  expect(table.asked).toBe(defaultPatience.patience + 1);
  const forbidding = new FailingTable(Infinity, refused);
  await expect(ask(forbidding)).rejects.toThrow(refused.message);
  expect(forbidding.asked).toBe(1);
});
