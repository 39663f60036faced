import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { endpoints, loadConfig } from '../src/config.ts';
import { widestTokenOf } from '../src/config-senders.ts';

const shipped = new URL('../config/', import.meta.url).pathname;
const minimal = `
receivers: { otlp: {} }
processors: { enrich: {}, runs: {} }
connectors: { embedded: {} }
exporters: { clickhouse: {}, kpi: {} }
extensions: { health_check: {}, sql: {}, api: {}, rollback: {} }
service:
  extensions: [health_check, sql, api, rollback]
  pipelines:
    traces/ingest: { receivers: [otlp], processors: [enrich], exporters: [embedded] }
    traces/store: { receivers: [embedded], exporters: [clickhouse] }
    traces/assess: { receivers: [embedded], processors: [runs], exporters: [kpi] }
`;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'plimsoll-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  vi.stubEnv('CLICKHOUSE_URL', '');
  for (const name of ['USERNAME', 'PASSWORD', 'DATABASE']) vi.stubEnv(`CLICKHOUSE_${name}`, undefined);
});
afterEach(() => vi.unstubAllEnvs());

/** The keys of a configuration, those of endpoints aside. */
function optionNames(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null || 'host' in value) return [];
  const named = Array.isArray(value) ? [] : Object.keys(value).filter((key) => key !== 'type');
  return [...named, ...Object.values(value).flatMap(optionNames)];
}

function load(...texts: string[]) {
  const files = texts.map((text, i) => {
    const file = join(folder, `${i}.yaml`);
    writeFileSync(file, text);
    return file;
  });
  return loadConfig(files);
}

test.each(readdirSync(shipped).filter((name) => name.endsWith('.yaml')))(
  'the shipped %s is valid',
  (name) => {
    expect(() => loadConfig([join(shipped, name)])).not.toThrow();
  },
);

test.each(['judge', 'plimsoll', 'token'])('no user of the API may be called %s', (name) => {
  const own = `extensions: { api: { users: { ${name}: a-token-of-a-user } } }`;
  expect(() => load(minimal, own)).toThrow(
    `extensions::api::users::${name}: is what the journal calls the judge, the pipeline or the shared token`,
  );
});

test.each([
  ['users: { ana: a-token, bo: b-token, cy: a-token }', 'cy: is the token of ana'],
  ['token: a-token, users: { ana: a-token }', 'ana: is the shared token (extensions::api::token)'],
])('each user of the API has a token of his own: %s', (options, fault) => {
  expect(() => load(minimal, `extensions: { api: { ${options} } }`)).toThrow(
    `extensions::api::users::${fault}: give each user a token of his own`,
  );
});

test('what the laptop configuration spells out are the defaults', () => {
  expect(load(minimal)).toEqual(loadConfig([join(shipped, 'plimsoll.yaml')]));
});

test('binds loopback only by default, on the ports of the documentation', () => {
  expect(endpoints(load(minimal)).map(({ host, port }) => `${host}:${port}`)).toEqual([
    '127.0.0.1:4317',
    '127.0.0.1:4318',
    '127.0.0.1:9464',
    '127.0.0.1:13133',
    '127.0.0.1:8123',
    '127.0.0.1:8080',
  ]);
});

test('later files merge over earlier ones: mappings deeply, lists replaced, null deletes', () => {
  const config = load(
    minimal,
    `
exporters: { clickhouse: { flush_interval: 250ms }, kpi: { windows: [1h] } }
extensions: { sql: null, api: null, rollback: null }
service: { extensions: [health_check] }
`,
  );
  expect(config.exporters['clickhouse']).toMatchObject({ flush_interval: 250, max_block_rows: 50_000 });
  expect(config.exporters['kpi']).toMatchObject({ windows: [3_600_000] });
  expect(Object.keys(config.extensions)).toEqual(['health_check']);
});

test('expands the environment, with defaults, and $$ as a dollar sign', () => {
  vi.stubEnv('PLIMSOLL_TEST_PORT', '5317');
  const config = load(
    minimal,
    'data_dir: $${env:PLIMSOLL_TEST_PORT}-${env:NOT_SET_ANYWHERE:-a:-b}\nreceivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:${env:PLIMSOLL_TEST_PORT}" } } } }',
  );
  expect(config.data_dir).toBe('${env:PLIMSOLL_TEST_PORT}-a:-b');
  expect(endpoints(config)[0]).toMatchObject({ port: 5317 });
});

