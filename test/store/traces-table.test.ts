import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { NewRecord, StreamRecord } from '../../src/core/stream.ts';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { markOf } from '../../src/store/recounted-table.ts';
import { SpanEncoder } from '../../src/store/span-encoder.ts';
import { InsertRejected } from '../../src/store/table.ts';
import { TracesTable } from '../../src/store/traces-table.ts';
import { decodeRequest } from '../otlp/oracle.ts';
import { silentLog } from './embedded.ts';
import { engines } from './engines.ts';
import { requestOf, rowName } from './span-requests.ts';
import { Storing } from './storing.ts';

const enricher = new Enricher({ content: { mode: 'drop' } });
const encoder = new SpanEncoder(new EnrichedSpans(enricher));
const never = new AbortController().signal;
let streams = 0;

const at = (offset: number, index = 0) => ({ offset, index });

function recordOf(offset: number, spans: number): StreamRecord {
  const [record] = enricher.enrich(requestOf(offset, spans), 1).records;
  if (record === undefined) throw new Error('no record');
  return { offset, timeMs: Date.now(), spans, headers: record.headers, payload: record.payload };
}

describe.each(engines)('with ClickHouse $name', ({ start }) => {
  let clickhouse: ClickHouse;
  let remove: () => Promise<void>;
  let table: TracesTable;
  let streamId: string;

  beforeAll(async () => {
    ({ clickhouse, remove } = await start());
    await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
    table = new TracesTable(clickhouse);
  });
  afterAll(async () => {
    await remove();
  });
  beforeEach(() => {
    streamId = `it's stream ${streams++}`;
  });

  /** The rows of all spans of `records`, as one block. */
  function blockOf(...records: readonly StreamRecord[]): readonly Uint8Array[] {
    const rows = encoder.rows(stored());
    for (const record of records) {
      const count = rows.read(record);
      for (let index = 0; index < count; index++) rows.append(index);
    }
    return rows.finish();
  }

  async function insert(token: string, ...records: readonly StreamRecord[]): Promise<void> {
    await table.insert({
      origin: stored(),
      body: blockOf(...records),
      token,
      deadlineMs: soon(),
      signal: never,
    });
  }

  async function number(sql: string): Promise<number> {
    const [row] = await clickhouse.query<{ readonly n: number | string }>(`SELECT (${sql}) AS n`);
    return Number(row?.n);
  }

  const soon = () => table.nowMs() + 60_000;
  const stored = () => ({ streamId, partition: 3 });

  describe('the table', () => {
    test('knows rows by their position, and tells streams and partitions apart', async () => {
      await insert(`${streamId} a`, recordOf(7, 5), recordOf(9, 2));
      expect(await table.held(stored(), { from: at(0), to: at(99) })).toMatchObject({
        rows: 7,
        positions: 7,
      });
      expect(await table.held(stored(), { from: at(7, 1), to: at(9, 1) })).toMatchObject({
        rows: 5,
        positions: 5,
      });
      expect(await table.held({ streamId, partition: 4 }, { from: at(0), to: at(99) })).toMatchObject({
        rows: 0,
      });
      expect(
        await table.held({ streamId: 'other', partition: 3 }, { from: at(0), to: at(99) }),
      ).toMatchObject({
        rows: 0,
      });
      const { rows, present } = await table.positions(stored(), { from: at(7, 3), to: at(9, 1) });
      expect([
        rows,
        present.size,
        present.has(7, 2),
        present.has(7, 3),
        present.has(9, 0),
        present.has(9, 1),
      ]).toEqual([3, 3, false, true, true, false]);
    });

    test('says which position is the highest from another on', async () => {
      expect(await table.highest(stored(), at(0))).toBeUndefined();
      await insert(`${streamId} a`, recordOf(7, 5), recordOf(9, 2));
      expect(await table.highest(stored(), at(0))).toEqual(at(9, 1));
      expect(await table.highest(stored(), at(9, 1))).toEqual(at(9, 1));
      expect(await table.highest(stored(), at(9, 2))).toBeUndefined();
    });

    test('counts a row twice that is there twice', async () => {
      await insert(`${streamId} a`, recordOf(0, 3));
      await insert(`${streamId} b`, recordOf(0, 3));
      expect(await table.held(stored(), { from: at(0), to: at(1) })).toMatchObject({ rows: 6, positions: 3 });
      expect(await table.positions(stored(), { from: at(0), to: at(1) })).toMatchObject({ rows: 6 });
    });

    test('names the positions that have more than one row', async () => {
      await insert(`${streamId} a`, recordOf(0, 3), recordOf(1, 4));
      await insert(`${streamId} b`, recordOf(1, 2));
      const all = { from: at(0), to: at(2) };
      expect(await table.doubled(stored(), all, 10)).toEqual([at(1, 0), at(1, 1)]);
      expect(await table.doubled(stored(), all, 1)).toEqual([at(1, 0)]);
      expect(await table.doubled(stored(), { from: at(0), to: at(1) }, 10)).toEqual([]);
    });

    test('has a mark for the rows of a stretch, which tells their positions', async () => {
      await insert(`${streamId} a`, recordOf(7, 5), recordOf(9, 2));
      const { mark } = await table.held(stored(), { from: at(6, 1), to: at(9, 1) });
      const marks = [0, 1, 2, 3, 4].map((index) => markOf(1, index));
      expect(mark).toBe([...marks, markOf(3, 0)].reduce((sum, one) => sum + one));
    });

    test('counts the rows of a stretch', async () => {
      await insert(`${streamId} a`, recordOf(7, 5), recordOf(9, 2));
      expect(await table.count(stored(), { from: at(7, 1), to: at(9, 1) })).toBe(5);
    });

    test('says where its rows begin, and how old the oldest is', async () => {
      const all = { from: at(0), to: at(99) };
      expect(await table.oldest(stored(), all)).toBeUndefined();
      await insert(`${streamId} a`, recordOf(7, 5), recordOf(9, 2));
      const oldest = await table.oldest(stored(), all);
      expect(oldest?.offset).toBe(7);
      expect(oldest?.timeMs).toBe(
        await number(
          `SELECT toUnixTimestamp64Milli(min(Timestamp)) FROM otel_traces WHERE StreamId = '${streamId.replace("'", "''")}'`,
        ),
      );
    });

    test('says which rows its TTL may have removed, and where that does not say', async () => {
      const day = 86_400_000;
      const forEver = { beforeMs: -Infinity, unclearTtl: '' };
      expect(await table.aged()).toEqual(forEver);
      for (const [ttl, keptDays] of [
        ['toDateTime(Timestamp) + INTERVAL 400 DAY', 400],
        [
          `toDateTime(least(Timestamp, toDateTime64('2090-01-01 00:00:00', 9, 'UTC'))) + toIntervalSecond(34560000)`,
          400,
        ],
        [
          `toDateTime(Timestamp) + INTERVAL 500 DAY DELETE, toDateTime(Timestamp) + INTERVAL 90 DAY TO DISK 'default', toDateTime(Timestamp) + INTERVAL 80 DAY RECOMPRESS CODEC(ZSTD(9))`,
          500,
        ],
        [`toDateTime(Timestamp) + INTERVAL 90 DAY TO DISK 'default'`, Infinity],
        [`toDateTime(Timestamp) + INTERVAL 400 DAY DELETE WHERE SpanName = 'x'`, undefined],
        [`toDateTime(Timestamp) + toIntervalDay(if(SpanName = 'x', 400, 500))`, undefined],
      ] as const) {
        await clickhouse.command(
          `ALTER TABLE otel_traces MODIFY TTL ${ttl} SETTINGS materialize_ttl_after_modify = 0`,
        );
        const { beforeMs, unclearTtl } = await table.aged();
        const keptMs = table.nowMs() - beforeMs;
        expect(Math.round(keptMs / day), ttl).toBe(keptDays ?? -Infinity);
        expect(unclearTtl !== '', ttl).toBe(keptDays === undefined);
      }
      await clickhouse.command('ALTER TABLE otel_traces REMOVE TTL');
      expect(await table.aged()).toEqual(forEver);
    });

    test(
      'refuses a token it knows, whatever the number of rows: one insert is one chunk',
      { timeout: 120_000 },
      async () => {
        // 65,409 rows are one chunk of ClickHouse by default; a token alone does not name a block that takes two.
        const base = [recordOf(0, 20_000), recordOf(1, 20_000), recordOf(2, 20_000)];
        for (const more of [0, 1000, 5409, 5410])
          await insert(`${streamId} a`, ...base, ...(more > 0 ? [recordOf(3, more)] : []));
        expect(await table.held(stored(), { from: at(0), to: at(9) })).toMatchObject({
          rows: 60_000,
          positions: 60_000,
        });
      },
    );

    test('would not know the token of an insert of two blocks, so an insert is one', async () => {
      await insert(`${streamId} a`, recordOf(0, 10));
      const body = [...blockOf(recordOf(0, 10)), ...blockOf(recordOf(1, 10))];
      await table.insert({
        origin: stored(),
        body,
        token: `${streamId} a`,
        deadlineMs: soon(),
        signal: never,
      });
      expect(await table.held(stored(), { from: at(0), to: at(1) })).toMatchObject({
        rows: 20,
        positions: 10,
      });
    });

    test('derives the times of traces again, and doing so changes nothing', async () => {
      await insert(`${streamId} a`, recordOf(1_000_000, 4));
      const traces = `SELECT count() FROM (SELECT TraceId FROM otel_traces_trace_id_ts WHERE TraceId LIKE '000f4241%' GROUP BY TraceId)`;
      expect(await number(traces)).toBe(4);
      await clickhouse.command('TRUNCATE TABLE otel_traces_trace_id_ts');
      const stretch = { from: at(1_000_000), to: at(1_000_001) };
      await table.rederive(stored(), stretch);
      await table.rederive(stored(), stretch);
      expect(await number(traces)).toBe(4);
      const starts = `SELECT count() FROM otel_traces AS t INNER JOIN (SELECT TraceId, min(Start) AS s FROM otel_traces_trace_id_ts GROUP BY TraceId) AS v USING TraceId WHERE toDateTime(t.Timestamp) = v.s AND StreamOffset = 1000000`;
      expect(await number(starts)).toBe(4);
    });
  });

  describe('a row that the table can never take', () => {
    beforeEach(async () => {
      await clickhouse.command(
        `ALTER TABLE otel_traces ADD CONSTRAINT sane CHECK SpanName != '${rowName(5, 17)}'`,
      );
      return () => clickhouse.command('ALTER TABLE otel_traces DROP CONSTRAINT sane');
    });

    test('is refused with a code that proves nothing was written', async () => {
      const error = await insert(`${streamId} a`, recordOf(5, 30)).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(InsertRejected);
      expect(inspect(error)).not.toContain(rowName(5, 17)); // a log prints causes
      expect(await table.held(stored(), { from: at(0), to: at(9) })).toMatchObject({ rows: 0, positions: 0 });
    });

    test('is found, becomes a dead letter that holds this span alone, and everything around it is stored once', async () => {
      const letters = await storeAll(4, 5, 6);
      expect(await table.held({ streamId, partition: 0 }, { from: at(0), to: at(9) })).toMatchObject({
        rows: 179,
        positions: 179,
      });
      expect(letters.map((letter) => letter.headers['plimsoll.dead.key'])).toEqual([`${streamId}/0/1/17`]);
      expect(letters[0]?.headers['plimsoll.dead.reason']).toBe(
        'ClickHouse refused the row: VIOLATED_CONSTRAINT (469), constraint sane',
      );
      const names = decodeRequest(letters[0]?.payload ?? new Uint8Array())
        .resourceSpans?.flatMap((resource) => resource.scopeSpans ?? [])
        .flatMap((scope) => scope.spans ?? [])
        .map((span) => span.name);
      expect(names).toEqual([rowName(5, 17)]);
    });
  });

  test('a view that throws delays rows, and neither loses nor doubles them', async () => {
    await clickhouse.command('CREATE TABLE broken_target (n UInt64) ENGINE = MergeTree ORDER BY n');
    await clickhouse.command(
      `CREATE MATERIALIZED VIEW broken TO broken_target AS SELECT throwIf(SpanName = '${rowName(8, 3)}') AS n FROM otel_traces`,
    );
    try {
      await expect(insert(`${streamId} a`, recordOf(8, 10))).rejects.toThrow("Value passed to 'throwIf'");
      expect(await storeAll(7, 8, 9)).toEqual([]);
      expect(await table.held({ streamId, partition: 0 }, { from: at(0), to: at(9) })).toMatchObject({
        rows: 180,
        positions: 180,
      });
    } finally {
      await clickhouse.command('DROP VIEW broken');
      await clickhouse.command('DROP TABLE broken_target');
    }
  });

  /** Stores requests of 60 spans as partition 0, with offsets from 0; returns the dead letters. */
  async function storeAll(...requests: readonly number[]): Promise<readonly NewRecord[]> {
    const storing = new Storing(streamId);
    for (const request of requests) storing.append(request, 60);
    storing.begin(table);
    await storing.drained();
    await storing.stop();
    return storing.letters;
  }
});
