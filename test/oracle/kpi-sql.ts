import { runTables } from './run-sql.ts';

const latenessMs = 120_000;
/** Calls of a run that goes on wait for its root, but no longer than this. */
const holdMs = 60_000;
const hourMs = 3_600_000;

/** The runs that windows take: those that ended, unless their root was too late. */
const countedRuns = 'SELECT * FROM oracle_ended WHERE IsInTime';

/** The spans of tool calls, with when and how late they came. */
const callSpans = `
  SELECT c.*, a.endMs AS endMs, a.behindMs AS behindMs, a.StreamOffset AS offset, a.StreamIndex AS index
  FROM tool_calls AS c JOIN oracle_spans AS a ON c.TraceId = a.TraceId AND c.SpanId = a.SpanId`;

/**
 * The tool calls that windows take, one a row: the spans of a call id are attempts, one after the other, and those below
 * another one of them the same attempt, seen from inside.
 */
const countedCalls = (watermarkMs: number): string => `
  WITH
  held AS (
    SELECT RunId, argMin(endMs, (offset, index)) AS sinceMs FROM oracle_call_spans GROUP BY RunId
  ),
  inside AS (
    SELECT TraceId, ParentSpanId AS SpanId, any(DurationSeconds) AS seconds
    FROM oracle_call_spans WHERE (TraceId, ParentSpanId) IN (SELECT TraceId, SpanId FROM oracle_call_spans)
    GROUP BY TraceId, ParentSpanId
  ),
  attempts AS (
    SELECT s.*, if(i.SpanId = '', s.DurationSeconds, i.seconds) AS ownSeconds
    FROM oracle_call_spans AS s LEFT JOIN inside AS i ON s.TraceId = i.TraceId AND s.SpanId = i.SpanId
    WHERE (s.TraceId, s.ParentSpanId) NOT IN (SELECT TraceId, SpanId FROM oracle_call_spans)
  )
  SELECT
    any(AgentName) AS AgentName, any(Release) AS Release, any(Environment) AS Environment, any(ToolName) AS ToolName,
    count() AS Attempts, argMax(Result, endMs) AS LastResult, LastResult IN ('ok', 'error') AS Ran,
    argMax(ownSeconds, endMs) AS Seconds, max(endMs) AS countedMs
  FROM attempts
  WHERE RunId IN (SELECT RunId FROM oracle_ended)
    OR RunId IN (SELECT RunId FROM held WHERE sinceMs + ${holdMs} <= ${watermarkMs})
  GROUP BY RunId, ToolCallId
  HAVING argMax(behindMs, endMs) <= ${latenessMs}`;

/** Makes tables of what windows up to `longestMs` take as of `watermarkMs`, which the KPIs are asked of. */
export function countedSql(watermarkMs: number, longestMs: number): readonly string[] {
  const sinceMs = watermarkMs - longestMs - hourMs;
  const all = {
    ...runTables(watermarkMs, sinceMs),
    oracle_runs: countedRuns,
    oracle_call_spans: callSpans,
    oracle_calls: countedCalls(watermarkMs),
  };
  return Object.entries(all).map(
    ([name, sql]) => `CREATE OR REPLACE TABLE ${name} ENGINE = Memory AS ${sql}`,
  );
}

/** How many runs are such that it is only just, or only just not, time to count their calls: sweeps come once a second. */
export const uncountedSql = `
  SELECT count() AS undecided FROM (
    SELECT RunId, min(intDiv(toUnixTimestamp64Nano(Timestamp), 1000000) + toInt64(DurationSeconds * 1000)) AS endMs
    FROM tool_calls WHERE RunId NOT IN (SELECT RunId FROM oracle_ended) GROUP BY RunId
  ) WHERE abs(endMs + ${holdMs} - {watermarkMs:Int64}) <= 1010`;

/**
 * The rows of \`table\` in a window. It is made of panes, which are a sixtieth of it and at least 10 s; the last one is that
 * of the watermark.
 */
const inWindow = (table: string): string => `
  WITH
    greatest(intDiv({lengthMs:Int64}, 60), 10000) AS paneMs,
    intDiv({lengthMs:Int64} + paneMs - 1, paneMs) AS panes
  SELECT * FROM ${table} WHERE countedMs >= (intDiv({watermarkMs:Int64}, paneMs) - panes + 1) * paneMs`;

/** The labels that series of one kind have, and the columns that say them. */
const runLabels = { agent: 'AgentName', release: 'Release', environment: 'Environment' };

/** A kind of row that KPIs are sums of. */
export interface Source {
  readonly labels: Readonly<Record<string, string>>;
  /** SQL of the rows of one window. */
  readonly rows: string;
}

const sources = {
  runs: { labels: runLabels, rows: inWindow('oracle_runs') },
  incidents: {
    labels: runLabels,
    rows: `SELECT AgentName, Release, Environment, IsIncident FROM (${inWindow(`(
      SELECT AgentName, Release, Environment, countedMs, false AS IsIncident FROM oracle_runs
      UNION ALL
      SELECT AgentName, Release, Environment, countedMs, true FROM oracle_incidents
    )`)})`,
  },
  environments: { labels: { environment: 'Environment' }, rows: inWindow('oracle_runs') },
  scores: {
    labels: { ...runLabels, evaluator: 'Evaluator' },
    rows: `SELECT *, Score.1 AS Evaluator, Score.2 AS Value FROM (${inWindow('oracle_runs')}) ARRAY JOIN CAST(Scores, 'Array(Tuple(String, Float64))') AS Score`,
  },
  calls: { labels: { ...runLabels, tool: 'ToolName' }, rows: inWindow('oracle_calls') },
} as const satisfies Record<string, Source>;

