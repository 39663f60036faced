import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseSamples } from '../../src/cli/demo-table.ts';
import { called } from '../cli/called.ts';
import { freePorts } from '../free-ports.ts';
import { until } from '../until.ts';
import { begin, launcher, Place, plimsoll, Program } from './program.ts';

test('without a command, and with --help, it says what there is', async () => {
  const bare = await plimsoll();
  const help = await called('--help');
  expect([bare.code, help.code]).toEqual([2, 0]);
  expect(bare.stdout).toBe(help.stdout);
  for (const name of [
    'run',
    'demo',
    'sql',
    'dlq',
    'verify',
    'policy',
    'validate',
    'print-config',
    'version',
  ]) {
    expect(help.stdout).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
    expect((await called(name, '--help')).stdout).toMatch(new RegExp(`^Usage: plimsoll ${name}`));
  }
});

test('an unknown command and an unknown option are named, with code 2', async () => {
  expect(await called('rum')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there is no command "rum"; try one of run,'),
  });
  expect(await called('run', '--confg', 'x')).toMatchObject({
    code: 2,
    stderr: "plimsoll: Unknown option '--confg'; run takes --config=VALUE, --help\n",
  });
  expect(await called('demo', '--seconds', '-5')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^plimsoll: .*'--seconds'.*; demo takes --seconds=VALUE, .*\n$/),
  });
});

test('a word where none belongs is refused, so that a check of the wrong file cannot pass', async () => {
  const { code, stderr } = await called('validate', '/nowhere/mine.yaml');
  expect([code, stderr]).toEqual([
    2,
    'plimsoll: validate takes no "/nowhere/mine.yaml"; a configuration file is given as --config FILE\n',
  ]);
});

test('an older Node says in one sentence which one is needed', () => {
  const older = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' })`;
  const words = ['--import', `data:text/javascript,${older}`, launcher, 'version'];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([
    1,
    'plimsoll needs Node 24 or newer and this is 20.20.2: run npm start in a clone, or npm install node@24 beside the package, whose npx then finds it.\n',
  ]);
  // A name that the older Node does not have would be an error before the first line runs.
  expect(readFileSync(launcher, 'utf8')).not.toMatch(/^import /m);
});

test('version prints the version', async () => {
  expect((await plimsoll('version')).stdout).toMatch(/^plimsoll \d+\.\d+\.\d+ \(node 2\d/);
});

test('validate prints one line per mistake and nothing else', async () => {
  const place = new Place(
    'receivers: { otlp: { protocolz: {} } }\nprocessors: { enrich: { content: maybe } }',
  );
  const result = await called('validate', ...place.words);
  expect(result).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'plimsoll: receivers::otlp: unknown key protocolz: remove it or correct its spelling; known are protocols, auth, max_request_size, in_flight_limit, max_wait, coalesce_window\n' +
      'plimsoll: processors::enrich::content: must be one of drop, hash, keep\n',
  });
  expect((await called('validate')).stdout).toMatch(/plimsoll\.yaml: valid$/m);
  place.remove();
});

test('validate warns of metrics that others than this machine may read, and of none on loopback', async () => {
  const place = new Place('service: { telemetry: { metrics: { endpoint: "0.0.0.0:9464" } } }');
  const { code, stdout, stderr } = await called('validate', ...place.words);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(
    /^warning: service::telemetry::metrics::endpoint: 0\.0\.0\.0:9464 asks for no token, so whoever reaches it reads .*\n.*: valid\n$/,
  );
  place.configure('service: { telemetry: { metrics: { endpoint: "[::1]:9464" } } }');
  expect((await called('validate', ...place.words)).stdout).not.toContain('warning');
  place.remove();
});

