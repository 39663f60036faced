import * as units from '@grafana/grafana-foundation-sdk/units';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { dashboards } from '../../../deploy/grafana/source/dashboards.ts';
import { panelsOf, textsOf } from './read-dashboard.ts';

const folder = new URL('../../../deploy/grafana/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const dataPanels = dashboards.flatMap((dashboard) =>
  panelsOf(dashboard).map((panel) => [`${dashboard.title}: ${panel.title}`, panel] as const),
);

test.each(dashboards)('$uid.json is what its source says (else: run this with -u)', async (dashboard) => {
  const text = `${JSON.stringify(dashboard, null, 2)}\n`;
  await expect(text).toMatchFileSnapshot(
    `../../../deploy/grafana/dashboards/${dashboard.uid?.replace('plimsoll-', '')}.json`,
  );
});

test('there is no dashboard without a source', () => {
  const named = dashboards.map(({ uid }) => `${uid?.replace('plimsoll-', '')}.json`);
  expect(readdirSync(new URL('dashboards', folder)).toSorted()).toEqual(named.toSorted());
});

test('every dashboard has a uid and a title of its own', () => {
  expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(dashboards.length);
  expect(new Set(dashboards.map(({ title }) => title)).size).toBe(dashboards.length);
});

test.each(dataPanels)('%s has a title, a description, a unit and a query', (_, panel) => {
  expect(panel.title).toMatch(/\S/);
  expect(panel.description).toMatch(/^\S.*[.?]$/s);
  expect(Object.values(units)).toContain(panel.fieldConfig?.defaults?.unit);
  expect(panel.targets?.length).toBeGreaterThan(0);
});

test('a request to approve a rollback is counted as an incident nowhere, or the panel says that it is', () => {
  const about = dataPanels.filter(([, { targets }]) =>
    /incidents_now|plimsoll_incidents_|plimsoll_kpi_incidents_/.test(JSON.stringify(targets)),
  );
  expect(about.length).toBeGreaterThanOrEqual(9);
  for (const [name, { targets, description }] of about)
    expect([name, `${description} ${JSON.stringify(targets)}`]).toEqual([
      name,
      expect.stringMatching(
        /requests? to approve a rollback|IncidentKey NOT LIKE 'rollback\/%\/awaiting_approval%'/i,
      ),
    ]);
});

describe.each(dashboards)('on $uid', (dashboard) => {
  test('no panel overlaps another or leaves the grid, and each has an id of its own', () => {
    const all = dashboard.panels ?? [];
    const taken = new Map<string, string>();
    for (const { gridPos, title = '' } of all) {
      const { x, y, w, h } = gridPos ?? { x: 0, y: 0, w: 0, h: 0 };
      expect([title, w > 0 && h > 0, x + w <= 24]).toEqual([title, true, true]);
      for (let column = x; column < x + w; column++)
        for (let line = y; line < y + h; line++) {
          expect([title, taken.get(`${column},${line}`)]).toEqual([title, undefined]);
          taken.set(`${column},${line}`, title);
        }
    }
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  });

  test('links lead to dashboards that there are, and set variables that those have', () => {
    for (const text of textsOf(dashboard))
      for (const [, uid, query = ''] of text.matchAll(/\/d\/([\w-]+)\?(.*)/g)) {
        const target = dashboards.find((each) => each.uid === uid);
        expect(target, text).toBeDefined();
        const has = new Set((target?.templating?.list ?? []).map(({ name }) => name));
        for (const [, direct, kept] of query.matchAll(/var-(\w+)=|\$\{(\w+):queryparam\}/g))
          expect([...has], text).toContain(direct ?? kept);
      }
  });

  test('every variable that a query names is one of the dashboard, or one of Grafana', () => {
    const has = new Set((dashboard.templating?.list ?? []).map(({ name }) => name));
    for (const text of textsOf({ panels: dashboard.panels, annotations: dashboard.annotations }))
      for (const [, braced, bare] of text.matchAll(/\$\{(\w+)[:}.]|\$(\w+)/g)) {
        const name = braced ?? bare ?? '';
        if (!name.startsWith('__')) expect([...has], text).toContain(name);
      }
  });
});

test('a ratio is never a mean of ratios: no gauge of a ratio is averaged or added up', () => {
  const averaged = /\bavg\b|\bsum\b(?:\s*by\s*\([^)]*\))?\s*\([^)]*_ratio\{/;
  for (const wrong of ['avg(', 'sum(', 'sum by (agent) (', 'sum by (agent, release)('])
    expect(`${wrong}plimsoll_kpi_run_success_ratio{window="1h"})`).toMatch(averaged);
  expect(
    dataPanels.flatMap(([, panel]) => textsOf(panel.targets)).filter((text) => averaged.test(text)),
  ).toEqual([]);
});

describe('provisioning', () => {
  interface Sources {
    readonly datasources: readonly {
      readonly uid: string;
      readonly type: string;
      readonly jsonData: unknown;
    }[];
  }

  test('has both data sources, and points lead to the dashboard of traces', () => {
    const { datasources }: Sources = parse(read('provisioning/datasources/plimsoll.yaml'));
    expect(datasources.map(({ type }) => type)).toEqual(['prometheus', 'grafana-clickhouse-datasource']);
    expect(datasources[0]?.jsonData).toMatchObject({
      exemplarTraceIdDestinations: [
        { name: 'trace_id', url: '/d/plimsoll-trace?var-trace_id=$${__value.raw}' },
      ],
    });
  });

  test('reads the dashboards of the folder that the README names', () => {
    const { providers }: { providers: readonly { readonly options: { readonly path: string } }[] } = parse(
      read('provisioning/dashboards/plimsoll.yaml'),
    );
    expect(providers).toHaveLength(1);
    expect(read('README.md')).toContain(providers[0]?.options.path);
  });
});
