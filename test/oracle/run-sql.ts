const latenessMs = 120_000;
const idleTimeoutMs = 300_000;

/** Each span where it was read first, with its end and how far that lay behind the newest of its partition. */
const spanSql = (sinceMs: number): string => `
  SELECT TraceId, SpanId, ParentSpanId, RunId, Step, AgentName, Release, Environment, CAST(StatusCode, 'String') = 'Error' AS Failed,
    CAST(Outcome, 'String') AS Outcome, if(Evidence = 'none', 'app', CAST(Evidence, 'String')) AS OutcomeEvidence,
    if(EscalationState = 'auto', '', CAST(EscalationReason, 'String')) AS Reason, EscalationState, CostUsd, CostSource,
    StreamPartition, StreamOffset, StreamIndex,
    toFloat64OrZero(SpanAttributes['plimsoll.review.seconds']) AS ReviewSeconds,
    arrayMap(
      said -> (substring(said.1, length('plimsoll.score.') + 1), toFloat64(said.2)),
      arrayFilter(
        said -> startsWith(said.1, 'plimsoll.score.'), CAST(SpanAttributes, 'Array(Tuple(String, String))')
      )
    ) AS SpanScores,
    intDiv(toUnixTimestamp64Nano(Timestamp), 1000000) AS startMs,
    intDiv(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration), 1000000) AS endMs,
    max(endMs) OVER (
      PARTITION BY StreamPartition ORDER BY StreamOffset, StreamIndex ROWS UNBOUNDED PRECEDING
    ) - endMs AS behindMs
  FROM otel_traces
  WHERE Timestamp >= fromUnixTimestamp64Milli(toInt64(${sinceMs}))
  ORDER BY StreamOffset, StreamIndex
  LIMIT 1 BY TraceId, SpanId`;

/**
 * The runs that have ended as of `watermarkMs`, out of their spans alone: by the root, or when nothing came for the timeout.
 * `IsInTime`: windows take them. A span around another one of the same call costs what that does, once.
 */
const runSql = (watermarkMs: number): string => `
  WITH
  spans AS (
    SELECT *, ParentSpanId = '' AS isRoot,
      (TraceId, SpanId) IN (SELECT TraceId, ParentSpanId FROM oracle_spans WHERE Step = 'tool') AS isAround,
      (indexOf(['app', 'evaluator', 'human'], OutcomeEvidence), endMs) AS strength
    FROM oracle_spans
  ),
  gathered AS (
    SELECT RunId, any(AgentName) AS agent, any(Release) AS release, any(Environment) AS environment,
      max(isRoot) AS hasRoot, maxIf(Failed, isRoot) AS rootFailed, maxIf(behindMs, isRoot) AS rootBehindMs,
      min(spans.startMs) AS beganMs, if(hasRoot, maxIf(spans.endMs, isRoot), max(spans.endMs)) AS overMs,
      argMaxIf(Outcome, strength, Outcome != '') AS saidOutcome,
      argMaxIf(OutcomeEvidence, strength, Outcome != '') AS saidEvidence,
      argMinIf(Reason, spans.endMs, Reason != '') AS firstReason,
      argMaxIf(EscalationState, spans.endMs, Reason != '') = 'requested'
        AND maxIf(spans.startMs, Step IN ('llm', 'tool') AND Reason = '') < maxIf(spans.endMs, Reason != '') AS waits,
      sumIf(ifNull(CostUsd, 0), Step = 'llm') AS llm,
      sumIf(ifNull(CostUsd, 0), Step = 'tool' AND NOT isAround) AS tool,
      sumIf(ifNull(CostUsd, 0), Step = 'review') AS review,
      sum(spans.ReviewSeconds) AS seconds,
      countIf(CostSource = 'unpriced') = 0 AS priced,
      arrayFlatten(arrayMap(x -> x.2, arraySort(groupArray((spans.endMs, SpanScores))))) AS scores
    FROM spans GROUP BY RunId
  )
  SELECT RunId, agent AS AgentName, release AS Release, environment AS Environment, hasRoot, beganMs, overMs,
    if(hasRoot, overMs, overMs + ${idleTimeoutMs}) AS countedMs,
    multiIf(saidOutcome != '', saidOutcome, rootFailed, 'failure', waits, 'escalated', hasRoot, 'completed', 'unknown') AS Outcome,
    if(saidOutcome = '', 'none', saidEvidence) AS Evidence,
    multiIf(firstReason != '', firstReason, Outcome = 'escalated', 'other', '') AS EscalationReason,
    EscalationReason != '' AS Escalated, (overMs - beganMs) / 1000 AS DurationSeconds,
    llm AS LlmCostUsd, tool AS ToolCostUsd, review AS ReviewCostUsd, llm + tool + review AS CostUsd,
    seconds AS ReviewSeconds, priced AS Priced,
    arrayFilter(
      (score, i) -> NOT has(arrayMap(x -> x.1, arraySlice(scores, i + 1)), score.1), scores, arrayEnumerate(scores)
    ) AS Scores,
    NOT hasRoot OR rootBehindMs <= ${latenessMs} AS IsInTime
  FROM gathered
  WHERE countedMs <= ${watermarkMs} OR hasRoot`;

