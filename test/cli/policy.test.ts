import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { checkRendered } from '../../src/cli/rendered-check.ts';
import { plimsoll } from '../e2e/program.ts';
import { called } from './called.ts';
import { canary, changed, plain, type Mapping } from '../policy/policies.ts';
import { requires, withoutTools } from '../requires.ts';

const shipped = new URL('../../config/policies/refund-agent.yaml', import.meta.url).pathname;
/** No review of the shipped policy is due then. */
const asOf = ['--as-of', '2026-11-26'];
const promtool = requires('promtool', { version: '--version', from: 'prometheus' });
const amtool = requires('amtool', { version: '--version', from: 'prometheus-alertmanager' });
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plimsoll-policy-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, changes: Mapping = {}): string {
  const file = join(folder, name);
  writeFileSync(file, stringify(changed(plain, changes)));
  return file;
}

test('check says what a sound policy means, and what is not yet enforced', async () => {
  const { code, stdout, stderr } = await plimsoll('policy', 'check', ...asOf, shipped);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(
    /^refund-agent, version 1, revision [0-9a-f]{12}: of team-payments, pages payments-on-call\n/,
  );
  expect(stdout).toContain(
    '  run_success must be at least 90 % over 30d: sev2 above 30 % bad over 1h, sev2 above 20 % bad over 6h, sev3 above 15 % bad over 1d,',
  );
  expect(stdout).toContain('  not yet enforced: review, budgets\n');
  expect(stdout).toMatch(/run_success \(60 %, floor\) pauses at 66\.7 and rolls back at 333/);
});

test('help says what a policy does not yet do: the parts that check says are not enforced', async () => {
  const { stdout } = await called('policy', 'check', ...asOf, shipped);
  const parts = /not yet enforced: (.*)/.exec(stdout)?.[1]?.split(', ') ?? [];
  const help = (await called('policy', '--help')).stdout;
  const later = /does not yet do this:(.*? are)\s+checked/s.exec(help)?.[1] ?? '';
  expect(later.match(/[a-z]+(?=,| and| are)/g)).toEqual(parts);
  expect(parts.length).toBeGreaterThan(1);
});

test('check finds what is wrong with traffic that a test is about, and with cases', async () => {
  const blocked = { name: 'bad', fixture: 'bad.yaml', gate: 'canary', release: '2', verdict: 'fail' };
  writeFileSync(join(folder, 'bad.yaml'), 'agent: a\nenvironment: b\nminuts: 5\n');
  const file = write('policy.yaml', { gates: { canary }, tests: [blocked] });
  const { code, stdout } = await called('policy', 'check', ...asOf, file);
  expect(code).toBe(1);
  expect(stdout).toContain(`error: ${file}: tests::0::fixture: bad.yaml: minutes: `);
  expect(stdout).toContain('minuts');
});

test('check tells every finding of every file, and ends with 1 when one is an error', async () => {
  const unread = write('unread.yaml', { metadata: { ownr: 'x' } });
  const warned = write('warned.yaml', { objectives: { run_success: { min_events: 5 } } });
  const { code, stdout } = await called('policy', 'check', '--as-of', '2027-06-01', unread, warned, shipped);
  expect(code).toBe(1);
  expect(
    stdout.split('\n').map((line) => line.slice(0, line.indexOf(': ', line.indexOf(': ', 9) + 2))),
  ).toEqual([
    `error: ${unread}: metadata`,
    `warning: ${warned}: objectives::run_success::min_events`,
    `error: ${shipped}: risks::0::review_by`,
    '',
  ]);
  expect((await called('policy', 'check', warned)).code).toBe(0);
});

