import { outcomes, usuallyGood } from '../semconv/vocabulary.ts';
import { runSums, scoreSums, toolSums, type Sum } from './kpi-sums.ts';
import { runKpis, scoreKpis, toolKpis, type Amount, type Kpi } from './kpi-table.ts';

/** A KPI, its labels beside `window`, and how to ask ClickHouse for it. */
export interface KpiReference {
  readonly kpi: Kpi<string>;
  readonly labels: readonly string[];
  /** Where its events come from. */
  readonly source: string;
  /**
   * Gives the labels, `numerator`, `denominator` and `value` for the events of a window, from the placeholder `from` to
   * before `to`. Good are the outcomes that are where no policy says so. Undefined where ClickHouse does not have all of it.
   */
  readonly sql: string | undefined;
  /** When that gives another figure than the gauge does, in whole sentences; undefined where it does not. */
  readonly differs: string | undefined;
}

interface Source {
  readonly words: string;
  /** Columns by label. */
  readonly labels: Readonly<Record<string, string>>;
  readonly from: string;
  /** All durations, of which quantiles are taken. */
  readonly durations: string;
  readonly sums: Readonly<Record<string, Sum<never>>>;
}

const release = { agent: 'AgentName', release: 'Release', environment: 'Environment' } as const;
const inWindow = (column: string): string =>
  `${column} >= {from:DateTime64(3, 'UTC')} AND ${column} < {to:DateTime64(3, 'UTC')}`;

const runs: Source = {
  words: 'runs, when they end or are given up as idle; rows of `runs` by ClosedTime',
  labels: release,
  from: `runs\nWHERE ${inWindow('ClosedTime')}`,
  durations: 'groupArray(DurationSeconds)',
  sums: runSums,
};

const incidents: Source = {
  words: 'incidents when they open, rows of `incidents_now` by DetectedTime; runs as above',
  labels: release,
  from: `(
    SELECT AgentName, Release, Environment, ClosedTime AS Time, false AS IsIncident FROM runs
    UNION ALL
    SELECT AgentName, Release, Environment, DetectedTime, true FROM incidents_now
)
WHERE ${inWindow('Time')}`,
  durations: '',
  sums: runSums,
};

const scores: Source = {
  words: 'scores of finished runs, the latest of each evaluator; `Scores` of `runs` by ClosedTime',
  labels: { ...release, evaluator: 'Evaluator' },
  from: `runs\nARRAY JOIN mapKeys(Scores) AS Evaluator, mapValues(Scores) AS Score\nWHERE ${inWindow('ClosedTime')}`,
  durations: '',
  sums: scoreSums,
};

const tools: Source = {
  words:
    'tool calls when they end, with the labels of their run; rows of `tool_calls`, where attempts of a call are told by its id alone',
  labels: { ...release, tool: 'ToolName' },
  from: `(
    SELECT
        if(R.RunId = '', C.AgentName, R.AgentName) AS AgentName, if(R.RunId = '', C.Release, R.Release) AS Release,
        if(R.RunId = '', C.Environment, R.Environment) AS Environment, C.ToolName AS ToolName,
        argMax(C.Result, C.Timestamp) AS Result, count() AS Attempts, argMax(C.DurationSeconds, C.Timestamp) AS DurationSeconds,
        max(C.Timestamp + toIntervalNanosecond(toInt64(round(C.DurationSeconds * 1e9)))) AS EndTime
    FROM tool_calls AS C LEFT ANY JOIN runs AS R ON C.RunId = R.RunId
    GROUP BY AgentName, Release, Environment, ToolName, C.RunId, if(C.ToolCallId = '', C.SpanId, C.ToolCallId)
)
WHERE ${inWindow('EndTime')}`,
  durations: "groupArrayIf(DurationSeconds, Result IN ('ok', 'error'))",
  sums: toolSums,
};

const countsSpans =
  'The SQL counts spans: those of a run and a tool with one call id are attempts of one call, any other is a call of its own. The run of a span is the one that the span itself names, else its trace.';
