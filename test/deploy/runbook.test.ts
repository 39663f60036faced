import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { PolicyFile } from '../../src/policy/read-policy.ts';
import { renderedFiles } from '../../src/policy/render.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { called } from '../cli/called.ts';
import { exportedFamilies } from '../policy/exported-families.ts';
import { canary, everyObjective, policyFile, rollback, type Mapping } from '../policy/policies.ts';
import { silentLog, startClickHouse } from '../store/embedded.ts';

const runbook = readFileSync(new URL('../../deploy/runbook.md', import.meta.url), 'utf8');
const sections = [...runbook.matchAll(/^### (\w+)$/gm)].map(([, name = '']) => name);

/** A policy of which every alert is rendered that there is. */
const everything = (metadata: Mapping = {}): PolicyFile =>
  policyFile({
    metadata,
    objectives: everyObjective,
    gates: { canary },
    rollback,
    drill: { every: '90d', scenario: 'outage' },
  });

/** The alerts of all rendered rules, and what each says in `annotation`. */
function linksOf(file: PolicyFile, base?: string, annotation = 'runbook_url'): ReadonlyMap<string, string> {
  const rule = z.looseObject({
    alert: z.string().optional(),
    annotations: z.record(z.string(), z.string()).prefault({}),
  });
  const rules = z.object({ groups: z.array(z.object({ rules: z.array(rule) })) });
  const files = [...renderedFiles([file], { receivers: [] }, base)];
  const all = files
    .filter(([name]) => name.endsWith('.rules.yaml'))
    .flatMap(([, text]) => rules.parse(parse(text)).groups.flatMap((group) => group.rules));
  return new Map(
    all.flatMap(({ alert, annotations }) =>
      alert === undefined ? [] : [[alert, annotations[annotation] ?? '']],
    ),
  );
}

test('every alert that can be rendered has a section, and every section an alert', () => {
  const alerts = [...linksOf(everything()).keys()];
  expect(sections.toSorted()).toEqual(alerts.toSorted());
  expect(new Set(sections).size).toBe(sections.length);
});

test('every section says what its alert means, what to look at, what to do, and when it is over', () => {
  const texts = runbook.split(/^##+ .*$/m).filter((text) => text.includes('**Means**'));
  expect(texts).toHaveLength(sections.length);
  for (const text of texts)
    expect(text.match(/^\*\*[^*]+\*\*/gm)).toEqual(['**Means**', '**Look**', '**Do**', '**Over when**']);
});

test('every alert links to its section: of the given runbook, or of that of its policy', () => {
  const given = linksOf(everything(), 'https://wiki.example.com/plimsoll');
  expect(given.get('DrillOverdue')).toBe('https://wiki.example.com/plimsoll#drilloverdue');
  const own = linksOf(everything({ runbook_url: 'https://runbooks.example.com/search' }));
  expect(own.get('ReleaseFails')).toBe('https://runbooks.example.com/search#releasefails');
  expect(own.get('PlimsollDeadLetters')).toBe('');
});

test('an alert whose runbook nobody named a URL for has no link that leads nowhere, and names its section', () => {
  for (const link of linksOf(everything()).values()) expect(link).toBe('');
  for (const [alert, section] of linksOf(everything(), undefined, 'runbook_section'))
    expect(section).toBe(`deploy/runbook.md#${alert.toLowerCase()}`);
  const given = linksOf(everything(), 'https://wiki.example.com/plimsoll', 'runbook_section');
  expect(new Set(given.values())).toEqual(new Set(['']));
});

test.each(['deploy/runbook.md', 'https://wiki.example.com/plimsoll#alerts'])(
  'a runbook at %s is none that alerts can link to',
  async (url) => {
    const policy = new URL('../../config/policies/refund-agent.yaml', import.meta.url).pathname;
    const { code, stderr } = await called('policy', 'render', '--out', '/nowhere', '--runbook', url, policy);
    expect([code, stderr]).toEqual([
      2,
      `plimsoll: --runbook ${url} is no link: write a URL such as https://wiki.example.com/plimsoll, without #\n`,
    ]);
  },
);

test('it names no metric that a pipeline does not export', async () => {
  const families = [...(await exportedFamilies())];
  const spelled = runbook.replaceAll(/(plimsoll_\w*)\(([\w|]+)\)/g, (_, stem: string, ends: string) =>
    ends
      .split('|')
      .map((end) => stem + end)
      .join(' '),
  );
  const named = new Set(spelled.match(/\bplimsoll_[a-z_]+/g));
  expect(named.size).toBeGreaterThan(25);
  expect([...named].filter((name) => families.every((family) => !family.startsWith(name)))).toEqual([]);
});

test('it names no command that there is not', async () => {
  const { stdout } = await called('--help');
  const known = [...stdout.matchAll(/^ {2}([a-z-]+) {2,}\S/gm)].map(([, name]) => name);
  const named = new Set(
    [...runbook.matchAll(/^plimsoll ([a-z-]+)|`plimsoll ([a-z-]+)/gm)].map((each) => each[1] ?? each[2]),
  );
  expect(named.size).toBeGreaterThan(5);
  expect([...named].filter((name) => !known.includes(name))).toEqual([]);
});

describe('its queries', () => {
  let engine: Awaited<ReturnType<typeof startClickHouse>>;
  let clickhouse: ClickHouse;
  beforeAll(async () => {
    engine = await startClickHouse();
    ({ clickhouse } = engine);
    await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
  });
  afterAll(async () => engine.remove());

  const queries = [...runbook.matchAll(/plimsoll sql "([^"]+)"/g)].map(([, query = '']) => query);

  test('are many', () => expect(queries.length).toBeGreaterThan(20));

  test.each(queries)('%s is answered', async (query) => {
    expect(await clickhouse.query(query)).toEqual([]);
  });
});