test('one instance of a type may be named type/name', () => {
  const config = load(
    minimal.replaceAll('otlp', 'otlp/edge').replace('receivers: [otlp/edge]', 'receivers: [otlp/edge]'),
  );
  expect(config.receivers['otlp/edge']?.type).toBe('otlp');
});

test('a secret prints as [REDACTED] wherever it is printed', () => {
  const config = load(minimal, 'receivers: { otlp: { auth: { bearer_tokens: [hunter2] } } }');
  expect(JSON.stringify(config)).not.toContain('hunter2');
  expect(String(config.receivers['otlp']?.auth?.bearer_tokens?.[0]?.token)).toBe('[REDACTED]');
});

test('a bearer is a token alone, or a mapping with what may be claimed; one may have two tokens', () => {
  vi.stubEnv('PLIMSOLL_TEST_PORT', 'from-env');
  const limits = 'name: refund-team, agents: [refund-agent, "refund-*"]';
  const { receivers } = load(
    minimal,
    `receivers: { otlp: { auth: { bearer_tokens: [{ token: "\${env:PLIMSOLL_TEST_PORT}", ${limits} }, all, { token: next, ${limits} }] } } }`,
  );
  const bearers = receivers['otlp']?.auth?.bearer_tokens;
  expect(bearers?.map(({ token, ...rest }) => ({ token: token.reveal(), ...rest }))).toEqual([
    { token: 'from-env', name: 'refund-team', agents: ['refund-agent', 'refund-*'] },
    { token: 'all' },
    { token: 'next', name: 'refund-team', agents: ['refund-agent', 'refund-*'] },
  ]);
  expect(widestTokenOf(receivers['otlp']?.auth)).toBe('all'); // which a drill and the demo send with
});

test('what the roles around Kafka spell out of it are the defaults', () => {
  const written = loadConfig([join(shipped, 'ingest.yaml')]).connectors['kafka'];
  expect(loadConfig([join(shipped, 'store.yaml')]).connectors['kafka']).toEqual(written);
  expect(loadConfig([join(shipped, 'assess.yaml')]).connectors['kafka']).toEqual(written);
  expect(written).toMatchObject({ brokers: ['127.0.0.1:9092'], linger: 20, compression: 'zstd' });
});

function kafkaAt(brokers: string): string {
  return `connectors: { kafka: { brokers: ${brokers}, sasl: { mechanism: PLAIN, username: me, password: secret } } }`;
}

test('takes brokers as one text or as a list, and hides the password', () => {
  const config = load(minimal, kafkaAt('"a:1, b:2"'));
  expect(config).toEqual(load(minimal, kafkaAt('["a:1", "b:2"]')));
  expect(config.connectors['kafka']).toMatchObject({ brokers: ['a:1', 'b:2'] });
  expect(JSON.stringify(config)).toContain('[REDACTED]');
});