/** One KPI in SQL, over the rows of its source. */
export interface SqlKpi {
  readonly source: Source;
  readonly stem: string;
  readonly suffix: string;
  readonly numerator: string;
  readonly denominator: string;
  /** Where there is one gauge for each value of one more label: which. */
  readonly by?: readonly [label: string, value: string];
  /** Where the gauge is quantiles and a mean: of what. */
  readonly quantilesOf?: string;
}

const good = "Outcome IN ('success', 'completed')";
const usd = (column: string): string => `toFloat64(sumIf(${column}, Priced))`;
const reasons = ['approval', 'human_handoff', 'input_request', 'guardrail', 'budget', 'other'];

function kpi(source: Source, stem: string, numerator: string, denominator: string): SqlKpi {
  const [, name = stem, suffix = ''] = /^(.*?)(_ratio|_seconds)?$/.exec(stem) ?? [];
  return { source, stem: `plimsoll_kpi_${name}`, suffix, numerator, denominator };
}

const { runs, incidents, environments, scores, calls } = sources;

/** Every KPI, by hand: nothing here is taken from the code that computes the gauges. */
export const sqlKpis: readonly SqlKpi[] = [
  kpi(runs, 'run_success_ratio', `countIf(${good})`, 'count()'),
  kpi(runs, 'run_failure_ratio', "countIf(Outcome = 'failure')", 'count()'),
  kpi(runs, 'run_escalation_ratio', 'countIf(Escalated)', 'count()'),
  ...reasons.map((reason): SqlKpi => {
    const said = `if(EscalationReason = '', 'other', EscalationReason) = '${reason}'`;
    const share = kpi(runs, 'run_escalation_by_reason_ratio', `countIf(Escalated AND ${said})`, 'count()');
    return { ...share, by: ['reason', reason] };
  }),
  kpi(runs, 'run_containment_ratio', "countIf(NOT Escalated AND Outcome != 'abandoned')", 'count()'),
  kpi(runs, 'run_abandonment_ratio', "countIf(Outcome = 'abandoned')", 'count()'),
  kpi(runs, 'outcome_evidence_ratio', "countIf(Evidence != 'none')", 'count()'),
  {
    ...kpi(runs, 'run_duration_seconds', 'sum(DurationSeconds)', 'count()'),
    quantilesOf: 'groupArray(DurationSeconds)',
  },
  kpi(incidents, 'incidents_per_run', 'countIf(IsIncident)', 'countIf(NOT IsIncident)'),
  kpi(runs, 'cost_usd_per_run', usd('CostUsd'), 'countIf(Priced)'),
  kpi(runs, 'cost_usd_per_success', usd('CostUsd'), `countIf(Priced AND ${good})`),
  ...['Llm', 'Tool', 'Review'].map((category): SqlKpi => {
    const share = kpi(runs, 'cost_by_category_usd_per_run', usd(`${category}CostUsd`), 'countIf(Priced)');
    return { ...share, by: ['category', category.toLowerCase()] };
  }),
  kpi(runs, 'review_cost_usd_per_run', 'toFloat64(sum(ReviewCostUsd))', 'count()'),
  { ...kpi(runs, 'review_seconds_per_run', 'sum(ReviewSeconds)', 'count()'), suffix: '' },
  kpi(runs, 'run_unpriced_ratio', 'countIf(NOT Priced)', 'count()'),
  kpi(environments, 'run_unattributed_ratio', "countIf('unknown' IN (AgentName, Release))", 'count()'),
  kpi(scores, 'quality_score_ratio', 'sum(Value)', 'count()'),
  kpi(calls, 'tool_call_success_ratio', "countIf(LastResult = 'ok')", 'countIf(Ran)'),
  kpi(calls, 'tool_call_attempt_success_ratio', "countIf(LastResult = 'ok')", 'sum(Attempts - 1 + Ran)'),
  kpi(calls, 'tool_call_retry_ratio', 'countIf(Ran AND Attempts > 1)', 'countIf(Ran)'),
  {
    ...kpi(calls, 'tool_call_duration_seconds', 'sumIf(Seconds, Ran)', 'countIf(Ran)'),
    quantilesOf: 'groupArrayIf(Seconds, Ran)',
  },
];

/** One query for all KPIs of `source`: a row for each series, with the sums of each KPI in their order. */
export function sqlOf(source: Source, kpis: readonly SqlKpi[]): string {
  const labels = Object.entries(source.labels).map(([label, column]) => `${column} AS ${label}`);
  const sums = kpis.map(
    ({ numerator, denominator, quantilesOf = '[]' }) =>
      `CAST((${numerator}, ${denominator}, ${quantilesOf}), 'Tuple(Float64, Float64, Array(Float64))')`,
  );
  const names = Object.keys(source.labels).join(', ');
  return `SELECT ${labels.join(', ')}, [${sums.join(', ')}] AS sums FROM (${source.rows}) GROUP BY ${names}`;
}
