import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config.ts';
import { planOf, policyFactsOf } from '../../src/plan.ts';
import { targetsOf } from '../../src/roles/rollback.ts';

const laptop = new URL('../../config/plimsoll.yaml', import.meta.url).pathname;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'plimsoll-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const users = { ana: 'token-of-ana' };

function load(rollback: unknown, extensions = ['health_check', 'sql', 'api', 'rollback'], more = {}) {
  const file = join(folder, 'rollback.yaml');
  writeFileSync(
    file,
    stringify({ extensions: { api: { users }, rollback }, service: { extensions, ...more } }),
  );
  return loadConfig([laptop, file]);
}

const webhook = { type: 'webhook', url: 'http://127.0.0.1:9999/rollback', secret: 'sixteen characters' };
const github = { type: 'github', repository: 'acme/refunds', token: 'ghp_x' };

test('targets of every type are taken, with defaults for what need not be said', () => {
  const config = load({
    targets: {
      refunds: webhook,
      'search/canary': { type: 'argo_rollouts', namespace: 'agents', rollout: 'search' },
      flags: { ...github, workflow: 'rollback.yaml', ref: 'main', approvals: 2 },
    },
    stop_file: '',
    approval_key: '',
  });
  expect(planOf(config).rollback?.options).toMatchObject({
    per_hour: 4,
    per_day: 12,
    stop: false,
    stop_file: undefined,
    targets: {
      refunds: { repeatable: false, timeout: 10_000, approvals: 1 },
      'search/canary': {
        server: 'https://kubernetes.default.svc',
        release_label: 'app.kubernetes.io/version',
      },
      flags: { server: 'https://api.github.com', repeatable: false, approvals: 2 },
    },
  });
  const facts = policyFactsOf(planOf(config)).executor;
  expect(facts?.users).toEqual(['ana']);
  expect(facts?.approvals).toEqual(
    new Map([
      ['refunds', 1],
      ['search/canary', 1],
      ['flags', 2],
    ]),
  );
});

test('what is secret prints as [REDACTED]', () => {
  const config = load({
    targets: { flags: { ...github, event_type: 'x' }, refunds: webhook },
    approval_key: 'sixteen characters',
  });
  for (const secret of ['ghp_x', 'sixteen characters']) expect(JSON.stringify(config)).not.toContain(secret);
});

test.each<[string, unknown, string]>([
  [
    'a type that there is not',
    { targets: { x: { type: 'jenkins' } } },
    'extensions::rollback::targets::x::type: must be one of webhook, argo_rollouts, github',
  ],
  [
    'a name that is kept for all targets',
    { targets: { global: webhook } },
    'extensions::rollback::targets::global: ',
  ],
  [
    'a name of a pretended target',
    { targets: { 'sandbox/x': webhook } },
    'extensions::rollback::targets::sandbox/x: ',
  ],
  [
    'a URL with a password',
    { targets: { x: { ...webhook, url: 'http://a:b@c/' } } },
    'extensions::rollback::targets::x::url: must be a URL of http or https, without a user or a password in it',
  ],
  [
    'a short secret',
    { targets: { x: { ...webhook, secret: 'short' } } },
    'extensions::rollback::targets::x::secret: must have 16 characters or more',
  ],
  ...['10€', 'a b', 'a\nb', 'a\u007fb'].map((token): [string, unknown, string] => [
    `a token that no request can bear: ${JSON.stringify(token)}`,
    { targets: { x: { ...github, event_type: 'x', token }, y: { ...webhook, token } } },
    'extensions::rollback::targets::x::token: has spaces, line breaks or letters that no request can show',
  ]),
  ...['31s', '0s', '1d'].map((timeout): [string, unknown, string] => [
    `a timeout of ${timeout}`,
    { targets: { x: { ...webhook, timeout } } },
    'extensions::rollback::targets::x::timeout: must be from 1ms to 30s',
  ]),
  [
    'a token that would go unencrypted',
    { targets: { x: { ...github, event_type: 'x', server: 'http://github.example' } } },
    'extensions::rollback::targets::x::server: must be https, for the token goes there',
  ],
  [
    'a token of a webhook that would go unencrypted',
    { targets: { x: { ...webhook, token: 'x', current_url: 'http://deploy.example/' } } },
    'extensions::rollback::targets::x::current_url: must be https, for the token goes there',
  ],
  [
    'neither workflow nor event',
    { targets: { x: github } },
    'extensions::rollback::targets::x: needs either workflow and ref, or event_type',
  ],
  [
    'a workflow without a ref',
    { targets: { x: { ...github, workflow: 'x' } } },
    'extensions::rollback::targets::x::ref: is missing',
  ],
  ...[0, 6, 1.5, 'two'].map((approvals): [string, unknown, string] => [
    `${approvals} approvals`,
    { targets: { x: { ...webhook, approvals } } },
    'extensions::rollback::targets::x::approvals: must be ',
  ]),
  ['a key that there is not', { per_week: 3 }, 'extensions::rollback: unknown key per_week'],
  [
    'no rollback at all',
    { per_hour: 0 },
    'extensions::rollback::per_hour: must be a whole number from 1 to 1000, not 0',
  ],
])('%s is refused', (_, rollback, says) => {
  expect(() => load(rollback)).toThrow(says);
});

test('without the API or without traces/assess there is nothing to act on and nobody to ask', () => {
  const says = 'service::extensions: rollback acts on what traces/assess judges and is asked through api';
  expect(() => load({}, ['rollback'])).toThrow(says);
});

test('a target whose authorities cannot be read is named, with the key and the file', () => {
  const rollout = { type: 'argo_rollouts', namespace: 'agents', rollout: 'search' };
  const of = (ca_file: string) =>
    planOf(load({ targets: { refunds: webhook, 'search/canary': { ...rollout, ca_file } } })).rollback!
      .options.targets;
  const missing = join(folder, 'ca.crt');
  const says = `extensions::rollback::targets::search/canary::ca_file: cannot read ${missing}: give a PEM file this user may read`;
  expect(() => targetsOf(of(missing))).toThrow(says);
  writeFileSync(missing, 'a certificate');
  expect([...targetsOf(of(missing)).keys()]).toEqual(['refunds', 'search/canary']);
});
