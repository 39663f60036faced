import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GrpcLoad } from '../../bench/grpc-load.ts';
import { ClickHouseServer } from '../clickhouse/server.ts';
import { until } from '../until.ts';
import { freshRequest, spansPerRequest } from './fresh-request.ts';
import { Place, plimsoll, Program } from './program.ts';

const user = { name: 'plimsoll', password: 'correct horse' };
let server: ClickHouseServer;
const places: Place[] = [];

beforeAll(async () => {
  server = await ClickHouseServer.start({ users: [user] });
});
afterAll(async () => {
  await server.stop();
  for (const place of places) place.remove();
});

/** The laptop configuration, but with the server. */
function placeOf(password = user.password, url = server.url, ttl: object = {}): Place {
  const clickhouse = { url, username: user.name, password, flush_interval: '100ms', ttl };
  const over = { exporters: { clickhouse }, service: { extensions: ['health_check'], drain_timeout: '3s' } };
  const place = new Place(JSON.stringify(over));
  places.push(place);
  return place;
}

async function health(program: Program): Promise<string> {
  return (await fetch(program.url('health'))).text();
}

test('validate --probe says how the server is, and makes nothing there', async () => {
  const found = await plimsoll('validate', '--probe', ...placeOf().words);
  expect(found).toMatchObject({ code: 0, stderr: '' });
  expect(found.stdout).toMatch(
    /\nthe stream is embedded: fine\nClickHouse at http:\S+, database default: version [\d.]+, has no tables yet: fine\n$/,
  );
  expect(await server.query('SHOW TABLES')).toEqual([]);
  expect(await plimsoll('validate', '--probe', ...placeOf('guessed').words)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^plimsoll: ClickHouse does not accept the user: check username and password .*\n$/,
    ),
  });
});

test('validate --probe says that clocks differ', async () => {
  const ahead = await ClickHouseServer.start({ users: [user], skewSeconds: 3600 });
  const place = placeOf(user.password, ahead.url);
  expect(await plimsoll('validate', '--probe', ...place.words)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^plimsoll: the clock of ClickHouse is (?:3600|359\d) s ahead of this machine's: set both by NTP, .*\n$/,
    ),
  });
  await ahead.stop();
});

test('rows are kept as long as the configuration says, which is said when it begins, and changes when it does', async () => {
  const fresh = await ClickHouseServer.start({ users: [user] });
  const run = async (ttl: object): Promise<string> => {
    const place = placeOf(user.password, fresh.url, ttl);
    const program = await Program.start(place);
    return (await program.kill('SIGTERM')).stderr;
  };
  const ttlOf = async (): Promise<string> => {
    const [row] = await fresh.query<{ engine: string }>(
      "SELECT engine_full AS engine FROM system.tables WHERE name = 'otel_traces'",
    );
    return /toIntervalSecond\(\d+\)/.exec(row?.engine ?? '')?.[0] ?? 'none';
  };
  expect(await run({ otel_traces: '30d' })).toMatch(/"table":"otel_traces","kept":"30d","before":"for ever"/);
  expect(await ttlOf()).toBe('toIntervalSecond(2592000)');
  const again = await run({ otel_traces: '30d' });
  expect(again).toMatch(/"table":"otel_traces","kept":"30d","msg":"rows are kept for a limited time"/);
  expect(await run({})).toMatch(/"table":"otel_traces","kept":"for ever","before":"30d"/);
  expect(await ttlOf()).toBe('none');
  await fresh.query('ALTER TABLE otel_traces MODIFY TTL toDateTime(Timestamp) + INTERVAL 90 DAY');
  const place = placeOf(user.password, fresh.url, { otel_traces: '30d' });
  for (const words of [['validate', '--probe'], ['run']])
    expect(await plimsoll(...words, ...place.words)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^plimsoll: otel_traces has a TTL .*: ALTER TABLE otel_traces REMOVE TTL, or /,
      ),
    });
  await fresh.stop();
});

test('a password that is wrong ends the start with one sentence', async () => {
  expect(await plimsoll('run', ...placeOf('guessed').words)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^plimsoll: ClickHouse does not accept the user: check username and password .*\n$/,
    ),
  });
});

test('a server that stands still keeps neither the start nor, beyond drain_timeout, the stop waiting', async () => {
  server.freeze();
  const program = await Program.start(placeOf());
  const load = new GrpcLoad(program.url('OTLP gRPC'), 1);
  expect(await load.send(freshRequest().request)).toBe(0);
  load.close();
  const { code, stderr } = await program.kill('SIGTERM');
  server.wake();
  expect(code).toBe(0);
  expect(stderr).toContain('stopped');
});

test('ClickHouse is down at the start, and later; the program is killed: agents see success and every span has one row', async () => {
  await server.kill();
  const place = placeOf();
  let program = await Program.start(place);
  const acknowledged = new Set<string>();
  const send = async (requests: number): Promise<void> => {
    const load = new GrpcLoad(program.url('OTLP gRPC'), 1);
    for (let n = 0; n < requests; n++) {
      const { request, ids } = freshRequest();
      expect(await load.send(request)).toBe(0);
      for (const id of ids) acknowledged.add(id);
    }
    load.close();
  };
  const stored = async (): Promise<void> => {
    const rows = await until('a row of every acknowledged span', async () => {
      const found = await server.query<{ SpanId: string }>('SELECT SpanId FROM otel_traces');
      return acknowledged.isSubsetOf(new Set(found.map(({ SpanId }) => SpanId))) && found;
    });
    expect(rows).toHaveLength(acknowledged.size);
  };
  await send(20);
  await until('a reason', async () => (await health(program)).includes('cannot be reached (ECONNREFUSED)'));
  await server.restart();
  await stored();

  await server.kill();
  await send(20);
  await program.kill('SIGKILL');
  program = await Program.start(place);
  await send(20);
  await server.restart();
  await stored();

  for (let n = 0; n < 10; n++) {
    await send(5);
    if (n % 3 === 0) await server.restart();
    if (n % 3 === 1) {
      await program.kill('SIGKILL');
      program = await Program.start(place);
    }
  }
  await stored();
  expect(acknowledged.size).toBe(110 * spansPerRequest);
  await until('health', async () => (await fetch(program.url('health'))).status === 200);
  expect(readFileSync(`/proc/${program.pid}/maps`, 'utf8')).not.toContain('chdb');
  expect((await program.kill('SIGTERM')).code).toBe(0);

  const probed = await plimsoll('validate', '--probe', ...place.words);
  expect(probed.stdout).toMatch(/has its tables, (\d+) of \1 migrations applied: fine\n$/);
  await server.query('ALTER TABLE otel_traces DROP COLUMN Rule');
  expect(await plimsoll('validate', '--probe', ...place.words)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'plimsoll: otel_traces lacks the column Rule: ALTER TABLE otel_traces ADD COLUMN',
    ),
  });
});