/** Makes the tables of spans and of ended runs as of `watermarkMs`, as far back as `sinceMs`. */
export const runTables = (watermarkMs: number, sinceMs: number): Readonly<Record<string, string>> => ({
  oracle_spans: spanSql(sinceMs),
  oracle_ended: runSql(watermarkMs),
});

/** How many runs are such that it is only just, or only just not, time to end them: sweeps come once a second. */
export const unendedSql = `
  SELECT count() AS undecided FROM (
    SELECT RunId, max(endMs) AS lastMs, max(ParentSpanId = '') AS hasRoot FROM oracle_spans GROUP BY RunId
  ) WHERE NOT hasRoot AND abs(lastMs + ${idleTimeoutMs} - {watermarkMs:Int64}) <= 1010`;

const asText = (columns: string): string => `SELECT toString(tuple(*)) AS row FROM (SELECT ${columns})`;

/**
 * The rows of \`runs\`, or of what stands for it, that are not what spans say, and those that should be there: at most ten,
 * each as a text. Only runs that ended since \`sinceMs\`.
 */
export function viewSql(runs = 'runs'): string {
  const own = `RunId, toString(AgentName), toString(Release), toString(Environment), if(hasRoot, 'root', 'idle'), countedMs,
    beganMs, overMs, toString(Outcome), toString(Evidence), toString(EscalationReason), toFloat64(LlmCostUsd), toFloat64(ToolCostUsd),
    toFloat64(ReviewCostUsd), ReviewSeconds, Priced, arraySort(Scores)
    FROM oracle_ended WHERE countedMs >= {sinceMs:Int64}`;
  const view = `RunId, toString(AgentName), toString(Release), toString(Environment), toString(ClosedBy),
    toUnixTimestamp64Milli(ClosedTime), toUnixTimestamp64Milli(StartTime), toUnixTimestamp64Milli(EndTime), toString(Outcome),
    toString(Evidence), if(Escalated AND EscalationReason = '', 'other', toString(EscalationReason)), toFloat64(LlmCostUsd), toFloat64(ToolCostUsd),
    toFloat64(ReviewCostUsd), ReviewSeconds, toUInt8(Priced), arraySort(CAST(Scores, 'Array(Tuple(String, Float64))'))
    FROM ${runs} WHERE toUnixTimestamp64Milli(ClosedTime) >= {sinceMs:Int64}`;
  return `SELECT * FROM (
    SELECT 'by its spans' AS who, row FROM (${asText(own)} EXCEPT ${asText(view)})
    UNION ALL SELECT 'by the view' AS who, row FROM (${asText(view)} EXCEPT ${asText(own)})
  ) ORDER BY row LIMIT 10`;
}
