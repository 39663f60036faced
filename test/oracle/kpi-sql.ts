/** Milliseconds since the epoch at the end of a column of time. */
const ms = (column: string): string => `toUnixTimestamp64Milli(${column})`;

const lengths = { latenessMs: 120_000, holdMs: 60_000 } as const;

/**
 * What queries of one window begin with: `fromMs`, the start of its oldest pane. Panes are a sixtieth of the window, at
 * least 10 s; the last one is that of the watermark.
 */
const window = `
  greatest(intDiv({lengthMs:Int64}, 60), 10000) AS paneMs,
  (intDiv({watermarkMs:Int64}, paneMs) - intDiv({lengthMs:Int64} + paneMs - 1, paneMs) + 1) * paneMs AS fromMs`;

/** Each span where it was read first, with its end and how far that lay behind the newest of its partition. */
const arrivals = `
  arrivals AS (
    SELECT TraceId, SpanId, ParentSpanId, StreamPartition, StreamOffset, StreamIndex,
      intDiv(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration), 1000000) AS endMs,
      max(endMs) OVER (
        PARTITION BY StreamPartition ORDER BY StreamOffset, StreamIndex ROWS UNBOUNDED PRECEDING
      ) - endMs AS behindMs
    FROM otel_traces
    WHERE Timestamp >= fromUnixTimestamp64Milli(toInt64({watermarkMs:Int64} - {lengthMs:Int64} - 3600000))
    ORDER BY StreamOffset, StreamIndex
    LIMIT 1 BY TraceId, SpanId
  )`;

/** Runs of the window: those that ended in it, unless their root was too late. */
const runsOfWindow = `
  WITH ${window}, ${arrivals}
  SELECT * FROM runs
  WHERE ${ms('ClosedTime')} >= fromMs AND RunId NOT IN (
    SELECT lower(TraceId) FROM arrivals WHERE ParentSpanId = '' AND behindMs > ${lengths.latenessMs}
  )`;

/**
 * Tool calls of the window, one a row: the spans of a call id are attempts, one after the other, and those below another
 * one of them the same attempt, seen from inside. Calls of a run that goes on wait for its root, but no longer than a minute.
 */
const callsOfWindow = `
  WITH ${window}, ${arrivals},
  spans AS (
    SELECT c.*, a.endMs AS endMs, a.behindMs AS behindMs, a.StreamOffset AS offset, a.StreamIndex AS index
    FROM tool_calls AS c JOIN arrivals AS a ON c.TraceId = a.TraceId AND c.SpanId = a.SpanId
  ),
  held AS (SELECT RunId, argMin(endMs, (offset, index)) AS sinceMs FROM spans GROUP BY RunId),
  inside AS (
    SELECT TraceId, ParentSpanId AS SpanId, any(DurationSeconds) AS seconds
    FROM spans WHERE (TraceId, ParentSpanId) IN (SELECT TraceId, SpanId FROM spans)
    GROUP BY TraceId, ParentSpanId
  ),
  attempts AS (
    SELECT s.*, if(i.SpanId = '', s.DurationSeconds, i.seconds) AS ownSeconds
    FROM spans AS s LEFT JOIN inside AS i ON s.TraceId = i.TraceId AND s.SpanId = i.SpanId
    WHERE (s.TraceId, s.ParentSpanId) NOT IN (SELECT TraceId, SpanId FROM spans)
  )
  SELECT
    any(AgentName) AS AgentName, any(Release) AS Release, any(Environment) AS Environment, any(ToolName) AS ToolName,
    count() AS Attempts, argMax(Result, endMs) AS LastResult, LastResult IN ('ok', 'error') AS Ran,
    argMax(ownSeconds, endMs) AS Seconds
  FROM attempts
  WHERE RunId IN (SELECT RunId FROM runs)
    OR RunId IN (SELECT RunId FROM held WHERE sinceMs + ${lengths.holdMs} <= {watermarkMs:Int64})
  GROUP BY RunId, ToolCallId
  HAVING max(endMs) >= fromMs AND argMax(behindMs, endMs) <= ${lengths.latenessMs}`;

