import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../src/config.ts';
import { Secret } from '../../src/core/secret.ts';
import { runs } from '../property-runs.ts';
import { called } from './called.ts';

const shipped = new URL('../../config/', import.meta.url).pathname;
const laptop = join(shipped, 'plimsoll.yaml');
const folder = mkdtempSync(join(tmpdir(), 'plimsoll-print-config-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  vi.stubEnv('CLICKHOUSE_URL', 'http://clickhouse:8123');
  vi.stubEnv('CLICKHOUSE_PASSWORD', 'a-password-of-clickhouse');
});
afterEach(() => vi.unstubAllEnvs());

function written(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function printed(...files: readonly string[]) {
  return called('print-config', ...files.flatMap((file) => ['--config', file]));
}

/** A configuration whose secrets are compared, too. */
function revealed(value: unknown): unknown {
  if (value instanceof Secret) return `secret ${value.reveal()}`;
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revealed(item)]));
}

/** What is printed of `files`, when it is seen that it means the same and that it is printed the same. */
async function roundTrip(...files: readonly string[]): Promise<string> {
  const { stdout } = await printed(...files);
  const again = written('printed.yaml', stdout);
  expect(revealed(loadConfig([again]))).toEqual(revealed(loadConfig(files)));
  expect(await printed(again)).toEqual({ code: 0, stdout, stderr: '' });
  return stdout;
}

/** All that is in no shipped file, or in a comment alone. */
const everything = `
data_dir: /data/$$HOME
receivers:
  otlp:
    protocols: { grpc: { max_connection_age: 1.5h, tls: { cert_file: c.pem, key_file: k.pem } } }
    auth: { bearer_tokens: ['\${env:A_TOKEN}', '\${A_TOKEN:-otherwise}'] }
processors:
  enrich/eu:
  enrich:
    content: hash
    content_hash_key: \${env:A_HASH_KEY:-}
    prices:
      models: { my-model*: { input: '2.50', output: 0, from: 2026-01-01 } }
      tools: { web_search: 0.01 }
      review: { usd_per_hour: 60, roles: { lawyer: 240 } }
    evaluators: { helpfulness: { min: 1, max: 5 } }
connectors:
  embedded: { partitions: '\${env:A_NUMBER}', retention: { size: 512KiB } }
  kafka: { brokers: 'a:1, b:2', sasl: { mechanism: PLAIN, username: me, password: '\${env:A_TOKEN}' }, tls: {} }
exporters:
  clickhouse/eu: { url: 'https://clickhouse:8443', password: '\${env:A_TOKEN}', tls: {} }
extensions:
  sql: { token: '\${env:A_TOKEN}' }
  api: { endpoint: ':8080', users: { ana@example.com: '\${env:A_TOKEN}' } }
  rollback:
    targets:
      hook: { type: webhook, url: '\${env:A_HOOK}', current_url: 'http://127.0.0.1:1/now', secret: '\${env:A_HASH_KEY}' }
      argo: { type: argo_rollouts, namespace: agents, rollout: refund, timeout: 5s }
      flag: { type: github, repository: a/b, event_type: back, token: '\${env:A_TOKEN}' }
    stop_file: \${env:NOT_SET_ANYWHERE:-}
service: { policies: ['config/policies/*.yaml'] }
`;

test.each(readdirSync(shipped).filter((name) => name.endsWith('.yaml')))(
  'what is printed of the shipped %s is a configuration that means the same',
  async (name) => {
    const text = await roundTrip(join(shipped, name));
    expect(text).not.toContain('a-password-of-clickhouse');
  },
);

