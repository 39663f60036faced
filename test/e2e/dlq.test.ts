import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEmbeddedClickHouse } from '../../src/store/clickhouse-embedded.ts';
import { silentLog } from '../store/embedded.ts';
import { until } from '../until.ts';
import { called } from '../cli/called.ts';
import { begin, Place, plimsoll, Program } from './program.ts';

const poison = 'execute_tool poison';
const constraint = `CONSTRAINT sane CHECK SpanName != '${poison}'`;

/** What `dlq list --json` says of a letter. */
interface Listed {
  readonly key: string;
  readonly attempt: number;
  readonly spans: number;
  readonly origin: string;
  readonly reason: string;
  readonly when: string;
}

/** Runs statements on the tables of a place while no program runs there. */
async function alter(place: Place, ...statements: readonly string[]): Promise<void> {
  const clickhouse = openEmbeddedClickHouse({
    directory: join(place.dataDirectory, 'clickhouse'),
    log: silentLog,
  });
  await clickhouse.start();
  for (const statement of statements) await clickhouse.command(`ALTER TABLE otel_traces ${statement}`);
  await clickhouse.stop(AbortSignal.timeout(10_000));
}

/** Sends spans of one trace, one for each name. */
async function send(program: Program, names: readonly string[], trace = '1'): Promise<void> {
  const nowMs = Date.now();
  const spans = names.map((name, n) => ({
    traceId: trace.padStart(32, '0'),
    spanId: (n + 1).toString(16).padStart(16, '0'),
    name,
    kind: 1,
    startTimeUnixNano: `${nowMs - 50}000000`,
    endTimeUnixNano: `${nowMs}000000`,
    attributes: [{ key: 'gen_ai.tool.name', value: { stringValue: 'search' } }],
  }));
  const response = await fetch(`${program.url('OTLP HTTP')}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }),
  });
  expect(await response.json()).toEqual({});
}

async function metric(program: Program, name: string): Promise<number> {
  const [, value] = new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(await program.metrics()) ?? [];
  return Number(value);
}

async function list(place: Place, ...words: readonly string[]): Promise<readonly Listed[]> {
  const { code, stdout, stderr } = await called('dlq', 'list', '--json', ...place.words, ...words);
  expect([code, stderr]).toEqual([0, '']);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Listed => JSON.parse(line));
}

async function replay(place: Place, ...words: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { code, stdout, stderr } = await called('dlq', 'replay', '--json', ...place.words, ...words);
  const replayed: Readonly<Record<string, object>> = JSON.parse(stdout);
  const isDone = Object.keys(replayed['stillDead'] ?? {}).length === 0;
  expect([code, stderr]).toEqual([isDone ? 0 : 1, '']);
  return replayed;
}

const nothing = { stored: 0, alreadyStored: 0, stillDead: {}, leftToStore: 0 };
const refused = 'ClickHouse refused the row: VIOLATED_CONSTRAINT (469), constraint sane';

/** A place whose table refuses one kind of span, which was sent there among others, `letters` times. */
async function poisoned(letters: number): Promise<Place> {
  const place = new Place('exporters: { clickhouse: { flush_interval: 100ms } }');
  let program = await Program.start(place);
  await program.kill('SIGTERM');
  await alter(place, `ADD ${constraint}`);
  program = await Program.start(place);
  const names = Array.from({ length: letters }, () => poison);
  await send(program, ['execute_tool before', ...names, 'execute_tool after']);
  await until('everything is stored or dead', async () => {
    const [dead, stored] = await Promise.all(
      ['dead', 'stored'].map((what) => metric(program, `plimsoll_store_${what}_spans`)),
    );
    return dead === letters && stored === 2;
  });
  const { code, stderr } = await plimsoll('dlq', 'list', ...place.words);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(
      /^plimsoll: the stream's folder \S+ is in use by another Plimsoll process: stop .*\n$/,
    ),
  ]);
  expect((await program.kill('SIGTERM')).code).toBe(0);
  return place;
}

describe('a span that ClickHouse refuses', () => {
  let place: Place;
  let key: string;
  beforeAll(async () => {
    place = await poisoned(1);
  });
  afterAll(() => place.remove());

  test('is listed with its key, its reason, and how often and when it was given up', async () => {
    const [letter, ...others] = await list(place);
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ attempt: 1, spans: 1, origin: 'store', reason: refused });
    key = letter?.key ?? '';
    expect(key).toMatch(/^[0-9a-f]{16}\/0\/0\/1$/);
    expect(Date.now() - Date.parse(letter?.when ?? '')).toBeLessThan(60_000);
    const { stdout } = await called('dlq', 'list', ...place.words);
    expect(stdout).toMatch(/^key +offset +when +attempt +spans +reason\n/);
    expect(stdout).toMatch(new RegExp(`^${key} +0 +\\S+Z +1 +1 +ClickHouse refused`, 'm'));
    expect(stdout).toMatch(/\n1 dead letter, 1 span\n$/);
  });

  test('is counted as a dead letter by a recount, which misses nothing', async () => {
    expect(await called('verify', ...place.words)).toEqual({
      code: 0,
      stdout: 'partition 0: 3 spans accepted, 2 stored, 1 dead-lettered, 0 in flight, none missing\n',
      stderr: '',
    });
  });

  test('is shown with its headers, as OTLP/JSON', async () => {
    const shown = await called('dlq', 'show', '--json', key, ...place.words);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      key,
      headers: { 'plimsoll.dead.key': key, 'plimsoll.enriched': expect.any(String) },
      request: {
        resourceSpans: [{ scopeSpans: [{ spans: [{ name: poison, spanId: '0000000000000002' }] }] }],
      },
    });
    const { stdout } = await called('dlq', 'show', key, ...place.words);
    expect(stdout).toMatch(/^plimsoll\.dead\.reason +ClickHouse refused/m);
    expect(stdout).toContain(`"name": "${poison}"`);
  });

  test('is named when there is no such letter', async () => {
    for (const words of [
      ['show', 'a/0/1/2'],
      ['replay', '--key', 'a/0/1/2'],
    ]) {
      const { code, stderr } = await called('dlq', ...words, ...place.words);
      expect([code, stderr]).toEqual([
        1,
        'plimsoll: there is no dead letter a/0/1/2: plimsoll dlq list tells the keys\n',
      ]);
    }
  });

  test('stays listed, with one attempt more, when it is refused again', async () => {
    expect(await replay(place)).toEqual({ ...nothing, stillDead: { [refused]: 1 } });
    expect(await list(place)).toMatchObject([{ key, attempt: 2, origin: 'replay', reason: refused }]);
    expect(await replay(place, '--reason', 'something else')).toEqual(nothing);
    const { stdout } = await called('dlq', 'replay', '--key', key, ...place.words);
    expect(stdout).toBe(`0  stored\n0  had their rows already\n1  still dead\n1    ${refused}\n`);
    expect(await list(place, '--key', key)).toMatchObject([{ attempt: 3 }]);
  });

  test('has one row, at its own place, once the table takes it, however often it is replayed', async () => {
    await alter(place, 'DROP CONSTRAINT sane');
    expect(await replay(place)).toEqual({ ...nothing, stored: 1 });
    expect(await replay(place)).toEqual(nothing);
    expect(await list(place)).toEqual([]);
    expect((await called('dlq', 'list', ...place.words)).stdout).toBe('no dead letters\n');
    const program = await Program.start(place);
    const rows = await program.query(
      'SELECT StreamId, StreamPartition, toUInt32(StreamOffset) AS StreamOffset, StreamIndex, SpanName, ToolName FROM otel_traces ORDER BY StreamIndex',
    );
    const at = { StreamId: key.slice(0, 16), StreamPartition: 0, StreamOffset: 0, ToolName: 'search' };
    expect(rows).toEqual([
      { ...at, StreamIndex: 0, SpanName: 'execute_tool before' },
      { ...at, StreamIndex: 1, SpanName: poison },
      { ...at, StreamIndex: 2, SpanName: 'execute_tool after' },
    ]);
    await program.kill('SIGKILL');
  });

  test('and a row that somebody takes away is missed by a recount, which says where', async () => {
    expect((await called('verify', ...place.words)).stdout).toBe(
      'partition 0: 3 spans accepted, 3 stored, 0 dead-lettered, 0 in flight, none missing\n',
    );
    await alter(place, 'DELETE WHERE StreamIndex = 2 SETTINGS mutations_sync = 1');
    const missed = await called('verify', ...place.words);
    expect([missed.code, missed.stderr]).toEqual([1, '']);
    expect(missed.stdout).toBe(
      'partition 0: 3 spans accepted, 2 stored, 0 dead-lettered, 0 in flight, 1 missing\n' +
        '  missing: 0.2 (offset.index)\n',
    );
    const { code, stdout } = await called('verify', '--json', '--partition', '0', ...place.words);
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      {
        partition: 0,
        stream: key.slice(0, 16),
        isConserved: false,
        isProven: true,
        position: { offset: 1, index: 0 },
        acceptedSpans: 3,
        storedSpans: 2,
        deadSpans: 0,
        expiredSpans: 0,
        expiredRecords: 0,
        inFlightSpans: 0,
        untoldSpans: 0,
        missingUntold: 0,
        missingSpans: 1,
        missingUnseen: 0,
        unseenSpans: 0,
        isUnseenCounted: true,
        unclearTtl: '',
        uncountedSpans: 0,
        doubledRows: 0,
        strayRows: 0,
        missing: ['0.2'],
        doubled: [],
      },
    ]);
    for (const [partition, answer, said] of [
      ['1', 1, 'plimsoll: there is no partition 1: the stream has 1, and the first is 0\n'],
      ['all', 2, 'plimsoll: --partition takes the number of a partition, such as 0, not "all"\n'],
    ] as const) {
      const asked = await called('verify', '--partition', partition, ...place.words);
      expect([asked.code, asked.stderr]).toEqual([answer, said]);
    }
  });
});

test('a replay that is killed, again and again, stores every letter once', async () => {
  const letters = 48; // each is replayed by an insert of its own
  const place = await poisoned(letters);
  await alter(place, 'DROP CONSTRAINT sane');
  const engine = join(place.dataDirectory, 'clickhouse', 'engine');
  const parts = (): number =>
    readdirSync(engine, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\/20\d{6}_\d+_\d+_\d+$/.test(name),
    ).length;
  for (let kills = 0; kills < 3; kills++) {
    const before = parts();
    const running = begin('dlq', 'replay', ...place.words);
    await Promise.race([running.ended, until('some rows', () => parts() >= before + 10)]);
    running.kill('SIGKILL');
    await running.ended;
  }
  const left = (await list(place)).length;
  expect(left).toBeLessThan(letters);
  const last = await replay(place);
  expect(last).toMatchObject({ stored: left, stillDead: {}, leftToStore: 0 });
  expect(await list(place)).toEqual([]);
  const program = await Program.start(place);
  expect(
    await program.query(
      'SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(StreamOffset, StreamIndex)) AS positions FROM otel_traces',
    ),
  ).toEqual([{ rows: letters + 2, positions: letters + 2 }]);
  await program.kill('SIGKILL');
  place.remove();
}, 240_000);

test('when the dead letters are full, the store holds its position and health says so; a replay makes room', async () => {
  const place = new Place(`
connectors: { embedded: { retention: { size: 32MiB } } }
exporters: { clickhouse: { flush_interval: 100ms, max_block_rows: 10 } }`);
  let program = await Program.start(place);
  await program.kill('SIGTERM');
  await alter(place, `ADD CONSTRAINT sane CHECK SpanName NOT LIKE '${poison}%'`);
  program = await Program.start(place);
  const requests = 24; // twice what the dead letters have room for, and far less than the spans have
  for (let request = 1; request <= requests; request++)
    await send(program, [`${poison} ${'x'.repeat(200_000)}`, 'execute_tool fine'], String(request));
  const health = async (): Promise<string> => (await fetch(program.url('health'))).text();
  await until(
    'the dead letters to be full',
    async () => (await health()).includes('otlp_spans_dlq is full'),
    120_000,
  );
  expect(await health()).toContain(
    'partition 0 waits for the dead letters: the stream otlp_spans_dlq is full',
  );
  expect((await fetch(program.url('health'))).status).toBe(503);
  const passed = await metric(program, 'plimsoll_store_committed_spans');
  expect(passed).toBeGreaterThan(0);
  expect(passed).toBeLessThan(2 * requests);
  await program.kill('SIGTERM');
  expect((await list(place)).length).toBeGreaterThan(0);

  await alter(place, 'DROP CONSTRAINT sane');
  expect(await replay(place)).toMatchObject({ stored: expect.any(Number), stillDead: {} });
  program = await Program.start(place);
  const counts = 'toUInt32(count()) AS rows, toUInt32(uniqExact(StreamOffset, StreamIndex)) AS positions';
  await until('every span to have its row', async () => {
    const [row] = await program.query<{ rows: number }>(`SELECT ${counts} FROM otel_traces`);
    return row?.rows === 2 * requests;
  });
  expect(await program.query(`SELECT ${counts} FROM otel_traces`)).toEqual([
    { rows: 2 * requests, positions: 2 * requests },
  ]);
  await until('health', async () => (await fetch(program.url('health'))).status === 200);
  await program.kill('SIGTERM');
  expect(await list(place)).toEqual([]);
  place.remove();
}, 300_000);

test('a folder without a stream is named, for it is likely the wrong one', async () => {
  const place = new Place();
  const { code, stderr } = await called('dlq', 'list', ...place.words);
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining(`there is no stream in ${place.dataDirectory}: set data_dir`),
  ]);
  place.remove();
});

test('what dlq does not take is named, with code 2', async () => {
  for (const [words, said] of [
    [['dlq'], 'dlq takes list, show KEY or replay'],
    [['dlq', 'purge'], 'dlq takes list, show KEY or replay, not "purge"'],
    [['dlq', 'show'], 'give one key: plimsoll dlq show KEY; plimsoll dlq list tells them'],
  ] as const)
    expect(await called(...words)).toMatchObject({ code: 2, stderr: `plimsoll: ${said}\n` });
});
