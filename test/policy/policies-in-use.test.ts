import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Telemetry } from '../../src/core/telemetry.ts';
import { Policies } from '../../src/roles/policies.ts';
import { changed, plain, type Mapping } from './policies.ts';

const windowsMs = [300_000, 3_600_000];
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

const costs = (window: string): Mapping => ({ at_most: 1, window, min_events: 20, severity: 'sev3' });

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
  const policies = new Policies([join(folder, '*.yaml')], { windowsMs, telemetry, log: log() });
  await policies.start();
  expect(await exported()).toEqual([line('search-agent', 3), 'plimsoll_policies_refused 0']);
  policies.reload();
  const inUse = /"policies":"search-agent version 3 revision [0-9a-f]{12}","msg":"policies in use"/;
  expect(said.splice(0)).toEqual([expect.stringMatching(inUse)]);
  write('a.yaml', { metadata: { version: 4 } });
  write('b.yaml', { metadata: { name: 'other' }, scope: { agents: ['other'] } });
  policies.reload();
  await policies.stop();
  expect(await exported()).toEqual([
    line('search-agent', 4),
    line('other', 3),
    'plimsoll_policies_refused 0',
  ]);
  expect(said).toEqual([
    expect.stringMatching(/"policies":"other version 3 .*, search-agent version 4 .*"policies changed"/),
  ]);
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
  [
    'an objective on a window that there is not',
    'a.yaml',
    { objectives: { cost_usd_per_run: costs('15m') } },
    'objectives::cost_usd_per_run::window: 15m is none of exporters::kpi::windows of the configuration (5m, 1h)',
  ],
])('%s changes nothing, and the log says why, once', async (_, name, changes, why) => {
  write('a.yaml', {});
  const policies = new Policies([join(folder, '*.yaml')], { windowsMs, telemetry, log: log() });
  await policies.start();
  said = [];
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
  const policies = new Policies([join(folder, '*.yaml')], { windowsMs, telemetry, log: log() });
  await policies.start();
  said = [];
  rmSync(join(folder, 'a.yaml'));
  policies.reload();
  await policies.stop();
  expect(await exported()).toEqual([line('search-agent', 3), 'plimsoll_policies_refused 1']);
  expect(said[0]).toContain('there is no such file: correct the path');
});

test('a pipeline does not start with a policy that has an error, and does with a review that is overdue', async () => {
  write('a.yaml', { objectives: { run_success: { at_least: 1 } } });
  const starting = new Policies([join(folder, 'a.yaml')], { windowsMs, telemetry, log: log() }).start();
  await expect(starting).rejects.toThrow(
    /^service::policies: .*a\.yaml: objectives::run_success: at_least 1 leaves/,
  );
  const risk = { id: 'R-1', statement: 's', likelihood: 1, impact: 1, owner: 'ana', mitigation: 'm' };
  write('a.yaml', { risks: [{ ...risk, review_by: '2020-01-01' }] });
  const policies = new Policies([join(folder, 'a.yaml')], { windowsMs, telemetry, log: log() });
  await policies.start();
  await policies.stop();
  expect(await exported()).toEqual([line('search-agent', 3), 'plimsoll_policies_refused 0']);
});

test('a window is known however it is written, and nothing is said of windows where nothing is assessed', async () => {
  write('a.yaml', { objectives: { cost_usd_per_run: costs('60m') } });
  const policies = new Policies([join(folder, 'a.yaml')], { windowsMs, telemetry, log: log() });
  await policies.start();
  await policies.stop();
  write('a.yaml', { objectives: { cost_usd_per_run: costs('15m') } });
  const elsewhere = new Policies([join(folder, 'a.yaml')], { windowsMs: undefined, telemetry, log: log() });
  await elsewhere.start();
  await elsewhere.stop();
  expect(said).toHaveLength(2);
});

test('what is questionable in a policy is logged when it is taken, once', async () => {
  const few = { objectives: { run_success: { min_events: 5 } } };
  write('a.yaml', few);
  const policies = new Policies([join(folder, 'a.yaml')], { windowsMs, telemetry, log: log() });
  await policies.start();
  policies.reload();
  write('a.yaml', { ...few, metadata: { version: 4 } });
  policies.reload();
  const warned = () => said.filter((each) => each.includes('min_events: with 5 runs'));
  expect(warned()).toHaveLength(1);
  write('a.yaml', { metadata: { version: 5 } });
  policies.reload();
  write('a.yaml', { ...few, metadata: { version: 6 } });
  policies.reload();
  await policies.stop();
  expect(warned()).toHaveLength(2);
  expect(said.join('')).not.toContain('without a raised version');
});

test('a policy that changed under the same version is taken, and the log says so', async () => {
  write('a.yaml', {});
  const policies = new Policies([join(folder, 'a.yaml')], { windowsMs, telemetry, log: log() });
  await policies.start();
  said = [];
  write('a.yaml', { objectives: { run_success: { min_events: 100 } } });
  policies.reload();
  policies.reload();
  await policies.stop();
  expect(said).toEqual([
    expect.stringMatching(/"version":3,"msg":"the policy search-agent changed without a raised version"/),
    expect.stringContaining('policies changed'),
  ]);
});