test('so is what is printed of one that says all there is to say, in units of users and with its references to secrets', async () => {
  vi.stubEnv('A_TOKEN', 'a-token-$$-of-this-test');
  vi.stubEnv('A_HASH_KEY', 'a-key-of-this-test-long-enough');
  vi.stubEnv('A_NUMBER', '7');
  vi.stubEnv('A_HOOK', 'http://127.0.0.1:1/hook-of-this-test');
  const text = await roundTrip(laptop, written('everything.yaml', everything));
  expect(text).not.toMatch(/-of-this-test|otherwise/);
  const printedConfig: unknown = parse(text);
  expect(printedConfig).toMatchObject({
    data_dir: '/data/$$HOME',
    receivers: {
      otlp: {
        protocols: { grpc: { max_connection_age: '1.5h' } },
        auth: { bearer_tokens: [{ token: '${env:A_TOKEN}' }, { token: '${env:A_TOKEN}' }] },
        max_request_size: '64MiB',
      },
    },
    processors: { 'enrich/eu': { content: 'drop' }, enrich: { content_hash_key: '${env:A_HASH_KEY}' } },
    connectors: { embedded: { partitions: 7, retention: { age: '24h', size: '512KiB' } } },
    exporters: { 'clickhouse/eu': { username: 'default', insert_deadline: '5m' } },
    extensions: {
      api: { endpoint: ':8080' },
      rollback: {
        targets: { hook: { type: 'webhook', url: '${env:A_HOOK}', current_url: 'http://127.0.0.1:1/now' } },
      },
    },
  });
  expect(text).not.toMatch(/^ {2,}type: (?!webhook|argo_rollouts|github)/m);
});

test('a secret that stands in a file as text is asked for by a variable of its name', async () => {
  vi.stubEnv('PLIMSOLL_SQL_TOKEN', undefined);
  const own = written(
    'own.yaml',
    'extensions: { sql: { token: "${env:PLIMSOLL_SQL_TOKEN:-hunter2}" }, api: { users: { a.b: hunter3, a-b: hunter4 } } }',
  );
  const { stdout, stderr } = await printed(laptop, own);
  expect(stdout).not.toContain('hunter');
  expect(stderr.split('\n')).toEqual([
    'plimsoll: extensions::sql::token: stands in a file as text, which is not shown: set PLIMSOLL_SECRET_EXTENSIONS_SQL_TOKEN to it to use what is printed',
    'plimsoll: extensions::api::users::a.b: stands in a file as text, which is not shown: set PLIMSOLL_SECRET_EXTENSIONS_API_USERS_A_B to it to use what is printed',
    'plimsoll: extensions::api::users::a-b: stands in a file as text, which is not shown: set PLIMSOLL_SECRET_EXTENSIONS_API_USERS_A_B_ to it to use what is printed',
    '',
  ]);
  const again = written('asking.yaml', stdout);
  expect(() => loadConfig([again])).toThrow(
    'extensions::sql::token: environment variable PLIMSOLL_SECRET_EXTENSIONS_SQL_TOKEN is not set: set it',
  );
  vi.stubEnv('PLIMSOLL_SECRET_EXTENSIONS_SQL_TOKEN', 'hunter2');
  vi.stubEnv('PLIMSOLL_SECRET_EXTENSIONS_API_USERS_A_B', 'hunter3');
  vi.stubEnv('PLIMSOLL_SECRET_EXTENSIONS_API_USERS_A_B_', 'hunter4');
  expect(revealed(loadConfig([again]))).toEqual(revealed(loadConfig([laptop, own])));
  expect(await printed(again)).toEqual({ code: 0, stdout, stderr: '' });
});

test('any text stays what it says: dollars, references that are none, and what YAML would read otherwise', async () => {
  const text = fc.oneof(
    fc.string({ minLength: 1, unit: 'binary' }),
    fc
      .array(fc.constantFrom('$', '$$', '${env:X}', '{', '}', ':', '#', "'", '"', ' ', '\n', 'a'), {
        minLength: 1,
      })
      .map((parts) => parts.join('')),
  );
  await fc.assert(
    fc.asyncProperty(text, async (said) => {
      const own = written('text.yaml', stringify({ data_dir: said.replaceAll('$', '$$$$') }));
      expect(loadConfig([laptop, own]).data_dir).toBe(said);
      await roundTrip(laptop, own);
    }),
    { numRuns: Math.ceil(runs / 10) },
  );
});