test.each([
  [
    'a typo',
    'receivers: { otlp: { protocolz: {} } }',
    'receivers::otlp: unknown key protocolz: remove it or correct its spelling; known are protocols, auth, ',
  ],
  [
    'an unknown component',
    'receivers: { zipkin: {} }',
    'receivers::zipkin: is not a receiver; known are otlp',
  ],
  [
    'a number without a unit',
    'exporters: { clickhouse: { flush_interval: 5 } }',
    'exporters::clickhouse::flush_interval: must be a duration such as 500ms, 20s, 5m, 1h or 7d, not 5',
  ],
  [
    'a size without a unit',
    'receivers: { otlp: { max_request_size: 5 megs } }',
    'receivers::otlp::max_request_size: must be a size such as 512KiB, 64MiB or 10GiB, not "5 megs"',
  ],
  [
    'an endpoint without a port',
    'extensions: { sql: { endpoint: localhost } }',
    'extensions::sql::endpoint: must be host:port such as 127.0.0.1:4317, not "localhost"',
  ],
  [
    'a port that there is not',
    'extensions: { sql: { endpoint: "127.0.0.1:70000" } }',
    'extensions::sql::endpoint: must have a port from 0 to 65535, not 70000',
  ],
  [
    'a number beyond its range',
    'exporters: { clickhouse: { max_block_rows: 60000 } }',
    'exporters::clickhouse::max_block_rows: must be a whole number from 1 to 50000, not 60000',
  ],
  [
    'a number in words',
    'connectors: { embedded: { partitions: many } }',
    'connectors::embedded::partitions: must be a whole number from 1 to 256, not "many"',
  ],
  [
    'a value outside its list',
    'processors: { enrich: { content: maybe } }',
    'processors::enrich::content: must be one of drop, hash, keep',
  ],
  [
    'an unset variable',
    'data_dir: ${env:NOT_SET_ANYWHERE}',
    'data_dir: environment variable NOT_SET_ANYWHERE is not set: set it, or write ${env:NOT_SET_ANYWHERE:-default}',
  ],
  [
    'a malformed reference',
    'data_dir: ${env:1x}',
    'data_dir: ${env:1x} is not a reference: write ${env:NAME} or ${env:NAME:-default}',
  ],
  [
    'an unconfigured exporter',
    'service: { pipelines: { traces/store: { exporters: [clickhouse/eu] } } }',
    'service::pipelines::traces/store::exporters: references "clickhouse/eu" which is not configured under exporters',
  ],
  [
    'an order that is not the built one',
    'service: { pipelines: { traces/assess: { processors: [enrich] } } }',
    'service::pipelines::traces/assess::processors: [enrich] cannot be built; write [runs]',
  ],
  [
    'a token that no request can show',
    'extensions: { api: { token: "two words" } }',
    'extensions::api::token: has spaces or line breaks, so no request can show it: remove them',
  ],
  [
    'a token with a line break',
    'receivers: { otlp: { auth: { bearer_tokens: [right, "right\\n"] } } }',
    'receivers::otlp::auth::bearer_tokens::1::token: has spaces or line breaks, so no request can show it: remove them',
  ],
  [
    'an auth that names nobody',
    'receivers: { otlp: { auth: {} } }',
    'receivers::otlp::auth: says of nobody that he may send: list bearer_tokens or client_certificates, or remove it',
  ],
  [
    'a bearer without a token',
    'receivers: { otlp: { auth: { bearer_tokens: [{ name: x, agents: [a] }] } } }',
    'receivers::otlp::auth::bearer_tokens::0::token: is missing: set it',
  ],
  [
    'a bearer that is neither text nor a mapping',
    'receivers: { otlp: { auth: { bearer_tokens: [7] } } }',
    'receivers::otlp::auth::bearer_tokens::0: must be a token, or a mapping with one and what may be claimed',
  ],
  [
    'a limit misspelled',
    'receivers: { otlp: { auth: { bearer_tokens: [{ token: t, agent: [a] }] } } }',
    'receivers::otlp::auth::bearer_tokens::0: unknown key agent: remove it or correct its spelling; known are token, name, agents, environments, releases',
  ],
  [
    'a bearer who may claim nothing',
    'receivers: { otlp: { auth: { bearer_tokens: [{ token: t, agents: [] }] } } }',
    'receivers::otlp::auth::bearer_tokens::0::agents: must list 1 or more',
  ],
  [
    'a limit with a * in the middle',
    'receivers: { otlp: { auth: { bearer_tokens: [{ token: t, releases: ["2.*.1"] }] } } }',
    'receivers::otlp::auth::bearer_tokens::0::releases::0: has a * before its end: only the last character may be one',
  ],
  [
    'one token of two bearers',
    'receivers: { otlp: { auth: { bearer_tokens: [t, { token: t, agents: [a] }] } } }',
    'receivers::otlp::auth::bearer_tokens::1: is the token of 0, with another name or other limits: give each bearer a token of its own',
  ],
  [
    'one name of two bearers',
    'receivers: { otlp: { auth: { bearer_tokens: [{ token: t, name: x, agents: [a] }, { token: u, name: x, agents: [b] }] } } }',
    'receivers::otlp::auth::bearer_tokens::1::name: is that of 0, which has other limits: give it another',
  ],
  [
    'a certificate listed twice',
    'receivers: { otlp: { auth: { client_certificates: [{ common_name: a }, { common_name: a, agents: [b] }] } } }',
    'receivers::otlp::auth::client_certificates::1: is the common name of 0: list it once',
  ],
  [
    'certificates that nobody is asked for',
    'receivers: { otlp: { auth: { client_certificates: [{ common_name: a }] } } }',
    'receivers::otlp::auth::client_certificates: without tls::client_ca_file nobody shows a certificate over grpc and http: set it, or give that protocol a receiver of its own',
  ],
  [
    'a token with a tab',
    'extensions: { sql: { token: "a\\tb" } }',
    'extensions::sql::token: has spaces or line breaks, so no request can show it: remove them',
  ],
  [
    'a stream that is none',
    'service: { pipelines: { traces/store: { receivers: [otlp] } } }',
    'service::pipelines::traces/store::receivers: [otlp] cannot be built; write [embedded or kafka]',
  ],
  [
    'two streams',
    'connectors: { kafka: { brokers: "a:1" } }\nservice: { pipelines: { traces/store: { receivers: [kafka] } } }',
    'service::pipelines: use the streams embedded and kafka; one process has one stream',
  ],
  [
    'a broker without a port',
    'connectors: { kafka: { brokers: "a:9092, b" } }',
    'connectors::kafka::brokers::1: must be host:port such as 127.0.0.1:9092',
  ],
  [
    'a password that is missing',
    'connectors: { kafka: { brokers: "a:1", sasl: { mechanism: PLAIN, username: me } } }',
    'connectors::kafka::sasl::password: is missing',
  ],
  [
    'a retention that is too short to read again',
    'connectors: { kafka: { brokers: "a:1", retention: { age: 5m } } }',
    'connectors::kafka::retention::age: must be 1h or more',
  ],
  [
    'a record size that many spans would not fit',
    'connectors: { kafka: { brokers: "a:1", max_record_size: 10KiB } }',
    'connectors::kafka::max_record_size: must be from 64KiB to 64MiB',
  ],
  [
    'a name that a member cannot have',
    'connectors: { kafka: { brokers: "a:1", instance_id: "store 1" } }',
    'connectors::kafka::instance_id: must be 1 to 249 letters',
  ],
  [
    'one group for two readers',
    'connectors: { kafka: { brokers: "a:1", groups: { store: x, assess: x } } }',
    'connectors::kafka::groups: store and assess both read everything',
  ],
  [
    'a group that reads spans for replays too',
    'connectors: { kafka: { brokers: "a:1", groups: { replay: plimsoll-store } } }',
    'connectors::kafka::groups::replay: must be another group than plimsoll-store',
  ],
  [
    'a group that reads spans and runs',
    'connectors: { kafka: { brokers: "a:1", groups: { runs: plimsoll-assess } } }',
    'connectors::kafka::groups::runs: must be another group than plimsoll-assess',
  ],
  [
    'runs among the spans',
    'connectors: { kafka: { brokers: "a:1", runs_topic: otlp_spans } }',
    'connectors::kafka::runs_topic: must be another topic than otlp_spans',
  ],
  [
    'dead letters among the spans',
    'connectors: { kafka: { brokers: "a:1", dead_letter_topic: otlp_spans } }',
    'connectors::kafka::dead_letter_topic: must be another topic than otlp_spans',
  ],
  [
    'a certificate without its key',
    'connectors: { kafka: { brokers: "a:1", tls: { cert_file: c.pem } } }',
    'connectors::kafka::tls: cert_file and key_file go together',
  ],
  [
    'a server that is no URL',
    'exporters: { clickhouse: { url: "clickhouse:9000" } }',
    'exporters::clickhouse::url: must be a URL of http or https such as http://127.0.0.1:8123',
  ],
  [
    'a password in the URL of a server',
    'exporters: { clickhouse: { url: "https://me:secret@clickhouse:8443/db" } }',
    'exporters::clickhouse::url: must be scheme, host and port alone: username, password and database are options of their own',
  ],
  [
    'a SQL port where there is a server',
    'exporters: { clickhouse: { url: "http://clickhouse:8123" } }',
    'service::extensions: sql serves the embedded ClickHouse, and exporters::clickhouse::url names a server: query that server itself, and remove sql',
  ],
  [
    'a SQL port where there is a server of another name',
    'exporters: { clickhouse: null, clickhouse/eu: { url: "http://clickhouse:8123" } }\nservice: { pipelines: { traces/store: { exporters: [clickhouse/eu] } } }',
    'service::extensions: sql serves the embedded ClickHouse, and exporters::clickhouse/eu::url names a server',
  ],
  ...[
    ['cluster', 'main'],
    ['tls', '{}'],
    ['username', 'me'],
    ['password', 'secret'],
    ['database', 'traces'],
    ['compression', 'gzip'],
    ['insert_deadline', '5m'],
  ].map(([name, value]) => [
    `a server's ${name} without its url`,
    `exporters: { clickhouse: { ${name}: ${value} } }`,
    `exporters::clickhouse::${name}: is for a server: set url, or remove ${name}`,
  ]),
  [
    'TLS over http',
    'exporters: { clickhouse: { url: "http://clickhouse:8123", tls: {} } }',
    'exporters::clickhouse::tls: the url is not one of https: correct one of them',
  ],
  [
    'a quorum, which is not kept',
    'exporters: { clickhouse: { url: "http://clickhouse:8123", insert_quorum: auto } }',
    'exporters::clickhouse: unknown key insert_quorum: remove it or correct its spelling; known are url, username, ',
  ],
  ...[
    ['that no insert can meet', '2s'],
    ['that outlives the memory of a table', '2h'],
  ].map(([what, deadline]) => [
    `a deadline ${what}`,
    `exporters: { clickhouse: { url: "http://clickhouse:8123", insert_deadline: ${deadline} } }`,
    'exporters::clickhouse::insert_deadline: must be from 30s to 1h: a full block takes seconds to insert, and the table',
  ]),
  ...[
    ['no day', '23h'],
    ['longer than it can be counted', '3651d'],
  ].map(([what, kept]) => [
    `rows that are kept for ${what}`,
    `exporters: { clickhouse: { ttl: { agent_runs: ${kept} } } }`,
    'exporters::clickhouse::ttl::agent_runs: must be from 1d to 3650d; to keep rows for ever, remove it',
  ]),
  [
    'a time to keep policies, which runs refer to',
    'exporters: { clickhouse: { ttl: { policies: 30d } } }',
    'exporters::clickhouse::ttl: unknown key policies: remove it or correct its spelling; known are otel_traces, agent_runs,',
  ],
  [
    'an unknown pipeline',
    'service: { pipelines: { logs: { receivers: [otlp], exporters: [kpi] } } }',
    'service::pipelines: unknown key logs: remove it or correct its spelling; known are traces/ingest, traces/store, traces/assess',
  ],
  [
    'an extension that is not configured',
    'service: { extensions: [pprof] }',
    'service::extensions: references "pprof" which is not configured',
  ],
  [
    'two listeners on one port',
    'extensions: { sql: { endpoint: "127.0.0.1:4318" } }',
    'extensions::sql::endpoint: 127.0.0.1:4318 is already used by receivers::otlp::protocols::http::endpoint; give it another port',
  ],
  [
    'SQL beyond loopback without a token',
    'extensions: { sql: { endpoint: "0.0.0.0:8123" } }',
    'extensions::sql::token: 0.0.0.0 can be reached from other machines and everybody there could read every table: set a token, or bind 127.0.0.1',
  ],
  [
    'the API beyond loopback without a token',
    'extensions: { api: { endpoint: "0.0.0.0:8080", token: "" } }',
    'extensions::api::token: 0.0.0.0 can be reached from other machines and everybody there could read every incident: set a token, or bind 127.0.0.1',
  ],
  [
    'the API without the role whose incidents it serves',
    'service: { pipelines: { traces/assess: null } }',
    'service::extensions: api serves the incidents of traces/assess; list that pipeline or remove api',
  ],
  [
    'a keyed hash without a key',
    'processors: { enrich: { content: hash } }',
    'processors::enrich::content_hash_key: is missing: hash needs a secret key',
  ],
  [
    'a star in the middle of the name of a tool with a price',
    'processors: { enrich: { prices: { tools: { "a*b": 1 } } } }',
    'processors::enrich::prices::tools::a*b: has a * before its end: only the last character may be one',
  ],
  [
    'a tool that asks a human for no known reason',
    'processors: { enrich: { human_tools: { page: urgent } } }',
    'processors::enrich::human_tools::page: must be one of approval, human_handoff, input_request, guardrail, budget, other',
  ],
  [
    'a model whose price began on no day',
    'processors: { enrich: { prices: { models: { m: { input: 1, output: 1, from: yesterday } } } } }',
    'processors::enrich::prices::models::m::0::from: must be a day such as 2026-11-01, in UTC, not "yesterday"',
  ],
  [
    'a price below nothing',
    'processors: { enrich: { prices: { tools: { search: -1 } } } }',
    'processors::enrich::prices::tools::search: must be US dollars from 0 to 1000000 such as 2.50, not -1',
  ],
  [
    'a keyed hash of one attribute without a key',
    'processors: { enrich: { attributes: { acme.account: hash } } }',
    'processors::enrich::content_hash_key: is missing: hash needs a secret key',
  ],
  [
    'an evaluator whose scores lie between nothing',
    'processors: { enrich: { evaluators: { stars: { min: 5, max: 1 } } } }',
    'processors::enrich::evaluators::stars: min must be less than max',
  ],
  [
    'an attribute that nothing works without',
    'processors: { enrich: { attributes: { gen_ai.tool.name: drop } } }',
    'processors::enrich::attributes::gen_ai.tool.name: is an attribute that Plimsoll reads of every record: it stays',
  ],
  [
    'a pattern for every attribute',
    'processors: { enrich: { attributes: { "*": drop } } }',
    'processors::enrich::attributes::*: would match every attribute: name a key, or what keys begin with and *',
  ],
  [
    'an unknown section',
    'recievers: {}',
    'the configuration: unknown key recievers: remove it or correct its spelling; known are data_dir, receivers, ',
  ],
  [
    'a guessable hash key',
    'processors: { enrich: { content: hash, content_hash_key: abc } }',
    'processors::enrich::content_hash_key: must have 16 characters or more',
  ],
  ['YAML that is no YAML', 'a: [', '1.yaml:1:5: not valid YAML'],
  ['a file that is a list', '- a', '1.yaml: must be a mapping with receivers, exporters and service'],
])('%s gets one sentence with the path and the fix', (_, over, sentence) => {
  expect(() => load(minimal, over)).toThrow(sentence);
});

