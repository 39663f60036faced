import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../until.ts';
import { Place, plimsoll, Program } from './program.ts';

let place: Place;

beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

async function start(over = ''): Promise<string> {
  if (over !== '') {
    place.remove();
    place = new Place(over);
  }
  const { code, stderr } = await plimsoll('run', ...place.words);
  expect(code).toBe(1);
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('plimsoll:'))
    .join('\n');
}

test('a port in use is named, with the configuration key that sets it', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  const address = await until('the port', () => other.address());
  const port = typeof address === 'object' ? address.port : 0;
  const said = await start(`receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:${port}" } } } }`);
  expect(said).toBe(
    `plimsoll: receivers::otlp::protocols::grpc::endpoint: 127.0.0.1:${port} is already in use: stop the other program or choose another port`,
  );
  other.close();
});

test('a second process on the same data directory is refused and the first goes on', async () => {
  const first = await Program.start(place);
  const said = await start();
  expect(said).toContain(place.dataDirectory);
  expect(said.split('\n')).toHaveLength(1);
  expect((await fetch(first.url('health'))).status).toBe(200);
  await first.kill('SIGTERM');
});

test('a data directory that is a file is named', async () => {
  writeFileSync(place.dataDirectory, 'not a folder');
  expect(await start()).toContain(place.dataDirectory);
});

test('a data directory that cannot be made is named', async () => {
  expect(await start('data_dir: /sys/plimsoll-data')).toContain('/sys/plimsoll-data');
});

test('a configuration with a typo says where, and nothing starts', async () => {
  const said = await start('receivers: { otlp: { protocolz: {} } }');
  expect(said).toBe(
    'plimsoll: receivers::otlp: unknown key protocolz: remove it or correct its spelling; known are protocols, auth, max_request_size, in_flight_limit, max_wait, coalesce_window',
  );
});

test('SIGTERM ends it cleanly with code 0, and what was acknowledged is there after a restart', async () => {
  const first = await Program.start(place);
  const span = {
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    name: 'kept',
    startTimeUnixNano: `${Date.now()}000000`,
  };
  const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${first.url('OTLP HTTP')}/v1/traces`, { method: 'POST', headers, body });
  expect(response.status).toBe(200);
  expect((await first.kill('SIGTERM')).code).toBe(0);
  const second = await Program.start(place);
  await until(
    'the row',
    async () => (await second.query("SELECT 1 FROM otel_traces WHERE SpanName = 'kept'")).length === 1,
  );
  await second.kill('SIGTERM');
});
