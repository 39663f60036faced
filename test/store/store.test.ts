import { beforeEach, describe, expect, test } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { createLog } from '../../src/core/log.ts';
import { OwnershipLost, type NewRecord } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import type { RowEncoder } from '../../src/store/block.ts';
import { DeadLetters } from '../../src/store/dead-letters.ts';
import { emptyLedger, fromCommit, toCommit, type Ledger } from '../../src/store/intent.ts';
import { isBefore } from '../../src/store/place.ts';
import { defaultSettings, Store } from '../../src/store/store.ts';
import type { StoreSettings } from '../../src/store/tenure.ts';
import { until } from '../until.ts';
import { jsonEncoder, payloadOf, undecodablePayload, type TestSpan } from './json-rows.ts';
import { MemoryPartition } from './memory-stream.ts';
import { MemoryTable } from './memory-table.ts';
import { recount } from './recount.ts';

const origin = { streamId: 's1', partition: 0 };
const settings = { ...defaultSettings, flushIntervalMs: 5, backoff: { initialMs: 1, maxMs: 5 } };
let partition: MemoryPartition;
let table: MemoryTable;
let letters: NewRecord[];
let beforeLetters: () => void;
let telemetry: Telemetry;
let nowMs: number;
let encoder: RowEncoder;

beforeEach(() => {
  partition = new MemoryPartition();
  table = new MemoryTable();
  letters = [];
  beforeLetters = () => undefined;
  telemetry = new Telemetry();
  nowMs = 1_764_000_000_000;
  encoder = jsonEncoder;
});

let nextId = 0;
function span(date = '2026-01-01', poison?: TestSpan['poison']): TestSpan {
  return { id: nextId++, date, poison };
}

function append(...spans: readonly TestSpan[]): void {
  partition.append(payloadOf(spans), spans.length, { kept: 'yes' });
}

function newStore(changes: Partial<StoreSettings> = {}, boot = 'b1'): Store {
  const sink = {
    consume: async (records: readonly NewRecord[]) => {
      beforeLetters();
      letters.push(...records);
      return Promise.resolve();
    },
  };
  return new Store(
    { id: origin.streamId },
    {
      table,
      encoder,
      deadLetters: new DeadLetters(sink),
      telemetry,
      log: createLog('silent'),
      clock: { nowMs: () => nowMs + performance.now() },
      boot: () => boot,
      settings: { ...settings, ...changes },
    },
  );
}

/** Runs a store until everything is committed, and stops it in order. */
async function storeAll(changes: Partial<StoreSettings> = {}, boot?: string): Promise<void> {
  const stopping = new AbortController();
  const store = newStore(changes, boot);
  const work = store.worker(partition.claim(), stopping.signal);
  const flows = until(
    'everything is stored',
    () => store.health()[0]?.state === 'flowing' && partition.isDrained,
  );
  await Promise.race([flows, work]).finally(() => stopping.abort());
  await work;
}

function ledger(): Ledger {
  return fromCommit(partition.committed, origin, 1, { offset: 0, index: 0 });
}

function commit(changes: Partial<Ledger>): void {
  partition.committed = toCommit({ ...emptyLedger({ offset: 0, index: 0 }), ...changes }, origin, 1);
}

const at = (offset: number, index = 0) => ({ offset, index });
const places = () => table.rows.map((row) => `${row.offset}.${row.index}`);
async function metric(name: string): Promise<number> {
  const { values } = (await telemetry.registry.getSingleMetric(name)?.get()) ?? { values: [] };
  return values.reduce((sum, { value }) => sum + value, 0);
}