test('diff says in words what changed, and insists that the version is raised', async () => {
  const risk = {
    statement: 's',
    likelihood: 1,
    impact: 1,
    owner: 'o',
    mitigation: 'm',
    review_by: '2027-01-31',
  };
  const old = write('old.yaml', {
    risks: [
      { id: 'R-1', ...risk },
      { id: 'R-2', ...risk },
    ],
  });
  const changes = {
    objectives: { run_success: { at_least: 0.95, slow_severity: null } },
    scope: { environments: ['production', 'staging'] },
    risks: [{ id: 'R-2', ...risk, impact: 5 }],
    review: { rate: 0.1 },
  };
  const raised = write('raised.yaml', { ...changes, metadata: { version: 4 } });
  const { code, stdout } = await called('policy', 'diff', old, raised);
  expect(stdout.split('\n').filter((line) => !line.startsWith('risks::R-1'))).toEqual([
    'metadata::version: 3 → 4',
    'scope::environments: [production] → [production, staging]',
    'objectives::run_success::at_least: 0.9 → 0.95',
    'objectives::run_success::slow_severity: sev3 (gone)',
    'risks::R-2::impact: 1 → 5',
    'review::rate: 0.1 (new)',
    '',
  ]);
  expect(code).toBe(0);

  const unraised = write('unraised.yaml', changes);
  const refused = await called('policy', 'diff', old, unraised);
  expect(refused.code).toBe(1);
  expect(refused.stdout).toContain(
    `error: ${unraised}: metadata::version: is still 3: raise it with every change\n`,
  );
  expect(await called('policy', 'diff', raised, unraised)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('metadata::version: 3 is lower than 4: raise it'),
  });
  expect(await called('policy', 'diff', old, old)).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(await called('policy', 'diff', old, shipped)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('search-agent and refund-agent are two policies'),
  });
});

test('render writes the files and says which, and which are left of a policy that is gone', async () => {
  const out = join(folder, 'new', 'rules');
  await called('policy', 'render', '--out', out, write('gone.yaml', { metadata: { name: 'refund-agent' } }));
  writeFileSync(join(out, 'mine.rules.yaml'), 'groups: []\n');
  const { code, stdout, stderr } = await called('policy', 'render', '--out', out, write('a.yaml'));
  expect(code).toBe(0);
  expect(stdout.trim().split('\n').toSorted()).toEqual(
    [
      'alertmanager.test.sh',
      'alertmanager.yaml',
      'plimsoll-pipeline.rules.test.yaml',
      'plimsoll-pipeline.rules.yaml',
      'search-agent.rules.test.yaml',
      'search-agent.rules.yaml',
    ].map((name) => join(out, name)),
  );
  expect(withoutTools(stderr).trim().split('\n').toSorted()).toEqual([
    `plimsoll: ${join(out, 'alertmanager.yaml')}: its receivers tell nobody: give yours with --receivers FILE`,
    `plimsoll: ${join(out, 'refund-agent.rules.test.yaml')}: was rendered from a policy that is not given: delete it, or give that policy`,
    `plimsoll: ${join(out, 'refund-agent.rules.yaml')}: was rendered from a policy that is not given: delete it, or give that policy`,
  ]);
});

test('render writes nothing of a policy with an error', async () => {
  const out = join(folder, 'rules');
  const bad = write('bad.yaml', { objectives: { run_success: { at_least: 1 } } });
  expect(await called('policy', 'render', '--out', out, shipped, ...asOf, bad)).toMatchObject({
    code: 1,
    stderr: '',
  });
  expect(readdirSync(folder)).toEqual(['bad.yaml']);
});

test('an overdue review ends a check, and neither render nor test: alerts are not to wait for it', async () => {
  const out = join(folder, 'rules');
  const late = ['--as-of', '2027-02-01'];
  const offline = write('offline.yaml', { risks: parse(readFileSync(shipped, 'utf8')).risks });
  const sentence = 'risks::0::review_by: the review of R-1 was due by 2027-01-31: let ';
  expect(await called('policy', 'check', ...late, shipped)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining(`error: ${shipped}: ${sentence}`),
  });
  const rendered = await called('policy', 'render', ...late, '--out', out, shipped);
  expect(rendered).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`warning: ${shipped}: ${sentence}`),
  });
  expect(readdirSync(out)).toContain('refund-agent.rules.yaml');
  expect(await called('policy', 'test', ...late, offline)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`warning: ${offline}: ${sentence}`),
  });
});