describe('while a pipeline runs', () => {
  let place: Place;
  let program: Program;
  beforeAll(async () => {
    const [grpc, http, sql, health, metrics] = await freePorts(5);
    place = new Place(`
receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:${grpc}" }, http: { endpoint: "127.0.0.1:${http}" } } } }
extensions: { health_check: { endpoint: "127.0.0.1:${health}" }, sql: { endpoint: "127.0.0.1:${sql}" } }
service: { telemetry: { metrics: { endpoint: "127.0.0.1:${metrics}" } } }
`);
    program = await Program.start(place);
  });
  afterAll(async () => {
    await program.kill('SIGKILL');
    place.remove();
  });

  test('the demo drives a fleet through it: rows, gauges and a table of KPIs', async () => {
    const demo = await plimsoll('demo', ...place.words, '--seconds', '6', '--rate', '20');
    expect(demo).toMatchObject({ code: 0, stderr: '' });
    expect(demo.stdout).toMatch(/refund-agent +1\.4\.0 +\d+\.\d %/);
    expect(demo.stdout).toMatch(/refund-agent +1\.5\.0-rc1 +\d+\.\d %/);
    const [, runs] = /sent (\d+) tasks/.exec(demo.stdout) ?? [];
    const stored = await until('every task to have a row', async () => {
      const [row] = await program.query<{ roots: string }>(
        "SELECT count() AS roots FROM otel_traces WHERE ParentSpanId = ''",
      );
      return Number(row?.roots) === Number(runs) && row;
    });
    expect(Number(stored.roots)).toBeGreaterThan(100);
    const ended = await until('every task to be counted', async () => {
      const samples = parseSamples(await program.metrics());
      const total = samples
        .filter(({ name }) => name === 'plimsoll_runs_total')
        .reduce((sum, { value }) => sum + value, 0);
      return total === Number(runs) && samples;
    });
    const names = new Set(ended.map(({ name }) => name));
    for (const kpi of ['run_success_ratio', 'tool_call_success_ratio', 'cost_usd_per_run']) {
      expect(names).toContain(`plimsoll_kpi_${kpi}`);
    }
  });

  test('sql prints a table, or whatever format is asked for', async () => {
    const table = await called('sql', ...place.words, 'SELECT 1 AS one');
    expect(table.stdout).toMatch(/│ +1 │/);
    const json = await called('sql', ...place.words, '--format', 'JSONEachRow', 'SELECT 1 AS one');
    expect(json).toEqual({ code: 0, stdout: '{"one":1}\n', stderr: '' });
  });

  test('sql says what is wrong with a query in one line', async () => {
    const { code, stderr } = await called('sql', ...place.words, 'SELECT nothing FROM otel_traces');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^plimsoll: .*nothing.*\n$/);
  });

  test('sql cannot write', async () => {
    expect((await called('sql', ...place.words, 'DROP TABLE otel_traces')).code).toBe(1);
    expect(await program.query('SELECT count() FROM otel_traces')).toHaveLength(1);
  });
});

test('a Ctrl-C that arrives twice, as under npm, still drains', async () => {
  const place = new Place();
  const program = await Program.start(place);
  void program.kill('SIGINT');
  const { code, stderr } = await program.kill('SIGINT');
  expect([code, stderr]).toEqual([0, expect.stringContaining('"msg":"stopped"')]);
  place.remove();
});

test('a Ctrl-C that arrives twice ends the demo and the pipeline that it started', async () => {
  const [grpc, http, sql, health, metrics] = await freePorts(5);
  const place = new Place(`
receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:${grpc}" }, http: { endpoint: "127.0.0.1:${http}" } } } }
exporters: { kpi: { windows: [1m] } }
extensions: { health_check: { endpoint: "127.0.0.1:${health}" }, sql: { endpoint: "127.0.0.1:${sql}" } }
service: { telemetry: { metrics: { endpoint: "127.0.0.1:${metrics}" } } }
`);
  const isUp = async (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${health}`).then(
      ({ ok }) => ok,
      () => false,
    );
  const demo = begin('demo', ...place.words, '--rate', '20');
  await until('the pipeline of the demo', isUp);
  await until('the first runs', async () => {
    const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    return text.includes('plimsoll_kpi_run_success_ratio{');
  });
  demo.kill('SIGINT');
  demo.kill('SIGINT');
  const { code, stdout } = await demo.ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/^stopping…\n\nsent \d+ tasks; the last 1m:\n\n.*\n(.*\n)*refund-agent +1\.4\.0 /m);
  expect(await isUp()).toBe(false);
  place.remove();
});

test('the demo ends quietly, and the pipeline that it started, when nobody reads what it says', async () => {
  const [grpc, http, health, metrics] = await freePorts(4);
  const place = new Place(`
receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:${grpc}" }, http: { endpoint: "127.0.0.1:${http}" } } } }
extensions: { health_check: { endpoint: "127.0.0.1:${health}" } }
service: { telemetry: { metrics: { endpoint: "127.0.0.1:${metrics}" }, logs: { level: error } } }
`);
  const demo = begin('demo', ...place.words);
  demo.leaveUnread();
  expect(await demo.ended).toMatchObject({ code: 0, stderr: '' });
  await expect(fetch(`http://127.0.0.1:${health}`)).rejects.toThrow('fetch failed');
  place.remove();
});

test('the demo waits for no answer that is cut or does not come, and Ctrl-C ends it meanwhile', async () => {
  let asked = 0;
  const server = createServer(({ url }, response) => {
    if (url === '/') response.end('{"components":{}}');
    if (url === '/cut') response.writeHead(200, { 'content-length': 9 }).write('m', () => response.destroy());
    if (url === '/silent') asked++;
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const host = typeof address === 'object' && address ? `127.0.0.1:${address.port}` : '';
  const place = new Place(`
receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:1" }, http: { endpoint: "127.0.0.1:2" } } } }
extensions: { health_check: { endpoint: "${host}" } }
`);
  const words = [...place.words, '--rate', '0.01'];
  const [cut, silent] = ['cut', 'silent'].map((path) => `http://${host}/${path}`);
  const failing = plimsoll('demo', ...words, '--metrics', String(cut));
  const waiting = begin('demo', ...words, '--metrics', String(silent));
  await until('its question', () => asked > 0);
  waiting.kill('SIGINT');
  expect(await failing).toMatchObject({
    code: 1,
    stderr: `plimsoll: nothing answers at ${cut}: --metrics says where the KPIs are\n`,
  });
  expect(await waiting.ended).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`nothing answers at ${silent} any more, so the last ones are lost`),
    stderr: '',
  });
  server.closeAllConnections();
  server.close();
  place.remove();
});