describe('storing', () => {
  test('a claim that is lost before its worker has begun is no failure of the store', async () => {
    const lost = AbortSignal.abort(new OwnershipLost('lost'));
    await newStore().worker(partition.claim(lost), new AbortController().signal);
  });

  test('every span becomes a row, and the commit goes past the last record', async () => {
    append(span(), span());
    append(span());
    await storeAll();
    expect(places()).toEqual(['0.0', '0.1', '1.0']);
    expect(ledger()).toMatchObject({ position: at(2), storedSpans: 3, deadSpans: 0, expiredSpans: 0 });
    expect(await metric('plimsoll_store_rows_total')).toBe(3);
  });

  test('a block ends at its rows, also in the middle of a record', async () => {
    append(span(), span(), span(), span(), span());
    await storeAll({ limits: { ...settings.limits, rows: 2 } });
    expect(table.tried.map((rows) => rows.length)).toEqual([2, 2, 1]);
    expect(places()).toEqual(['0.0', '0.1', '0.2', '0.3', '0.4']);
  });

  test('a block has at most ten dates', async () => {
    append(...Array.from({ length: 25 }, (_, n) => span(`2026-01-${10 + n}`)));
    await storeAll();
    expect(table.tried.map((rows) => rows.length)).toEqual([10, 10, 5]);
  });

  test('a block ends at its bytes', async () => {
    for (let n = 0; n < 5; n++) append(span());
    await storeAll({ limits: { ...settings.limits, bytes: 200 } });
    expect(table.tried.map((rows) => rows.length)).toEqual([2, 2, 1]);
  });

  test('records without spans are passed without an insert', async () => {
    append();
    await storeAll();
    expect(table.tried).toEqual([]);
    expect(ledger().position).toEqual(at(1));
  });

  test('what is announced fits the metadata of a commit, however long names and numbers are', () => {
    const intent = {
      from: at(2 ** 52, 2 ** 31),
      to: at(2 ** 52 + 1, 2 ** 31),
      attempt: 'x'.repeat(12),
      rows: 50_000,
    };
    const far = at(2 ** 52, 2 ** 31);
    const spans = { passedSpans: 2 ** 52, storedSpans: 2 ** 52, deadSpans: 2 ** 52, expiredSpans: 2 ** 52 };
    const expiredRecords = 2 ** 52;
    const full = {
      position: far,
      settled: far,
      last: { offset: 2 ** 52, timeMs: 2 ** 52 },
      ...spans,
      expiredRecords,
      intent,
      cleanBoot: undefined,
    };
    expect(toCommit(full, { streamId: 'x'.repeat(249), partition: 65_535 }, 1).metadata.length).toBeLessThan(
      1024,
    );
  });
});

describe('what can never be stored', () => {
  test('a record that nobody can read is a dead letter under its place, with its headers', async () => {
    append(span());
    partition.append(undecodablePayload, 7, { kept: 'yes' });
    append(span());
    await storeAll();
    expect(places()).toEqual(['0.0', '2.0']);
    expect(letters).toEqual([
      {
        partition: 0,
        payload: undecodablePayload,
        spans: 7,
        headers: {
          kept: 'yes',
          'plimsoll.dead.key': 's1/0/1/0',
          'plimsoll.dead.reason': 'the record cannot be read: not JSON',
          'plimsoll.dead.origin': 'store',
          'plimsoll.dead.attempt': '1',
          'plimsoll.dead.time': expect.stringMatching(/^2025-11-24T16:\d\d:\d\d\.\d{3}Z$/),
          'plimsoll.dead.record_time': '2025-11-24T16:00:00.001Z',
        },
      },
    ]);
    expect(ledger()).toMatchObject({ position: at(3), storedSpans: 2, deadSpans: 7 });
  });

  test('a record that nobody can read and whose spans nobody counted is one dead span', async () => {
    partition.append(undecodablePayload, 0);
    append(span());
    await storeAll();
    expect(letters.map(({ spans }) => spans)).toEqual([1]);
    expect(ledger()).toMatchObject({ position: at(2), passedSpans: 2, storedSpans: 1, deadSpans: 1 });
  });

  test('spans of a record that are not valid are one dead letter, placed behind those that are', async () => {
    append(span(), { ...span(), isInvalid: true }, span(), { ...span(), isInvalid: true });
    await storeAll();
    expect(places()).toEqual(['0.0', '0.1']);
    expect(letters.map(({ spans, headers }) => [spans, headers['plimsoll.dead.key']])).toEqual([
      [2, 's1/0/0/2'],
    ]);
    expect(ledger()).toMatchObject({ position: at(1), passedSpans: 4, storedSpans: 2, deadSpans: 2 });
  });

  test('one span that the table refuses is found among many, and only it is a dead letter', async () => {
    for (let n = 0; n < 10; n++)
      append(
        ...Array.from({ length: 10 }, (_, k) => span('2026-01-01', n === 4 && k === 7 ? 'row' : undefined)),
      );
    await storeAll();
    expect(table.rows).toHaveLength(99);
    expect(new Set(places()).size).toBe(99);
    expect(letters.map((letter) => letter.headers['plimsoll.dead.key'])).toEqual(['s1/0/4/7']);
    expect(letters[0]?.spans).toBe(1);
    expect(ledger()).toMatchObject({ position: at(10), storedSpans: 99, deadSpans: 1 });
  });

  test('its position is held until the dead letter is durable', async () => {
    partition.append(undecodablePayload, 1);
    let failures = 3;
    beforeLetters = () => {
      expect(ledger().position).toEqual(at(0));
      if (failures-- > 0) throw new Failure('unavailable', 'the dead letters are down');
    };
    await storeAll();
    expect(letters).toHaveLength(1);
    expect(ledger().position).toEqual(at(1));
  });

  test('letters are sent about a megabyte at a time', async () => {
    const large = Buffer.alloc(400_000, 'x');
    for (let n = 0; n < 5; n++) partition.append(large, 1);
    const sent: number[] = [];
    beforeLetters = () => sent.push(letters.length);
    await storeAll({ flushIntervalMs: 500 }); // one block, however slow the machine
    expect(letters).toHaveLength(5);
    expect(sent).toEqual([0, 2, 4]);
  });

  test('a letter larger than the dead letters take holds its position and says so, until they take it', async () => {
    append(span());
    partition.append(undecodablePayload, 1);
    append(span());
    let isTooLarge = true;
    beforeLetters = () => {
      if (isTooLarge)
        throw new Failure('invalid', 'the topic does not take a record of 9 bytes: raise its limit');
    };
    const stopping = new AbortController();
    const store = newStore();
    const work = store.worker(partition.claim(), stopping.signal);
    await until('it waits', () => store.health()[0]?.state === 'waiting');
    expect(store.stall(1)).toBe(
      'partition 0 waits for the dead letters: the topic does not take a record of 9 bytes: raise its limit',
    );
    expect(letters).toEqual([]);
    expect(ledger().position.offset).toBeLessThanOrEqual(1);
    isTooLarge = false;
    await until('everything is committed', () => partition.isDrained);
    expect([letters.length, places()]).toEqual([1, ['0.0', '2.0']]);
    await until('it flows', () => store.stall(1) === undefined);
    stopping.abort();
    await work;
  });

  test('an insert that fails for another reason is repeated whole, under the same token', async () => {
    append(span(), span());
    let failures = 3;
    table.beforeInsert = () => {
      if (failures-- > 0) throw new Error('Code: 252. TOO_MANY_PARTS');
    };
    await storeAll();
    expect(table.tried.map((rows) => rows.length)).toEqual([2, 2, 2, 2]);
    expect(table.tokens).toHaveLength(1);
    expect(letters).toEqual([]);
    expect(places()).toEqual(['0.0', '0.1']);
  });
});