test('store.yaml without CLICKHOUSE_URL is refused: its rows would go where nobody looks for them', () => {
  vi.stubEnv('CLICKHOUSE_URL', undefined);
  expect(() => loadConfig([join(shipped, 'store.yaml')])).toThrow('CLICKHOUSE_URL');
});

test.each(['store.yaml', 'all-kafka.yaml'])(
  '%s uses the server that the environment names, if any',
  (name) => {
    const file = join(shipped, name);
    expect(loadConfig([file]).exporters['clickhouse']).toMatchObject({ url: undefined, password: undefined });
    vi.stubEnv('CLICKHOUSE_USERNAME', 'me');
    expect(() => loadConfig([file])).toThrow('exporters::clickhouse::username: is for a server: set url');
    vi.stubEnv('CLICKHOUSE_USERNAME', undefined);
    vi.stubEnv('CLICKHOUSE_URL', 'http://clickhouse:8123/');
    vi.stubEnv('CLICKHOUSE_PASSWORD', 'hunter2');
    const config = loadConfig([file]);
    expect(config.exporters['clickhouse']).toMatchObject({
      url: 'http://clickhouse:8123',
      username: 'default',
    });
    expect(JSON.stringify(config)).not.toContain('hunter2');
  },
);

test.each([
  ['max_request_size: 200MiB', 'max_request_size: must be from 1KiB to 64MiB'],
  ['in_flight_limit: 0B', 'in_flight_limit: must be at least max_request_size'],
])('a limit that could not hold, %s, is refused', (option, sentence) => {
  expect(() => load(minimal, `receivers: { otlp: { ${option} } }`)).toThrow(`receivers::otlp::${sentence}`);
});

