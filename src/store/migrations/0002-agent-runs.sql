-- One run as it is known: a row with more of its spans (Version) replaces those with fewer, whatever the order in which
-- they arrive, and a row that comes again replaces itself. So inserts need no token, and none may be taken for another.
-- One partition, because rows replace each other within one only, and a run's times move as its spans arrive.
CREATE TABLE IF NOT EXISTS agent_runs {on_cluster}
(
    RunId String CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    Release LowCardinality(String) CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    UserId String CODEC(ZSTD(1)),
    TaskType LowCardinality(String) CODEC(ZSTD(1)),
    StartTime DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    EndTime DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    ClosedTime DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    ClosedBy LowCardinality(String) CODEC(ZSTD(1)),
    Outcome LowCardinality(String) CODEC(ZSTD(1)),
    Evidence LowCardinality(String) CODEC(ZSTD(1)),
    Escalated Bool CODEC(ZSTD(1)),
    EscalationReason LowCardinality(String) CODEC(ZSTD(1)),
    ToolCalls UInt32 CODEC(ZSTD(1)),
    ToolCallsFailed UInt32 CODEC(ZSTD(1)),
    ToolCallsRejected UInt32 CODEC(ZSTD(1)),
    ToolCallsCancelled UInt32 CODEC(ZSTD(1)),
    ToolCallAttempts UInt32 CODEC(ZSTD(1)),
    InputTokens UInt64 CODEC(ZSTD(1)),
    OutputTokens UInt64 CODEC(ZSTD(1)),
    LlmCostUsd Decimal(18, 9) CODEC(ZSTD(1)),
    ToolCostUsd Decimal(18, 9) CODEC(ZSTD(1)),
    ReviewCostUsd Decimal(18, 9) CODEC(ZSTD(1)),
    Priced Bool CODEC(ZSTD(1)),
    Scores Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    DurationSeconds Float64 ALIAS dateDiff('millisecond', StartTime, EndTime) / 1000,
    CostUsd Decimal(18, 9) ALIAS LlmCostUsd + ToolCostUsd + ReviewCostUsd
)
ENGINE = {engine:ReplacingMergeTree(Version)}
ORDER BY RunId
SETTINGS {no_deduplication}, {durability}, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

-- Each run once, as it is known now.
CREATE VIEW IF NOT EXISTS runs {on_cluster} AS
SELECT *, DurationSeconds, CostUsd
FROM agent_runs FINAL;

-- What a task costs, by the day on which it ended. As in the gauges, a run of unknown price is on neither side of a cost:
-- unknown is not 0. What failed runs cost is part of what a success costs.
CREATE VIEW IF NOT EXISTS cost_per_task {on_cluster} AS
SELECT
    AgentName, Release, Environment, toDate(ClosedTime) AS Day,
    count() AS Runs,
    countIf(Outcome IN ('success', 'completed')) AS Successes,
    countIf(Priced) AS PricedRuns,
    countIf(Priced AND Outcome IN ('success', 'completed')) AS PricedSuccesses,
    sumIf(LlmCostUsd + ToolCostUsd + ReviewCostUsd, Priced) AS CostUsd,
    toFloat64(CostUsd) / nullIf(PricedRuns, 0) AS CostUsdPerRun,
    toFloat64(CostUsd) / nullIf(PricedSuccesses, 0) AS CostUsdPerSuccess
FROM agent_runs FINAL
GROUP BY AgentName, Release, Environment, Day;

-- Names a tool call across the spans and log records that tell of it, whichever convention its sender follows.
ALTER TABLE otel_traces {on_cluster} ADD COLUMN IF NOT EXISTS ToolCallId String MATERIALIZED if(Step = 'tool',
    arrayFirst(id -> id != '', [
        SpanAttributes['plimsoll.tool.call_id'], SpanAttributes['gen_ai.tool.call.id'],
        SpanAttributes['gen_ai.tool.call_id'], SpanAttributes['tool_call.id'], SpanAttributes['tool.id'],
        SpanAttributes['ai.toolCall.id'], SpanAttributes['tool_use_id'], SpanAttributes['call_id']
    ]), '') CODEC(ZSTD(1));

-- Without the log records of calls that spans of their trace tell of, too. A row is made of a log record where it has
-- the key plimsoll.log; keys are read without the values, which are most of a row.
CREATE OR REPLACE VIEW tool_calls {on_cluster} AS
SELECT
    Timestamp, TraceId, SpanId, ParentSpanId, ServiceName, RunId, SessionId, AgentName, Release, Environment, ToolName,
    Result, ErrorType, Duration / 1e9 AS DurationSeconds, Escalated, EscalationReason, EscalationState,
    CostUsd, CostSource, Rule, ToolCallId
FROM otel_traces
WHERE Step = 'tool' AND (NOT has(SpanAttributes.keys, 'plimsoll.log') OR (TraceId, ToolCallId) NOT IN (
    SELECT TraceId, ToolCallId
    FROM otel_traces
    WHERE Step = 'tool' AND NOT has(SpanAttributes.keys, 'plimsoll.log') AND ToolCallId != '' AND TraceId IN (
        SELECT TraceId
        FROM otel_traces
        WHERE Step = 'tool' AND has(SpanAttributes.keys, 'plimsoll.log')
    )
))
LIMIT 1 BY ServiceName, Timestamp, TraceId, SpanId;