describe('taking over', () => {
  test('ends with a commit though nothing was to do, so that the stream may delete what was compared', async () => {
    append(span());
    await storeAll();
    const stopping = new AbortController();
    const claim = partition.claim();
    let commits = 0;
    const persist = claim.commit.bind(claim);
    claim.commit = async (next) => {
      commits++;
      await persist(next);
    };
    const store = newStore();
    const work = store.worker(claim, stopping.signal);
    await until('it flows', () => store.health()[0]?.state === 'flowing');
    expect(commits).toBe(1);
    stopping.abort();
    await work;
  });

  test('a stream that ends before the committed position was cut back, and the store says what to do', async () => {
    append(span());
    commit({ position: at(5) });
    await expect(storeAll()).rejects.toThrow(
      'partition 0 of stream s1 ends at offset 1, before the position 5.0 that was committed: records that were stored are gone from it (an older copy was put back, or brokers lost them), and new ones would be taken for them; begin a new stream: name another topic, or move the folder stream out of data_dir, as the runbook says under PlimsollStoreNotFlowing',
    );
    expect(table.tried).toEqual([]);
  });

  test('so does one that ends before a stored row', async () => {
    append(span());
    table.rows.push({ ...span(), offset: 3, index: 1 });
    await expect(storeAll()).rejects.toThrow('ends at offset 1, before the position 3.2 that was stored');
  });

  test('so does one that ends before an announced block', async () => {
    append(span());
    commit({ intent: { from: at(0), to: at(2), attempt: 'a', rows: 2 } });
    await expect(storeAll()).rejects.toThrow('before the position 2.0 that was announced');
  });

  test('so does one whose last committed record has another time', async () => {
    append(span());
    append(span());
    commit({ position: at(1), last: { offset: 0, timeMs: 1 } });
    await expect(storeAll()).rejects.toThrow(
      'has another record at offset 0 than the one that was committed',
    );
  });

  test('with a new stream id everything is stored from the start', async () => {
    append(span());
    partition.committed = toCommit(emptyLedger(at(9)), { ...origin, streamId: 's0' }, 1);
    await storeAll();
    expect(places()).toEqual(['0.0']);
  });

  test('an open block of another row encoder is refused, with the fix', async () => {
    append(span());
    const intent = { from: at(0), to: at(1), attempt: 'a', rows: 1 };
    partition.committed = toCommit({ ...emptyLedger(at(0)), intent }, origin, 2);
    await expect(storeAll()).rejects.toThrow(
      'the open block 0.0-1.0 of partition 0 was built by row encoder 2, and this program has 1: run the version that wrote it',
    );
  });

  test('metadata of another program is refused, with the fix', async () => {
    partition.committed = { position: at(0), metadata: '{"lag":3}' };
    await expect(storeAll()).rejects.toThrow('give the store a consumer group of its own');
  });

  test('without a commit, the table says what is stored', async () => {
    append(span(), span());
    append(span());
    append(span());
    table.rows.push({ ...span(), offset: 0, index: 1 }, { ...span(), offset: 1, index: 0 });
    await storeAll();
    expect(places().toSorted()).toEqual(['0.0', '0.1', '1.0', '2.0']);
    expect(ledger().storedSpans).toBe(4);
  });

  test('an operator may set the group back: what is stored is not stored again', async () => {
    for (let n = 0; n < 3; n++) append(span());
    await storeAll();
    partition.committed = { position: at(0), metadata: '' };
    await storeAll();
    expect(places()).toEqual(['0.0', '1.0', '2.0']);
  });

  test('rows found twice are counted, not hidden', async () => {
    append(span());
    table.rows.push({ ...span(), offset: 0, index: 0 }, { ...span(), offset: 0, index: 0 });
    await storeAll();
    expect(await metric('plimsoll_store_duplicate_rows_total')).toBe(1);
    expect(table.tried).toEqual([]);
  });

  test('spans of an announced block that retention removed are counted, and the rest is stored', async () => {
    for (let n = 0; n < 4; n++) append(span(), span());
    commit({ intent: { from: at(0), to: at(3), attempt: 'a', rows: 6 } });
    table.rows.push({ ...span(), offset: 0, index: 0 });
    partition.start = 2;
    await storeAll();
    expect(places()).toEqual(['0.0', '2.0', '2.1', '3.0', '3.1']);
    expect(ledger()).toMatchObject({ position: at(4), passedSpans: 8, storedSpans: 5, expiredSpans: 3 });
    expect(ledger().expiredRecords).toBe(1); // of the other a span is stored
    expect(await metric('plimsoll_store_expired_records_total')).toBe(2);
  });

  test('records that retention removed while the store was down are counted', async () => {
    for (let n = 0; n < 5; n++) append(span());
    partition.start = 3;
    commit({ position: at(1) });
    await storeAll();
    expect(places()).toEqual(['3.0', '4.0']);
    expect(ledger()).toMatchObject({ expiredRecords: 2, expiredSpans: 0 });
    expect(await metric('plimsoll_store_expired_records_total')).toBe(2);
  });

  test('a block that was stored before retention removed its records is no loss', async () => {
    for (let n = 0; n < 4; n++) append(span());
    commit({ intent: { from: at(0), to: at(2), attempt: 'a', rows: 2 } });
    table.rows.push({ ...span(), offset: 0, index: 0 }, { ...span(), offset: 1, index: 0 });
    partition.start = 2;
    await storeAll();
    expect(ledger()).toMatchObject({ storedSpans: 4, expiredSpans: 0, expiredRecords: 0 });
  });

  test('when the whole announced block is gone, the store goes on behind it', async () => {
    for (let n = 0; n < 4; n++) append(span());
    commit({ intent: { from: at(0), to: at(2), attempt: 'a', rows: 2 } });
    partition.start = 3;
    await storeAll();
    expect(ledger()).toMatchObject({ position: at(4), passedSpans: 3, storedSpans: 1, expiredSpans: 2 });
  });

  test('after a power cut rows below the committed position are looked for and stored again', async () => {
    for (let n = 0; n < 5; n++) append(span());
    await storeAll();
    table.rows = table.rows.filter((row) => row.offset !== 3);
    table.rederived = [];
    await storeAll({}, 'b2');
    expect(places().toSorted()).toEqual(['0.0', '1.0', '2.0', '3.0', '4.0']);
    expect(ledger().storedSpans).toBe(5);
    expect(table.rederived.length).toBeGreaterThan(0);
  });

  test('so they are after a stop out of order', async () => {
    append(span());
    await storeAll();
    append(span());
    const lost = new AbortController();
    table.beforeInsert = () => lost.abort();
    await newStore().worker(partition.claim(lost.signal), new AbortController().signal);
    table.rows = [];
    await storeAll();
    expect(places().toSorted()).toEqual(['0.0', '1.0']);
  });

  test('rows stored again by a recovery that took long are not taken for settled', async () => {
    for (let n = 0; n < 5; n++) append(span());
    await storeAll();
    table.rows = [];
    table.beforeInsert = () => (nowMs += 20 * 60_000);
    await storeAll({}, 'b2');
    table.rows = [];
    await storeAll({}, 'b3');
    expect(places()).toHaveLength(5);
  });

  test('rows stored long ago are not looked for', async () => {
    append(span());
    await storeAll();
    const stopping = new AbortController();
    const work = newStore().worker(partition.claim(), stopping.signal);
    append(span());
    await until('the second is committed', () => partition.isDrained);
    nowMs += 20 * 60_000;
    append(span());
    await until('the third is committed', () => partition.isDrained);
    stopping.abort();
    await work;
    expect(ledger().settled).toEqual(at(1));
    table.rows = [];
    await storeAll({}, 'b2');
    expect(places()).toEqual(['1.0', '2.0']);
  });

  test('what was passed is counted once, also where a recovery ended with the last span of a record', async () => {
    append(span('2026-01-01', 'row'));
    append(span());
    commit({ position: at(1), passedSpans: 1, deadSpans: 1 });
    table.rows.push({ ...span(), offset: 1, index: 0 });
    const stopping = new AbortController();
    const claim = partition.claim();
    const persist = claim.commit.bind(claim);
    claim.commit = async (next) => {
      if (isBefore(at(1), next.position)) stopping.abort(); // as soon as it has recovered
      await persist(next);
    };
    await newStore().worker(claim, stopping.signal);
    await storeAll({}, 'b2');
    expect(ledger()).toMatchObject({ position: at(2), passedSpans: 2, storedSpans: 1, deadSpans: 1 });
  });

  test('after a stop in order, in the same boot, they are not', async () => {
    append(span());
    await storeAll();
    table.rows = [];
    await storeAll();
    expect(table.rows).toEqual([]);
  });
});

