-- A policy as it was in use, by its revision: a hash of what it says. Who begins to use it says so again, and the row of
-- the first time stands, because its Version is the greatest.
CREATE TABLE IF NOT EXISTS policies {on_cluster}
(
    PolicyRevision LowCardinality(String) CODEC(ZSTD(1)),
    Policy LowCardinality(String) CODEC(ZSTD(1)),
    PolicyVersion UInt32 CODEC(ZSTD(1)),
    Owner LowCardinality(String) CODEC(ZSTD(1)),
    OnCall LowCardinality(String) CODEC(ZSTD(1)),
    Agents Array(String) CODEC(ZSTD(1)),
    Environments Array(String) CODEC(ZSTD(1)),
    GoodOutcomes Array(LowCardinality(String)) CODEC(ZSTD(1)),
    Document String CODEC(ZSTD(1)),
    FirstUsed DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1))
)
ENGINE = {engine:ReplacingMergeTree(Version)}
ORDER BY PolicyRevision
SETTINGS {no_deduplication}, {durability}, index_granularity = 8192;

-- The policy that covered the run's agent and environment when the row was made.
ALTER TABLE agent_runs {on_cluster} ADD COLUMN IF NOT EXISTS PolicyRevision LowCardinality(String) CODEC(ZSTD(1)) AFTER Scores;

-- How long humans worked on the run's reviews.
ALTER TABLE agent_runs {on_cluster} ADD COLUMN IF NOT EXISTS ReviewSeconds Float64 CODEC(ZSTD(1)) AFTER ReviewCostUsd;

CREATE OR REPLACE VIEW runs {on_cluster} AS
SELECT *, DurationSeconds, CostUsd
FROM agent_runs FINAL;

-- As before, but good is what the policy of the run calls good.
CREATE OR REPLACE VIEW cost_per_task {on_cluster} AS
SELECT
    AgentName, Release, Environment, toDate(ClosedTime) AS Day,
    count() AS Runs,
    countIf(IsGood) AS Successes,
    countIf(Priced) AS PricedRuns,
    countIf(Priced AND IsGood) AS PricedSuccesses,
    sumIf(KnownCostUsd, Priced) AS CostUsd,
    toFloat64(CostUsd) / nullIf(PricedRuns, 0) AS CostUsdPerRun,
    toFloat64(CostUsd) / nullIf(PricedSuccesses, 0) AS CostUsdPerSuccess
FROM
(
    SELECT
        AgentName, Release, Environment, ClosedTime, Priced,
        LlmCostUsd + ToolCostUsd + ReviewCostUsd AS KnownCostUsd,
        if(PolicyRevision IN (SELECT PolicyRevision FROM policies),
            (PolicyRevision, Outcome) IN (SELECT PolicyRevision, arrayJoin(GoodOutcomes) FROM policies),
            Outcome IN ('success', 'completed')) AS IsGood
    FROM agent_runs FINAL
)
GROUP BY AgentName, Release, Environment, Day;

-- As before, with the policy of the call's agent.
CREATE OR REPLACE VIEW tool_calls {on_cluster} AS
SELECT
    Timestamp, TraceId, SpanId, ParentSpanId, ServiceName, RunId, SessionId, AgentName, Release, Environment, ToolName,
    Result, ErrorType, Duration / 1e9 AS DurationSeconds, Escalated, EscalationReason, EscalationState,
    CostUsd, CostSource, Rule, ToolCallId, PolicyRevision
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