/** Spans that tell of one call are put together by what only the run as a whole says: by nesting, arguments and numbers. */
const differs: Readonly<Record<string, string>> = {
  plimsoll_kpi_tool_call_success: `${countsSpans} It gives the gauge where each call without an id is one span and no id is used for two calls: the spans of a client and of a server without an id are two calls to it, and so is a retry that is told by its arguments.`,
  plimsoll_kpi_tool_call_attempt_success: `${countsSpans} It gives the gauge where each attempt is one span and no id is used for two calls: the spans of a client and of a server are two attempts to it, and attempts that only a number tells of are none.`,
  plimsoll_kpi_tool_call_retry: `${countsSpans} It gives the gauge where each attempt is one span with the id of its call, which no other call has: a retry that is told by its arguments or by a number is none to it, and the spans of a client and of a server with one id are one.`,
  plimsoll_kpi_tool_call_duration: `${countsSpans} It gives the gauge where each attempt is one span, has the id of its call where that has several, and no id is used for two calls: the spans of a client and of a server without an id, and a retry that is told by its arguments, are two calls to it, and of spans with one id it takes the one that began last.`,
};

/** Every KPI, in the order in which gauges are exported. */
export const kpiReference: readonly KpiReference[] = [
  ...runKpis.map((kpi) => referenceOf(kpi, kpi.unit === 'incidents' ? incidents : runs)),
  ...scoreKpis.map((kpi) => referenceOf(kpi, scores)),
  ...toolKpis.map((kpi) => referenceOf(kpi, tools)),
];

function referenceOf(kpi: Kpi<string>, source: Source): KpiReference {
  const labels = kpi.whole ? [kpi.whole] : Object.keys(source.labels);
  const more = kpi.by?.label ?? (kpi.stats && 'stat');
  return {
    kpi,
    labels: more ? [...labels, more] : labels,
    source: source.words,
    sql: sqlOf(kpi, source, labels),
    differs: differs[kpi.stem],
  };
}

function sqlOf(kpi: Kpi<string>, source: Source, labels: readonly string[]): string | undefined {
  const selected = labels.map((label) => `${source.labels[label]} AS ${label}`);
  const { numerator, by, stats } = kpi;
  const below = amountSql(kpi.denominator, source);
  const above =
    'belowTarget' in numerator ? 'countIf(Score < {target:Float64})' : amountSql(numerator, source);
  const parts = by && partsSql(by.sums, source);
  if (below === undefined || above === undefined) return undefined;
  const value = 'numerator / nullIf(denominator, 0) AS value';
  const from = `FROM ${source.from}\nGROUP BY ${labels.join(', ')}`;
  const sides = `${above} AS numerator,\n    ${below} AS denominator`;
  if (by)
    return `SELECT ${labels.join(', ')}, part.1 AS ${by.label}, part.2 AS numerator, denominator, ${value}
FROM
(
SELECT
    ${selected.join(', ')},
    [${parts}] AS parts,
    ${below} AS denominator
${from}
)
ARRAY JOIN parts AS part`;
  if (stats) {
    const quantiles = Object.entries(stats).map(
      ([stat, level]) => `('${stat}', ${quantileSql(level, source)})`,
    );
    return `SELECT ${labels.join(', ')}, part.1 AS stat, numerator, denominator, part.2 AS value
FROM
(
SELECT
    ${selected.join(', ')},
    ${sides},
    [${[...quantiles, "('mean', numerator / nullIf(denominator, 0))"].join(',\n        ')}] AS parts
${from}
)
ARRAY JOIN parts AS part`;
  }
  return `SELECT\n    ${selected.join(', ')},\n    ${sides},\n    ${value}\n${from}`;
}

function amountSql({ sums, sql, only }: Amount<string>, source: Source): string | undefined {
  if (sql !== undefined) return sql;
  const counted = only ? sums.filter((_, i) => usuallyGood.has(outcomes[i]!)) : sums;
  const each = counted.map((name) => source.sums[name]?.sql);
  return each.includes(undefined) ? undefined : each.join(' + ');
}

function partsSql(sums: Readonly<Record<string, string>>, source: Source): string {
  return Object.entries(sums)
    .map(([value, name]) => `('${value}', ${source.sums[name]?.sql})`)
    .join(',\n        ');
}

/** The element of a sorted array that a sketch gives, too. */
function quantileSql(level: number, { durations }: Source): string {
  return `arrayElement(arraySort(${durations}), 1 + toInt64(floor(${level} * (denominator - 1))))`;
}
