import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  TextBoxVariableBuilder,
  VariableHide,
  VariableRefresh,
  VariableSort,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { metric, rollingKpi } from './metric.ts';
import { clickhouse } from './sql.ts';

export type Variable = Builder<VariableModel>;

/** Where PromQL goes: the data source that the variable `prometheus` says. */
export const prometheus = { type: 'prometheus', uid: '${prometheus}' } as const;

const everything = '.*';
const runs = metric('plimsoll_runs_total').name;

/** The data sources, by the name of their variable. */
export const sources: readonly Variable[] = [
  new DatasourceVariableBuilder('prometheus').label('Prometheus').type(prometheus.type),
  new DatasourceVariableBuilder('clickhouse').label('ClickHouse').type(clickhouse.type),
];

/** The one that has traces beside ClickHouse, where there is one. */
export const traces: Variable = new DatasourceVariableBuilder('traces')
  .label('Tempo')
  .description('Where one keeps traces in Tempo, too: the link above opens the trace there.')
  .type('tempo');

/** Values of a label; those with a quote or backslash in them, which would end a text of SQL, only under All. */
function labels(name: string, label: string, series: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(prometheus)
    .query({ qryType: 1, query: `label_values(${series}, ${name})`, refId: name })
    .definition(`label_values(${series}, ${name})`)
    .allowCustomValue(false)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc); // oxlint-disable-line unicorn/no-array-sort -- no array
}

/** Any number of values, at first all. */
function many(of: QueryVariableBuilder): QueryVariableBuilder {
  return of
    .multi(true)
    .includeAll(true)
    .allValue(everything)
    .current({ text: 'All', value: '$__all', selected: true });
}

const plain = `/^[^'\\\\]*$/`;

/** Environments, without those of rehearsals. */
export const environment: Variable = many(labels('environment', 'Environment', runs)).regex(
  `/^(?!drill:)[^'\\\\]*$/`,
);

export const anyAgents: Variable = many(
  labels('agent', 'Agent', `${runs}{environment=~"$environment"}`),
).regex(plain);

export const anAgent: Variable = labels('agent', 'Agent', `${runs}{environment=~"$environment"}`).regex(
  plain,
);

const releasesWhere = (agent: string): Variable =>
  many(labels('release', 'Release', `${runs}{${agent},environment=~"$environment"}`)).regex(plain);

export const anyReleases = releasesWhere('agent=~"$agent"');

/** The releases of one agent. */
export const releasesOfOne = releasesWhere('agent="$agent"');

export const anyTools: Variable = many(
  labels(
    'tool',
    'Tool',
    `${metric('plimsoll_tool_calls_total').name}{agent=~"$agent",environment=~"$environment"}`,
  ),
).regex(plain);

/** One of the windows of the rolling KPIs, at first `label`. */
export const windowOf = (label: string): Variable =>
  labels('window', 'Window', `${rollingKpi('run_success').stem}_denominator`)
    .description('Over how long the rolling KPIs look back.')
    .current({ text: label, value: label, selected: true });

export const window: Variable = windowOf('1h');

/** The trace that is looked at, 32 digits of hex. */
export const traceId: Variable = new TextBoxVariableBuilder('trace_id')
  .label('Trace id')
  .hide(VariableHide.DontHide)
  .defaultValue('');
