import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Telemetry } from '../../src/core/telemetry.ts';
import { Policies } from '../../src/roles/policies.ts';
import { changed, plain, type Mapping } from './policies.ts';

let folder: string;
let said: string[];
let telemetry: Telemetry;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plimsoll-policies-'));
  said = [];
  telemetry = new Telemetry();
});

afterEach(() => rmSync(folder, { recursive: true }));

const log = () => pino({ base: null, timestamp: false }, { write: (line: string) => void said.push(line) });

function write(name: string, changes: Mapping): void {
  writeFileSync(join(folder, name), stringify(changed(plain, changes)));
}

/** The lines of /metrics on policies, without what is the same in all. */
async function exported(): Promise<readonly string[]> {
  const text = await telemetry.registry.metrics();
  return text.split('\n').filter((line) => line.startsWith('plimsoll_polic'));
}

const line = (policy: string, version: number): unknown =>
  expect.stringMatching(
    new RegExp(
      `^plimsoll_policy_info\\{policy="${policy}",version="${version}",revision="[0-9a-f]{12}",owner="team-search"\\} 1$`,
    ),
  );

test('the policies in use are on /metrics, with their revision and owner; a change is taken, and said', async () => {
  write('a.yaml', {});
  const policies = new Policies([join(folder, '*.yaml')], { telemetry, log: log() });
  await policies.start();
  expect(await exported()).toEqual([line('search-agent', 3), 'plimsoll_policies_refused 0']);
  policies.reload();
  expect(said).toEqual([]);
  write('a.yaml', { metadata: { version: 4 } });
  write('b.yaml', { metadata: { name: 'other' }, scope: { agents: ['other'] } });
  policies.reload();
  await policies.stop();
  expect(await exported()).toEqual([
    line('search-agent', 4),
    line('other', 3),
    'plimsoll_policies_refused 0',
  ]);
  expect(said).toEqual([expect.stringMatching(/"policies":"other [0-9a-f]{12}, search-agent [0-9a-f]{12}"/)]);
});

test.each<[string, string, Mapping, string]>([
  ['a file with an error', 'a.yaml', { metadata: { version: 4, ownr: 'x' } }, 'metadata: unknown key ownr'],
  [
    'an objective that makes no sense',
    'a.yaml',
    { objectives: { run_success: { at_least: 1 } } },
    'leaves no error budget',
  ],
  [
    'a second policy for the same agent',
    'b.yaml',
    { metadata: { name: 'other' } },
    'claims search-agent in production',
  ],
])('%s changes nothing, and the log says why, once', async (_, name, changes, why) => {
  write('a.yaml', {});
  const policies = new Policies([join(folder, '*.yaml')], { telemetry, log: log() });
  await policies.start();
  write(name, changes);
  policies.reload();
  policies.reload();
  expect(await exported()).toEqual([line('search-agent', 3), 'plimsoll_policies_refused 1']);
  expect(said).toHaveLength(1);
  expect(said[0]).toContain(why);
  expect(said[0]).toContain(join(folder, name));
  write('a.yaml', {});
  rmSync(join(folder, 'b.yaml'), { force: true });
  policies.reload();
  await policies.stop();
  expect(await exported()).toEqual([line('search-agent', 3), 'plimsoll_policies_refused 0']);
  expect(said[1]).toContain('no errors any more');
});

test('files that are gone leave the policies in use', async () => {
  write('a.yaml', {});
  const policies = new Policies([join(folder, '*.yaml')], { telemetry, log: log() });
  await policies.start();
  rmSync(join(folder, 'a.yaml'));
  policies.reload();
  await policies.stop();
  expect(await exported()).toEqual([line('search-agent', 3), 'plimsoll_policies_refused 1']);
  expect(said[0]).toContain('there is no such file: correct the path');
});

test('a pipeline does not start with a policy that has an error, and does with a review that is overdue', async () => {
  write('a.yaml', { objectives: { run_success: { at_least: 1 } } });
  const starting = new Policies([join(folder, 'a.yaml')], { telemetry, log: log() }).start();
  await expect(starting).rejects.toThrow(
    /^service::policies: .*a\.yaml: objectives::run_success: at_least 1 leaves/,
  );
  const risk = { id: 'R-1', statement: 's', likelihood: 1, impact: 1, owner: 'ana', mitigation: 'm' };
  write('a.yaml', { risks: [{ ...risk, review_by: '2020-01-01' }] });
  const policies = new Policies([join(folder, 'a.yaml')], { telemetry, log: log() });
  await policies.start();
  await policies.stop();
  expect(await exported()).toEqual([line('search-agent', 3), 'plimsoll_policies_refused 0']);
});