test('the shipped file names every option there is', () => {
  const text = readFileSync(join(shipped, 'plimsoll.yaml'), 'utf8');
  const server = 'url username password database tls compression cluster insert_deadline';
  const optional = [
    'max_connection_age',
    'auth',
    'content_hash_key',
    'token',
    'allowed_hosts',
    ...server.split(' '),
  ];
  const missing = [...optionNames(load(minimal)), ...optional].filter(
    (name) => !new RegExp(`\\b${name}:`).test(text),
  );
  expect(missing).toEqual([]);
});

test('every mistake is reported at once, one line each', () => {
  const bad = 'receivers: { otlp: { protocolz: {} } }\nprocessors: { enrich: { content: maybe } }';
  expect(() => load(minimal, bad)).toThrow(/protocolz.*\n.*must be one of/);
});

test('a configuration that runs nothing is refused', () => {
  expect(() =>
    load(
      minimal,
      'service: { pipelines: { traces/ingest: null, traces/store: null, traces/assess: null }, extensions: [] }',
    ),
  ).toThrow(
    'service::pipelines: lists no pipeline, so nothing would run; list one of traces/ingest, traces/store, traces/assess',
  );
});

test('a missing file is named', () => {
  expect(() => loadConfig(['/nowhere/plimsoll.yaml'])).toThrow(
    'cannot read the configuration file /nowhere/plimsoll.yaml (ENOENT): check --config',
  );
});
