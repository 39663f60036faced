import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readMigrations } from '../../src/store/migrations.ts';
import { Tables } from '../../src/store/tables.ts';
import type { Fault } from '../clickhouse/faults.ts';
import { ClickHouseServer } from '../clickhouse/server.ts';
import { until } from '../until.ts';
import { silentLog } from './embedded.ts';
import { clientOf } from './engines.ts';
import { Storing } from './storing.ts';

const spans = 60;
let server: ClickHouseServer;
let streams = 0;
let streamId: string;
const opened: Tables[] = [];

beforeAll(async () => {
  server = await ClickHouseServer.start();
});
afterAll(async () => {
  for (const tables of opened) await tables.stop(AbortSignal.timeout(1000));
  await server.stop();
});
beforeEach(() => {
  streamId = `stream ${streams++}`;
});

/** The tables as one process sees them, not opened. */
function tablesOf(answerMs = 20_000): Tables {
  const clickhouse = clientOf(server.url, { answerMs });
  const tables = new Tables({ clickhouse, cluster: undefined, isServer: true, log: silentLog });
  opened.push(tables);
  return tables;
}

/** Rows of the stream at hand, and how many different ones. */
async function held(of = server): Promise<unknown> {
  const [row] = await of.query(
    `SELECT count() AS rows, uniqExact(StreamOffset, StreamIndex) AS positions FROM otel_traces WHERE StreamId = '${streamId}'`,
  );
  return row;
}

/** A store that has stored request 0, and has request 1 before it. */
async function storingOn(tables: Tables): Promise<Storing> {
  const storing = new Storing(streamId);
  storing.append(0, spans);
  storing.begin(tables);
  await storing.drained();
  return storing;
}

const reasons: Readonly<Record<Fault, RegExp>> = {
  refuse: /waits for the table: .*(?:cannot be reached|broke) \(ECONNRE/,
  hang: /waits for the table: ClickHouse at .* has not answered in time/,
  late: /waits for the table: ClickHouse at .* has not answered in time/,
  'drop-answer': /waits for the table: the connection to ClickHouse at .* broke/,
  'no-space': /waits for the table: the disk of ClickHouse is full: free some space/,
  'read-only': /waits for the table: the table is read-only for now/,
  'too-many-parts': /waits for the table: the table has too many parts/,
  memory: /waits for the table: ClickHouse is out of memory/,
  timeout: /waits for the table: ClickHouse ran into its own time limit/,
  keeper: /waits for the table: Keeper does not answer ClickHouse/,
  'few-replicas': /waits for the table: too few replicas are alive/,
  starting: /waits for the table: .*Not found address of host: keeper/,
  'too-busy': /waits for the table: ClickHouse runs as many queries as it may/,
};

describe('while ClickHouse does not take rows, the store waits and says why; then every span has one row', () => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of a record are what its type says
  test.each(Object.entries(reasons) as [Fault, RegExp][])('%s', async (fault, reason) => {
    const storing = await storingOn(tablesOf(500));
    await server.fault(fault);
    storing.append(1, spans);
    storing.append(2, spans);
    await until('the reason', () => reason.test(storing.stall ?? ''));
    await server.fault(undefined);
    await storing.drained();
    await until('it flows', () => storing.stall === undefined);
    await storing.stop();
    expect(await held()).toEqual({ rows: 3 * spans, positions: 3 * spans });
    expect(storing.letters).toEqual([]);
  });

  test('it stands still, and goes on as if nothing had been', async () => {
    const storing = await storingOn(tablesOf(500));
    server.freeze();
    storing.append(1, spans);
    await until('the reason', () => storing.stall?.includes('has not answered in time'));
    server.wake();
    await storing.drained();
    await storing.stop();
    expect(await held()).toEqual({ rows: 2 * spans, positions: 2 * spans });
  });

  test('it is killed again and again while blocks are inserted', async () => {
    const storing = await storingOn(tablesOf());
    for (let n = 1; n <= 8; n++) {
      storing.append(n, 5 * spans);
      await until('some of it', () => storing.partition.committed?.metadata.includes('"intent"'));
      await server.restart();
    }
    await storing.drained();
    await storing.stop();
    const all = (1 + 8 * 5) * spans;
    expect(await held()).toEqual({ rows: all, positions: all });
  });
});