describe('what the store says of itself', () => {
  test('it waits for the table, since when, and flows again', async () => {
    append(span());
    let isDown = true;
    table.beforeInsert = () => {
      if (isDown) throw new Error('Code: 243. NOT_ENOUGH_SPACE');
    };
    const stopping = new AbortController();
    const store = newStore();
    const work = store.worker(partition.claim(), stopping.signal);
    await until('it waits', () => store.health()[0]?.state === 'waiting');
    expect(store.health()[0]).toMatchObject({
      partition: 0,
      reason: 'the table: Code: 243. NOT_ENOUGH_SPACE',
    });
    isDown = false;
    await until('everything is committed', () => partition.isDrained);
    await until('it flows', () => store.health()[0]?.state === 'flowing');
    stopping.abort();
    await work;
    expect(store.health()).toEqual([]);
  });

  test('it does not flow before it owns every partition, nor while a recovery goes on and on', async () => {
    append(span());
    const store = newStore();
    expect(store.stall(1)).toBe('the store works on 0 of 1 partitions: the others are yet to be taken over');
    const { promise, resolve } = Promise.withResolvers<void>();
    const highest = table.highest.bind(table);
    table.highest = async (...question) => {
      await promise;
      return highest(...question);
    };
    const stopping = new AbortController();
    const work = store.worker(partition.claim(), stopping.signal);
    await until('it recovers', () => store.health()[0]?.state === 'recovering');
    expect(store.stall(1)).toBeUndefined();
    nowMs += 20_000;
    expect(store.stall(1)).toBe('partition 0 has been recovering for 10 s or more');
    resolve();
    await until('it flows', () => store.health()[0]?.state === 'flowing');
    expect(store.stall(1)).toBeUndefined();
    expect(store.stall(2)).toContain('works on 1 of 2 partitions');
    stopping.abort();
    await work;
  });

  test('it does not flow while every claim ends with a commit that fails', async () => {
    append(span());
    const store = newStore();
    const lose = async (): Promise<void> => {
      const lost = new AbortController();
      const claim = partition.claim(lost.signal);
      claim.commit = async () => {
        lost.abort();
        return Promise.reject(new OwnershipLost('the outcome of a commit is unknown'));
      };
      await store.worker(claim, new AbortController().signal);
    };
    await lose();
    nowMs += 60_000;
    const stopping = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const claim = partition.claim();
    const persist = claim.commit.bind(claim);
    claim.commit = async (next) => {
      await promise;
      await persist(next);
    };
    const work = store.worker(claim, stopping.signal);
    await until('it owns the partition', () => store.health()[0]);
    expect(store.stall(1)).toBe('partition 0 waits for the stream: no commit has succeeded');
    resolve();
    await until('everything is committed', () => partition.isDrained);
    expect(store.stall(1)).toBeUndefined();
    stopping.abort();
    await work;
  });

  test('a span that was passed and went nowhere shows as a difference', async () => {
    append(span(), span(), span());
    encoder = {
      ...jsonEncoder,
      rows: (place) => {
        const rows = jsonEncoder.rows(place);
        const whole = rows.append.bind(rows);
        rows.append = (index) => {
          if (index !== 1) whole(index);
        };
        return rows;
      },
    };
    await storeAll();
    expect(ledger()).toMatchObject({ passedSpans: 3, storedSpans: 2, deadSpans: 0, expiredSpans: 0 });
    expect(await metric('plimsoll_store_committed_spans')).toBe(3);
    expect(await metric('plimsoll_store_stored_spans')).toBe(2);
  });

  test('it says nothing of a partition any more that it lost while it waited', async () => {
    append(span());
    table.beforeInsert = () => {
      throw new Error('Code: 243. NOT_ENOUGH_SPACE');
    };
    const lost = new AbortController();
    const store = newStore();
    const work = store.worker(partition.claim(lost.signal), new AbortController().signal);
    await until('it waits', () => store.health()[0]?.state === 'waiting');
    expect(await metric('plimsoll_store_state')).toBe(1);
    lost.abort(new OwnershipLost('lost'));
    await work;
    expect(await metric('plimsoll_store_state')).toBe(0);
  });

  test('an insert that hangs is something to wait for', async () => {
    append(span());
    const { promise, resolve } = Promise.withResolvers<void>();
    const insert = table.insert.bind(table);
    table.insert = async (block) => {
      await promise;
      await insert(block);
    };
    const stopping = new AbortController();
    const store = newStore();
    const work = store.worker(partition.claim(), stopping.signal);
    await until('it is inserting', () => partition.committed?.metadata.includes('"intent"'));
    expect(store.health()[0]?.state).toBe('flowing');
    nowMs += 60_000;
    expect(store.health()[0]).toMatchObject({
      state: 'waiting',
      reason: 'the table: it has not answered an insert',
    });
    resolve();
    stopping.abort();
    await work;
    expect(places()).toEqual(['0.0']);
  });

  test('a store that only an operator can help says so until it is restarted', async () => {
    commit({ position: at(5) });
    const store = newStore();
    await expect(store.worker(partition.claim(), new AbortController().signal)).rejects.toThrow(Failure);
    expect(store.health()[0]).toMatchObject({ state: 'waiting' });
    expect(store.health()[0]?.reason).toContain('begin a new stream: ');
  });

  test('what it counted can be counted again in the table', async () => {
    append(span(), span());
    append(span('2026-01-01', 'row'));
    const stopping = new AbortController();
    const store = newStore();
    const work = store.worker(partition.claim(), stopping.signal);
    await until('everything is committed', () => partition.isDrained);
    const counted = store.conservation().get(0);
    expect(counted).toEqual({
      position: at(2),
      committedSpans: 3,
      storedSpans: 2,
      deadSpans: 1,
      expiredSpans: 0,
    });
    expect(counted && (await recount(table, origin, counted))).toEqual({
      rows: 2,
      duplicateRows: 0,
      missingRows: 0,
    });
    table.rows.pop();
    expect(counted && (await recount(table, origin, counted))).toMatchObject({ missingRows: 1 });
    stopping.abort();
    await work;
  });

  test('a lost claim ends the work without a fault', async () => {
    append(span());
    const lost = new AbortController();
    const work = newStore({ flushIntervalMs: 0 }).worker(
      partition.claim(lost.signal),
      new AbortController().signal,
    );
    await until('everything is committed', () => partition.isDrained);
    lost.abort();
    await expect(work).resolves.toBeUndefined();
  });
});