test('render puts the given receivers in place, and a missing one is an error', async () => {
  const out = join(folder, 'rules');
  const receivers = join(folder, 'receivers.yaml');
  const policy = write('a.yaml');
  const names = ['plimsoll-operators', 'team-search', 'search-on-call'];
  const hook = { webhook_configs: [{ url: 'http://127.0.0.1:9/hook' }] };
  writeFileSync(receivers, stringify({ receivers: names.map((name) => ({ name, ...hook })) }));
  const rendered = await called('policy', 'render', '--out', out, '--receivers', receivers, policy);
  expect([rendered.code, withoutTools(rendered.stderr)]).toEqual([0, '']);
  expect(readFileSync(join(out, 'alertmanager.yaml'), 'utf8')).toContain('url: http://127.0.0.1:9/hook');
  const more = {
    global: { resolve_timeout: '6m', slack_api_url_file: '/run/secrets/slack' },
    templates: ['*.tmpl'],
    time_intervals: [
      { name: 'nights', time_intervals: [{ times: [{ start_time: '00:00', end_time: '06:00' }] }] },
    ],
  };
  writeFileSync(receivers, stringify({ receivers: names.map((name) => ({ name, ...hook })), ...more }));
  await called('policy', 'render', '--out', out, '--receivers', receivers, policy);
  const alertmanager: unknown = parse(readFileSync(join(out, 'alertmanager.yaml'), 'utf8'));
  expect(alertmanager).toMatchObject({ ...more, route: { receiver: 'plimsoll-operators' } });
  writeFileSync(receivers, stringify({ receivers: [], route: {}, inhibit_rules: [], recievers: [] }));
  expect(await called('policy', 'render', '--out', out, '--receivers', receivers, policy)).toMatchObject({
    code: 1,
    stderr: `plimsoll: ${receivers}: says route, inhibit_rules, recievers, which would be lost: remove it; taken are receivers, global, templates, time_intervals, mute_time_intervals, and route and inhibit_rules are rendered of the policies\n`,
  });
  writeFileSync(receivers, stringify({ receivers: [{ name: 'team-search' }] }));
  expect(await called('policy', 'render', '--out', out, '--receivers', receivers, policy)).toMatchObject({
    code: 1,
    stderr: `plimsoll: ${receivers}: has no receiver plimsoll-operators, search-on-call: add it, or correct who is named in the policy\n`,
  });
  writeFileSync(receivers, 'team-search');
  expect(await called('policy', 'render', '--out', out, '--receivers', receivers, policy)).toMatchObject({
    code: 1,
    stderr: `plimsoll: ${receivers}: is no list of receivers: write receivers, each with a name, as for Alertmanager\n`,
  });
});

describe.skipIf(promtool ?? amtool)('what render wrote is checked by the tools of Prometheus', () => {
  test('a receiver that Alertmanager does not know ends it with 1, in the words of amtool', async () => {
    const out = join(folder, 'rules');
    const receivers = join(folder, 'receivers.yaml');
    const names = ['plimsoll-operators', 'team-search', 'search-on-call'];
    writeFileSync(receivers, stringify({ receivers: names.map((name) => ({ name, pagers: [] })) }));
    const words = ['--out', out, '--receivers', receivers, write('a.yaml')];
    const { code, stderr } = await called('policy', 'render', ...words);
    expect(code).toBe(1);
    expect(stderr).toContain(
      'plimsoll: amtool refuses alertmanager.yaml and its routes: sh alertmanager.test.sh\n',
    );
    expect(stderr).toContain('field pagers not found');
  });

  test('rules that Prometheus does not take, or that fail their tests, are told in the words of promtool', async () => {
    const out = join(folder, 'rules');
    await called('policy', 'render', '--out', out, write('a.yaml'));
    const names = readdirSync(out);
    expect(checkRendered(out, names)).toEqual({ refusals: [], unchecked: [] });
    const file = join(out, 'search-agent.rules.yaml');
    const right = readFileSync(file, 'utf8');
    writeFileSync(file, right.replaceAll('severity: sev2', 'severity: sev3'));
    const failed = checkRendered(out, names).refusals;
    expect(failed).toEqual([
      expect.stringMatching(
        /^promtool refuses the rules and their tests: promtool test rules .*\n[^]*FAILED/,
      ),
    ]);
    writeFileSync(file, right.replace('expr: ', 'expr: sum('));
    expect(checkRendered(out, names).refusals).toEqual([
      expect.stringMatching(
        /^promtool refuses the rules and their tests: promtool check rules .*\n[^]*could not parse expression/,
      ),
    ]);
  });
});

test('where the tools are not there, render says what nobody checked, and ends with 0', async () => {
  vi.stubEnv('PATH', folder);
  const { code, stderr } = await called('policy', 'render', '--out', join(folder, 'rules'), write('a.yaml'));
  vi.unstubAllEnvs();
  expect(code).toBe(0);
  expect(stderr.trim().split('\n').slice(-2)).toEqual([
    'plimsoll: promtool is not on PATH, so that nobody checked the rules and their tests',
    'plimsoll: amtool is not on PATH, so that nobody checked alertmanager.yaml and its routes',
  ]);
});

