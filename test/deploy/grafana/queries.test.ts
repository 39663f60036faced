import { VariableType, type Dashboard, type Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dashboards } from '../../../deploy/grafana/source/dashboards.ts';
import { readPolicy } from '../../../src/policy/read-policy.ts';
import { renderedFiles } from '../../../src/policy/render.ts';
import { Deployment } from '../../e2e/deployment.ts';
import { Place, Program } from '../../e2e/program.ts';
import { freePorts } from '../../free-ports.ts';
import { everySecond, Prometheus } from '../../prometheus.ts';
import { requires } from '../../requires.ts';
import { until } from '../../until.ts';
import { filled, type Values } from './fill.ts';
import { MakeBelieveFleet, policyText, refunds, rehearsed, writePolicy } from './fleet.ts';
import { panelsOf } from './read-dashboard.ts';

const missing = requires('prometheus', { version: '--version' });
const token = 'a-token-of-this-test';
const patienceMs = 60_000;

/** Queries that have nothing to say where all is well, and why. */
const rightlyEmpty: Readonly<Record<string, string>> = {
  'Incidents and rollbacks: Drills and breakers B': 'no breaker is open',
  'Incidents and rollbacks: Waits for a person A': 'no person is needed',
};

/** A query of a panel, as it is written. */
interface Asked {
  /** The dashboard, the panel and the letter of the query. */
  readonly name: string;
  readonly panel: Panel;
  readonly dashboard: Dashboard;
  readonly expr?: string;
  readonly instant?: boolean;
  readonly exemplar?: boolean;
  readonly rawSql?: string;
}

function askedOf(dashboard: Dashboard): readonly Asked[] {
  return panelsOf(dashboard).flatMap((panel) =>
    (panel.targets ?? []).map((target): Asked => {
      const { refId, ...query }: Omit<Asked, 'name' | 'panel' | 'dashboard'> & { refId: string } = JSON.parse(
        JSON.stringify(target),
      );
      return { ...query, name: `${dashboard.title}: ${panel.title} ${refId}`, panel, dashboard };
    }),
  );
}

const asked = dashboards.flatMap(askedOf);
const promql = asked.filter(({ expr }) => expr !== undefined).map((each) => [each.name, each] as const);
const sql = asked.filter(({ rawSql }) => rawSql !== undefined).map((each) => [each.name, each] as const);
const annotations = dashboards.flatMap((dashboard) =>
  (dashboard.annotations?.list ?? []).map(
    ({ name, expr = '' }) => [`${dashboard.title}: ${name}`, expr, dashboard] as const,
  ),
);
const variables = dashboards.flatMap((dashboard) =>
  (dashboard.templating?.list ?? [])
    .filter(({ type }) => type === VariableType.Query)
    .map((variable) => [`${dashboard.title}: ${variable.name}`, variable, dashboard] as const),
);

/** A line of what is written to the file that PLIMSOLL_GRAFANA_ANSWERS names: a query, and how much it gave. */
const line = (name: string, gave: string, query: string): string =>
  `${name}\t${gave}\t${query.replaceAll(/\s+/g, ' ')}`;

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [number, string])[];
  readonly value?: readonly [number, string];
}