test('spans that are too old to be kept hold up nobody, also where no answer says that they were stored', async () => {
  const other = await ClickHouseServer.start();
  const tables = new Tables({
    clickhouse: clientOf(other.url, { answerMs: 500 }),
    cluster: undefined,
    isServer: true,
    ttls: { otel_traces: 10 * 86_400_000 }, // a third of the spans are of two weeks ago
    log: silentLog,
  });
  opened.push(tables);
  const storing = await storingOn(tables);
  await other.fault('drop-answer');
  storing.append(1, spans);
  await until('the reason', () => reasons['drop-answer'].test(storing.stall ?? ''));
  await other.query('OPTIMIZE TABLE otel_traces FINAL');
  await other.fault(undefined);
  await storing.drained();
  storing.append(2, spans);
  await storing.drained();
  await storing.stop();
  await other.query('OPTIMIZE TABLE otel_traces FINAL');
  expect(await held(other)).toEqual({ rows: 2 * spans, positions: 2 * spans });
  expect(storing.letters).toEqual([]);
  await other.stop();
});

describe('a ClickHouse that is down', () => {
  test('does not keep the store from starting, and is used as soon as it is up', async () => {
    await server.kill();
    const tables = tablesOf();
    await tables.start();
    const storing = new Storing(streamId);
    storing.append(0, spans);
    storing.begin(tables);
    await until('the reason', () => storing.stall?.includes('cannot be reached (ECONNREFUSED)'));
    await server.restart();
    await storing.drained();
    await storing.stop();
    expect(await held()).toEqual({ rows: spans, positions: spans });
  });
});

describe('an error that nobody knows', () => {
  test('does not keep the store from starting, and the tables are made once it is over', async () => {
    const other = await ClickHouseServer.start();
    try {
      await other.fault('starting');
      const clickhouse = clientOf(other.url);
      const tables = new Tables({ clickhouse, cluster: undefined, isServer: true, log: silentLog });
      opened.push(tables);
      await tables.start();
      await other.fault(undefined);
      await tables.held(
        { streamId, partition: 0 },
        { from: { offset: 0, index: 0 }, to: { offset: 1, index: 0 } },
      );
      expect(await other.query('SELECT 1 FROM plimsoll_migrations')).toHaveLength(
        (await readMigrations()).length,
      );
    } finally {
      await other.stop();
    }
  });
});

/** An owner whose insert the server holds, and who then loses the partition without knowing it. */
async function orphaned(insertDeadlineMs: number): Promise<Storing> {
  const storing = new Storing(streamId, { insertDeadlineMs });
  const tables = tablesOf();
  await tables.start();
  storing.begin(tables);
  await server.fault('late');
  storing.append(0, spans);
  await until('the server holds the insert', async () => (await server.held()) === 1);
  storing.orphan();
  return storing;
}

describe('a partition is left at once', () => {
  test.each(['lost', 'stopped'] as const)('when it is %s while an insert is not answered', async (how) => {
    const tables = tablesOf(600_000);
    const storing = await storingOn(tables);
    await server.fault('late');
    storing.append(1, spans);
    await until('the server holds the insert', async () => (await server.held()) === 1);
    if (how === 'lost') storing.orphan();
    await storing.stop(); // would wait ten minutes
    await server.fault(undefined);
    storing.begin(tables);
    await storing.drained();
    await storing.stop();
    expect(await held()).toEqual({ rows: 2 * spans, positions: 2 * spans });
  });
});

describe('a copy of an insert that nobody waits for', () => {
  test('lands beside that of the next owner, and is one with it', async () => {
    const storing = await orphaned(60_000);
    storing.begin(tablesOf());
    await until('the server holds both', async () => (await server.held()) === 2);
    await server.fault(undefined);
    await storing.drained();
    await storing.stop();
    expect(await held()).toEqual({ rows: spans, positions: spans });
  });

  test('is refused after its deadline, and only the next owner stores its rows', async () => {
    const tables = tablesOf();
    await tables.start();
    const storing = await orphaned(1000);
    const deadlineMs = tables.nowMs() + 1000;
    await until('its deadline passes', () => tables.nowMs() > deadlineMs + 1000);
    await server.fault(undefined);
    expect(await held()).toEqual({ rows: 0, positions: 0 });
    storing.begin(tables);
    await storing.drained();
    await storing.stop();
    expect(await held()).toEqual({ rows: spans, positions: spans });
  });
});