test('a command whose output nobody reads ends quietly, and not with 0', async () => {
  const { leaveUnread, ended } = begin('print-config');
  leaveUnread();
  expect(await ended).toMatchObject({ code: 141, stderr: '' });
});

test('a demo whose pipeline restarts says so once, waits and goes on, and ends as usual while it is gone', async () => {
  const [grpc, http, sql, health, metrics] = await freePorts(5);
  const place = new Place(`
receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:${grpc}" }, http: { endpoint: "127.0.0.1:${http}" } } } }
extensions: { health_check: { endpoint: "127.0.0.1:${health}" }, sql: { endpoint: "127.0.0.1:${sql}" } }
service: { telemetry: { metrics: { endpoint: "127.0.0.1:${metrics}" } } }
`);
  const tables = (): number => demo.said().split('the last 5m:').length - 1;
  const gone = `nothing answers at http://127.0.0.1:${metrics}/metrics any more: waiting for the pipeline`;
  const program = await Program.start(place);
  const demo = begin('demo', ...place.words, '--rate', '20');
  await until('a table', () => tables() > 0);
  await program.kill('SIGTERM');
  await until('word of it', () => demo.said().includes(gone));
  const again = await Program.start(place);
  const before = tables();
  await until('two more tables', () => tables() > before + 1);
  expect(demo.said().split(gone)).toHaveLength(2);
  expect(demo.said()).toContain(`http://127.0.0.1:${metrics}/metrics answers again`);
  await again.kill('SIGTERM');
  await until('word of that, too', () => demo.said().split(gone).length === 3);
  demo.kill('SIGINT');
  const { code, stdout, stderr } = await demo.ended;
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/sent \d+ tasks; nothing answers at \S+ any more, so the last ones are lost\n$/);
  place.remove();
});

test('the demo says where KPIs and rows are when the pipeline it sends to has none', async () => {
  const [grpc, http, sql, health, metrics] = await freePorts(5);
  const ports = `
receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:${grpc}" }, http: { endpoint: "127.0.0.1:${http}" } } } }
extensions: { health_check: { endpoint: "127.0.0.1:${health}" }, sql: { endpoint: "127.0.0.1:${sql}" } }
`;
  const service = (more: string): string =>
    `service: { telemetry: { metrics: { endpoint: "127.0.0.1:${metrics}" } }${more} }`;
  const ingests = ', extensions: [health_check], pipelines: { traces/store: null, traces/assess: null }';
  const place = new Place(ports + service(ingests));
  const program = await Program.start(place);
  place.configure(ports + service(''));
  const { code, stdout } = await plimsoll('demo', ...place.words, '--seconds', '6');
  expect(code).toBe(0);
  expect(stdout).toContain(
    `no KPIs: http://127.0.0.1:${metrics}/metrics is not of the process that assesses`,
  );
  expect(stdout).toMatch(/^ {2}curl --data-binary "SELECT AgentName.*" "\$CLICKHOUSE_URL"$/m);
  expect(stdout).not.toContain(`127.0.0.1:${sql}`);
  const elsewhere = `http://127.0.0.1:${sql}/metrics`;
  expect(await plimsoll('demo', ...place.words, '--seconds', '6', '--metrics', elsewhere)).toMatchObject({
    code: 1,
    stderr: `plimsoll: nothing answers at ${elsewhere}: --metrics says where the KPIs are\n`,
  });
  await program.kill('SIGTERM');
  place.remove();
});

test('sql says so when no pipeline runs', async () => {
  const [port] = await freePorts(1);
  const place = new Place(`extensions: { sql: { endpoint: "127.0.0.1:${port}" } }`);
  const { code, stderr } = await called('sql', ...place.words, 'SELECT 1');
  expect([code, stderr]).toEqual([1, expect.stringContaining(`nothing answers at http://127.0.0.1:${port}`)]);
  place.remove();
});
