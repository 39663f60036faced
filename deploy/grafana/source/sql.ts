import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';

/** What a query of ClickHouse gives: lines over `time`, a table, or the spans of a trace. */
export type SqlFormat = 'timeseries' | 'table' | 'traces';

/** The numbers by which the official data source of ClickHouse (4.x) knows them. */
const formats: Readonly<Record<SqlFormat, number>> = { timeseries: 0, table: 1, traces: 3 };

/** A query of the official ClickHouse data source, written as SQL. */
interface ClickHouseQuery extends Dataquery {
  readonly refId: string;
  readonly datasource: typeof clickhouse;
  readonly editorType: 'sql';
  readonly queryType: SqlFormat;
  readonly format: number;
  readonly rawSql: string;
}

/** Where SQL goes: the data source that the variable `clickhouse` says. */
export const clickhouse = { type: 'grafana-clickhouse-datasource', uid: '${clickhouse}' } as const;

/** A target of a panel that runs `rawSql`. */
export function sqlTarget(rawSql: string, format: SqlFormat): Builder<Dataquery> {
  const query: ClickHouseQuery = {
    refId: 'A',
    datasource: clickhouse,
    editorType: 'sql',
    queryType: format,
    format: formats[format],
    rawSql,
    _implementsDataqueryVariant: () => {},
  };
  return { build: () => query };
}

/** `column`, a time, is in what the dashboard shows. */
export const inRange = (column: string): string =>
  `${column} >= fromUnixTimestamp64Milli(\${__from}) AND ${column} < fromUnixTimestamp64Milli(\${__to})`;

/** An expression is one of what the variable `name` says, whose values never have a quote or backslash in them. */
export const isOne = (expression: string, name: string): string =>
  `match(${expression}, '^(\${${name}:regex})$')`;

/** Of the environments and agents that the variables say, and no rehearsal. */
export const ofAgents = `${isOne('AgentName', 'agent')} AND ${isOne('Environment', 'environment')} AND NOT startsWith(Environment, 'drill:')`;

/** Incidents that are counted, as the report counts them: not requests for an approval, of which people are told as of incidents. */
export const ofCounted = `${ofAgents} AND IncidentKey NOT LIKE 'rollback/%/awaiting_approval%'`;

/** Of the releases, too. */
export const ofReleases = `${ofAgents} AND ${isOne('Release', 'release')}`;