describe.skipIf(missing)('with a pipeline that judges, rolls back and was scraped', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-grafana-'));
  const deployment = new Deployment();
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
  const startedMs = Date.now();
  const answers: string[] = [];
  let program: Program;
  let prometheus: Prometheus;
  let values: Values;
  let fleet: MakeBelieveFleet;

  const api = async (path: string, body: unknown): Promise<void> => {
    const headers = { authorization: `Bearer ${token}` };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    const response = await fetch(`${program.url('page, API')}/api/v1/${path}`, init);
    if (!response.ok) throw new Error(await response.text());
  };
  const has = async (query: string): Promise<boolean> =>
    (await prometheus.get<{ result: readonly unknown[] }>('query', { query })).result.length > 0;

  async function startPipeline(metricsPort: number): Promise<void> {
    const { agent, baseline, environment } = refunds;
    deployment.running.set(agent, baseline);
    await deployment.start();
    ends.push(async () => deployment.stop());
    const place = new Place(
      JSON.stringify({
        exporters: { kpi: { scrape_interval: '2s' }, clickhouse: { flush_interval: '200ms' } },
        extensions: {
          api: { token },
          rollback: { targets: { [agent]: deployment.target(agent) } },
        },
        service: {
          extensions: ['health_check', 'sql', 'api', 'rollback'],
          policies: [writePolicy(folder, agent)],
          telemetry: { metrics: { endpoint: `127.0.0.1:${metricsPort}` } },
        },
      }),
    );
    ends.push(() => place.remove());
    program = await Program.start(place);
    ends.push(async () => program.kill('SIGKILL'));
    fleet = new MakeBelieveFleet(program.url('OTLP HTTP'));
    fleet.isShipped = () => deployment.running.get(agent) !== baseline;
    fleet.start();
    ends.push(async () => fleet.stop());
    const incident = { key: 'double-refund', agent, release: baseline, environment, severity: 'sev1' };
    await until('the pipeline takes incidents', async () => {
      await api('incidents', { ...incident, title: 'A refund was paid twice' });
      return true;
    });
    const drilled = {
      policy: 'refunds',
      scenario: 'outage',
      environment: `drill:${environment}`,
      passed: true,
    };
    const now = new Date().toISOString();
    await until('it takes a drill', async () => {
      await api('drills', { ...drilled, started: now, ended: now });
      return true;
    });
  }

  async function startPrometheus(metricsPort: number): Promise<void> {
    const read = readPolicy('refunds.yaml', policyText(refunds.agent));
    if (!('read' in read)) throw new Error(JSON.stringify(read.findings));
    const names = ['payments-on-call', 'team-payments', 'plimsoll-operators', 'plimsoll-rollback'];
    for (const [name, text] of renderedFiles([read.read], { receivers: names.map((of) => ({ name: of })) }))
      writeFileSync(join(folder, name), text);
    const metrics = `127.0.0.1:${metricsPort}`;
    const config = everySecond({ rules: join(folder, '*.rules.yaml'), alertmanagers: [], metrics });
    prometheus = await Prometheus.start(config, '--enable-feature=exemplar-storage');
    ends.push(async () => prometheus.stop());
  }

  beforeAll(async () => {
    const [metricsPort = 0] = await freePorts(1);
    await startPipeline(metricsPort);
    await startPrometheus(metricsPort);
    const { agent, baseline, canary } = refunds;
    await until('the release before is established', async () =>
      has(`sum(plimsoll_runs_total{agent="${agent}",environment="production"}) > 100`),
    );
    const again = { key: 'refund-late', agent, release: baseline, environment: refunds.environment };
    await api('incidents', { ...again, severity: 'sev1', title: 'A refund came late' }); // Prometheus sees it counted
    deployment.running.set(agent, canary);
    await until('it is rolled back', () => deployment.done.length > 0, patienceMs);
    await until('Prometheus knows', async () =>
      has('plimsoll_rollback_attempts_total{state="verifying"} > 0'),
    );
    await until(
      'an alert fires',
      async () => has('ALERTS{alertstate="firing",policy="refunds"}'),
      patienceMs,
    );
    await fleet.stop();
    const real = "Environment NOT LIKE 'drill:%'";
    await until('Prometheus knows every run that the table has', async () => {
      const [table] = await program.query<{ runs: string }>(`SELECT count() AS runs FROM runs WHERE ${real}`);
      return has(
        `sum(plimsoll_kpi_run_success_denominator{window="5m",environment!~"drill:.*"}) == ${table?.runs}`,
      );
    });
    const [run] = await until('all tables have rows', async () => {
      const [rows] = await program.query<{ all: number }>(
        `SELECT (SELECT count() > 0 FROM incidents_now) AND (SELECT countIf(Event = 'acted') > 0 FROM rollback_events) AS all`,
      );
      const runs = await program.query<{ id: string }>(
        `SELECT TraceId AS id FROM runs WHERE Outcome = 'failure' AND Environment = 'production'
            AND TraceId IN (SELECT TraceId FROM otel_traces) LIMIT 1`,
      );
      return rows?.all === 1 && runs.length > 0 && runs;
    });
    const nowMs = Date.now();
    values = {
      agent: '.*',
      environment: '.*',
      release: '.*',
      tool: '.*',
      window: '5m',
      trace_id: run?.id ?? '',
      __rate_interval: '15s',
      __range: '60s',
      __from: String(startedMs),
      __to: String(nowMs + 60_000),
    };
  }, 2 * patienceMs);

  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
    const file = process.env['PLIMSOLL_GRAFANA_ANSWERS'];
    if (file !== undefined) writeFileSync(file, `${answers.toSorted().join('\n')}\n`);
  });

  /** What is chosen on `dashboard`: everything, or the one agent that it is about. */
  const chosenOn = ({ templating }: Dashboard): Values => {
    const isOfOne = templating?.list?.some(({ name, multi }) => name === 'agent' && !multi);
    return isOfOne ? { ...values, agent: refunds.agent } : values;
  };

  const span = (): Readonly<Record<string, string>> => ({
    start: String(startedMs / 1000),
    end: String(Date.now() / 1000),
  });

  async function seriesOf(query: string, isInstant: boolean): Promise<readonly Series[]> {
    const data = isInstant
      ? await prometheus.get<{ result: readonly Series[] }>('query', { query })
      : await prometheus.get<{ result: readonly Series[] }>('query_range', { query, step: '1', ...span() });
    return data.result.filter(({ values: course = [], value }) =>
      [...course, ...(value ? [value] : [])].some(([, figure]) => figure !== 'NaN'),
    );
  }

  test.each(promql)('%s has data', async (name, { expr = '', instant = false, dashboard }) => {
    const series = await seriesOf(filled(expr, chosenOn(dashboard)), instant);
    answers.push(line(name, `${series.length} series`, expr));
    if (rightlyEmpty[name] === undefined) expect(series).not.toEqual([]);
    else expect(series).toEqual([]);
    expect(JSON.stringify(series)).not.toContain(rehearsed);
    expect(JSON.stringify(series)).not.toContain('drill:');
  });

  const figureOf = async (name: string): Promise<number> => {
    const { expr = '' } = asked.find((each) => each.name === name) ?? {};
    const [series] = await seriesOf(filled(expr, values), true);
    return Number(series?.value?.[1]);
  };

  test('figures over several series are those of all their events, as the table has them, and no mean of ratios', async () => {
    const [table] = await program.query<Readonly<Record<'runs' | 'success' | 'escalation' | 'cost', number>>>(
      `SELECT
          toFloat64(count()) AS runs, countIf(Outcome IN ('success', 'completed')) / count() AS success,
          countIf(Escalated) / count() AS escalation,
          toFloat64(sumIf(CostUsd, Priced)) / countIf(Priced AND Outcome IN ('success', 'completed')) AS cost
      FROM runs WHERE Environment NOT LIKE 'drill:%'`,
    );
    expect(await figureOf('Agents: Success B')).toBe(table?.runs);
    expect(await figureOf('Agents: Success A')).toBeCloseTo(table?.success ?? 0, 9);
    expect(await figureOf('Agents: Escalation A')).toBeCloseTo(table?.escalation ?? 0, 9);
    expect(await figureOf('Agents: Cost per success A')).toBeCloseTo(table?.cost ?? 0, 6);
    const [mean] = await seriesOf(
      'avg(plimsoll_kpi_run_success_ratio{window="5m",environment!~"drill:.*"})',
      true,
    );
    expect(Number(mean?.value?.[1])).not.toBeCloseTo(table?.success ?? 0, 3);
  });

  test('months of the executive summary have the runs, rates, incidents and cost that the tables have', async () => {
    const { rawSql = '' } = asked.find(({ name }) => name === 'Executive summary: Months A') ?? {};
    const months = await program.query<Readonly<Record<string, number>>>(filled(rawSql, values));
    const all = (figure: string, per?: string): number =>
      months.reduce((sum, month) => sum + Number(month[figure]) * (per ? Number(month[per]) : 1), 0);
    const [table] = await program.query<Readonly<Record<string, number>>>(
      `SELECT
          toFloat64(count()) AS runs, toFloat64(countIf(Outcome IN ('success', 'completed'))) AS good,
          toFloat64(countIf(Escalated)) AS escalated, toFloat64(sumIf(CostUsd, Priced)) AS cost,
          (SELECT toFloat64(count()) FROM incidents_now WHERE Environment NOT LIKE 'drill:%') AS incidents
      FROM runs WHERE Environment NOT LIKE 'drill:%'`,
    );
    expect(all('Runs')).toBe(table?.['runs']);
    expect(all('SuccessRate', 'Runs')).toBeCloseTo(table?.['good'] ?? 0, 6);
    expect(all('EscalationRate', 'Runs')).toBeCloseTo(table?.['escalated'] ?? 0, 6);
    expect(all('Incidents')).toBe(table?.['incidents']);
    expect(all('CostUsd')).toBeCloseTo(table?.['cost'] ?? 0, 6);
  });

  test.each(promql.filter(([, { exemplar }]) => exemplar))(
    '%s leads to traces',
    async (name, { expr = '', dashboard }) => {
      interface OfSeries {
        readonly exemplars: readonly { readonly labels: Readonly<Record<string, string>> }[];
      }
      const found = await prometheus.get<readonly OfSeries[]>('query_exemplars', {
        query: filled(expr, chosenOn(dashboard)),
        ...span(),
      });
      const ids = found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels['trace_id'] ?? ''));
      answers.push(line(name, `${ids.length} exemplars`, expr));
      expect(ids).not.toEqual([]);
      const [known] = await program.query<{ count: string }>(
        `SELECT count() AS count FROM otel_traces WHERE TraceId = '${ids[0]}'`,
      );
      expect(Number(known?.count)).toBeGreaterThan(0);
    },
  );

  test.each(annotations)('the annotation %s has something to tell', async (name, expr, dashboard) => {
    const series = await seriesOf(filled(expr, chosenOn(dashboard)), false);
    answers.push(line(`annotation ${name}`, `${series.length} series`, expr));
    expect(series).not.toEqual([]);
    expect(JSON.stringify(series)).not.toContain(rehearsed);
  });

  test.each(sql)('%s has rows', async (name, { rawSql = '', panel, dashboard }) => {
    const rows = await program.query<Readonly<Record<string, unknown>>>(filled(rawSql, chosenOn(dashboard)));
    answers.push(line(name, `${rows.length} rows`, rawSql));
    expect(rows).not.toEqual([]);
    if (panel.type === 'timeseries') expect(Object.keys(rows[0] ?? {})).toContain('time');
    expect(JSON.stringify(rows)).not.toContain(rehearsed);
  });

  test('SQL takes one value of a variable, and several, as Grafana writes them', async () => {
    const { rawSql = '' } = sql.find(([name]) => name.startsWith('Releases: Releases in'))?.[1] ?? {};
    const releasesOf = async (release: string): Promise<readonly unknown[]> => {
      const rows = await program.query<{ Release: string }>(
        filled(rawSql, { ...values, agent: refunds.agent, release }),
      );
      return [...new Set(rows.map(({ Release }) => Release))].toSorted();
    };
    const { baseline, canary } = refunds;
    expect(await releasesOf('1\\.4\\.0')).toEqual([baseline]);
    expect(await releasesOf('(1\\.4\\.0|1\\.5\\.0-rc1)')).toEqual([baseline, canary]);
    expect(await releasesOf('1\\.4')).toEqual([]);
  });

  test.each(variables)('the variable %s has values, and no rehearsals', async (_, variable, dashboard) => {
    const { query, regex = '' } = variable;
    const text = typeof query === 'string' ? query : String(query?.['query']);
    const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(text) ?? [];
    const found = await prometheus.get<readonly string[]>(`label/${label}/values`, {
      'match[]': filled(selector, chosenOn(dashboard)),
    });
    const pattern = new RegExp(regex.replaceAll(/^\/|\/$/g, ''));
    const chosen = found.filter((value) => pattern.test(value));
    expect(chosen).not.toEqual([]);
    if (label === 'environment') expect(chosen).toEqual(['production', 'staging']);
  });
});