test.each([
  [['policy'], 'policy takes check FILE..., test FILE..., diff OLD NEW, render --out DIR FILE... or schema'],
  [
    ['policy', 'check'],
    'policy takes check FILE..., test FILE..., diff OLD NEW, render --out DIR FILE... or schema',
  ],
  [
    ['policy', 'diff', 'a'],
    'policy takes check FILE..., test FILE..., diff OLD NEW, render --out DIR FILE... or schema',
  ],
  [['policy', 'render', 'a'], 'say where to write: policy render --out DIR FILE...'],
  [['policy', 'check', '--as-of', 'soon', shipped], '--as-of soon is no day: write one such as 2027-01-31'],
])('%j is not understood, with code 2', async (words, sentence) => {
  expect(await called(...words)).toEqual({ code: 2, stdout: '', stderr: `plimsoll: ${sentence}\n` });
});

test('schema prints the JSON Schema of policies, by which an editor knows every key', async () => {
  const { code, stdout } = await called('policy', 'schema');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toHaveProperty('properties.metadata.properties.on_call');
});

test('validate refuses a configuration whose policies have an error or are not there', async () => {
  const bad = write('bad.yaml', { objectives: { run_success: { at_least: 1 } } });
  const config = join(folder, 'config.yaml');
  writeFileSync(config, stringify({ service: { policies: [bad, join(folder, 'none-*.yaml')] } }));
  const files = [new URL('../../config/plimsoll.yaml', import.meta.url).pathname, config];
  const { code, stderr } = await called('validate', ...files.flatMap((file) => ['--config', file]));
  expect(code).toBe(1);
  expect(stderr.trim().split('\n')).toEqual([
    `plimsoll: service::policies: ${join(folder, 'none-*.yaml')}: there is no such file: correct the path`,
    expect.stringContaining(
      `plimsoll: service::policies: ${bad}: objectives::run_success: at_least 1 leaves`,
    ),
  ]);
  const costs = { at_most: 1, window: '15m', min_events: 20, severity: 'sev3' };
  const elsewhere = write('elsewhere.yaml', { objectives: { cost_usd_per_run: costs } });
  writeFileSync(config, stringify({ service: { policies: [elsewhere] } }));
  expect(await called('validate', ...files.flatMap((file) => ['--config', file]))).toMatchObject({
    code: 1,
    stderr: `plimsoll: service::policies: ${elsewhere}: objectives::cost_usd_per_run::window: 15m is none of exporters::kpi::windows of the configuration (5m, 1h, 24h): write one of those, or add it there\n`,
  });
  const warned = write('good.yaml', { objectives: { run_success: { min_events: 5 } } });
  writeFileSync(config, stringify({ service: { policies: [warned] } }));
  expect(await called('validate', ...files.flatMap((file) => ['--config', file]))).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /^warning: service::policies: .*good\.yaml: .*min_events: with 5 runs.*\n.*: valid\n$/,
    ),
    stderr: '',
  });
});

test('a file that is not there is named', async () => {
  expect(await called('policy', 'check', '/nowhere.yaml')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'plimsoll: cannot read /nowhere.yaml (ENOENT): name a file that is there\n',
  });
});

test('test tells what each test found, and ends with 1 when one is not met', async () => {
  const file = join(folder, 'policy.yaml');
  const [blocks] = parse(readFileSync(shipped, 'utf8')).tests;
  const fixture = join(dirname(shipped), blocks.fixture);
  const withTests = async (...tests: readonly Mapping[]) => {
    const policy = parse(readFileSync(shipped, 'utf8'));
    const own = tests.map((one) => ({ ...blocks, fixture, ...one }));
    const {
      rollback: _,
      drill: __,
      ...rest
    } = { ...policy, gates: { offline: policy.gates.offline }, tests: own };
    writeFileSync(file, stringify(rest));
    return called('policy', 'test', ...asOf, file);
  };
  const met = await withTests({});
  expect(met).toMatchObject({ code: 0, stderr: '' });
  expect(met.stdout).toMatch(
    /^ok {4} refund-agent: a worse offline result blocks: fail: .*\n1 test passed\n$/,
  );
  const unmet = await withTests({}, { name: 'it goes on', verdict: 'pass' });
  expect(unmet.code).toBe(1);
  expect(unmet.stdout).toMatch(/^failed refund-agent: it goes on: not pass but fail: .+/m);
  expect(unmet.stdout).toMatch(/^1 of 2 tests failed$/m);
});