/** How many runs are such that it is only just, or only just not, time to count their calls: sweeps come once a second. */
export const undecidedSql = `
  SELECT count() AS undecided FROM (
    SELECT RunId, min(intDiv(toUnixTimestamp64Nano(Timestamp), 1000000) + toInt64(DurationSeconds * 1000)) AS endMs
    FROM tool_calls WHERE RunId NOT IN (SELECT RunId FROM runs) GROUP BY RunId
  ) WHERE abs(endMs + ${lengths.holdMs} - {watermarkMs:Int64}) <= 1010`;

/** The labels that series of one kind have, and the columns that say them. */
const runLabels = { agent: 'AgentName', release: 'Release', environment: 'Environment' };

/** A kind of row that KPIs are sums of. */
export interface Source {
  readonly labels: Readonly<Record<string, string>>;
  /** SQL of the rows of one window. */
  readonly rows: string;
}

const sources = {
  runs: { labels: runLabels, rows: runsOfWindow },
  scores: {
    labels: { ...runLabels, evaluator: 'Evaluator' },
    rows: `SELECT *, Score.1 AS Evaluator, Score.2 AS Value FROM (${runsOfWindow}) ARRAY JOIN CAST(Scores, 'Array(Tuple(String, Float64))') AS Score`,
  },
  calls: { labels: { ...runLabels, tool: 'ToolName' }, rows: callsOfWindow },
} as const satisfies Record<string, Source>;

/** One KPI in SQL, over the rows of its source. */
export interface SqlKpi {
  readonly source: Source;
  readonly stem: string;
  readonly suffix: string;
  readonly numerator: string;
  readonly denominator: string;
  /** Where the gauge is quantiles: of what. */
  readonly quantilesOf?: string;
}

const good = "Outcome IN ('success', 'completed')";
const cost = 'toFloat64(CostUsd)';
const sumIf = (value: string, condition: string): string => `sumIf(${value}, ${condition})`;

/** Every KPI, by hand: nothing here is taken from the code that computes the gauges. */
export const sqlKpis: readonly SqlKpi[] = [
  ratio('run_success', `countIf(${good})`, 'count()'),
  ratio('run_escalation', 'countIf(Escalated)', 'count()'),
  ratio('run_containment', "countIf(NOT Escalated AND Outcome != 'abandoned')", 'count()'),
  ratio('outcome_evidence', "countIf(Evidence != 'none')", 'count()'),
  { ...ratio('cost_usd_per_run', sumIf(cost, 'Priced'), 'countIf(Priced)'), suffix: '' },
  { ...ratio('cost_usd_per_success', sumIf(cost, 'Priced'), `countIf(Priced AND ${good})`), suffix: '' },
  { ...ratio('review_cost_usd_per_run', 'sum(toFloat64(ReviewCostUsd))', 'count()'), suffix: '' },
  { ...ratio('quality_score', 'sum(Value)', 'count()'), source: sources.scores },
  ...[
    ratio('tool_call_success', "countIf(LastResult = 'ok')", 'countIf(Ran)'),
    ratio('tool_call_attempt_success', "countIf(LastResult = 'ok')", 'sum(Attempts - 1 + Ran)'),
    ratio('tool_call_retry', 'countIf(Ran AND Attempts > 1)', 'countIf(Ran)'),
    {
      ...ratio('tool_call_duration', sumIf('Seconds', 'Ran'), 'countIf(Ran)'),
      suffix: '_seconds',
      quantilesOf: 'groupArrayIf(Seconds, Ran)',
    },
  ].map((kpi) => ({ ...kpi, source: sources.calls })),
];

function ratio(name: string, numerator: string, denominator: string): SqlKpi {
  return { source: sources.runs, stem: `plimsoll_kpi_${name}`, suffix: '_ratio', numerator, denominator };
}

/** One query for all KPIs of `source`: a row for each series, with the sums of each KPI by its stem. */
export function sqlOf(source: Source, kpis: readonly SqlKpi[]): string {
  const labels = Object.entries(source.labels).map(([label, column]) => `${column} AS ${label}`);
  const sums = kpis.map(
    ({ numerator, denominator, quantilesOf = "CAST([], 'Array(Float64)')" }) =>
      `(toFloat64(${numerator}), toFloat64(${denominator}), ${quantilesOf})`,
  );
  return `SELECT ${labels.join(', ')}, [${sums.map((sum) => `CAST(${sum}, 'Tuple(Float64, Float64, Array(Float64))')`).join(', ')}] AS sums FROM (${source.rows}) GROUP BY ${Object.keys(source.labels).join(', ')}`;
}
