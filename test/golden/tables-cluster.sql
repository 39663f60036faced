CREATE TABLE IF NOT EXISTS plimsoll_migrations ON CLUSTER `it's \`main\``
(Number UInt32, Name String, Checksum String, AppliedAt DateTime64(3))
ENGINE = ReplicatedReplacingMergeTree() ORDER BY Number SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel_traces ON CLUSTER `it's \`main\``
(
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(T64, ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested
    (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested
    (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Step LowCardinality(String) CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    ToolName LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    Release LowCardinality(String) CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Result LowCardinality(String) CODEC(ZSTD(1)),
    Outcome LowCardinality(String) CODEC(ZSTD(1)),
    Evidence LowCardinality(String) CODEC(ZSTD(1)),
    ErrorType LowCardinality(String) CODEC(ZSTD(1)),
    Escalated Bool CODEC(ZSTD(1)),
    EscalationReason LowCardinality(String) CODEC(ZSTD(1)),
    EscalationState LowCardinality(String) CODEC(ZSTD(1)),
    Provider LowCardinality(String) CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),
    InputTokens Nullable(UInt64) CODEC(ZSTD(1)),
    OutputTokens Nullable(UInt64) CODEC(ZSTD(1)),
    CacheReadTokens Nullable(UInt64) CODEC(ZSTD(1)),
    CacheWriteTokens Nullable(UInt64) CODEC(ZSTD(1)),
    ReasoningTokens Nullable(UInt64) CODEC(ZSTD(1)),
    CostUsd Nullable(Decimal(18, 9)) CODEC(ZSTD(1)),
    CostSource LowCardinality(String) CODEC(ZSTD(1)),
    PolicyRevision LowCardinality(String) CODEC(ZSTD(1)),
    Rule LowCardinality(String) CODEC(ZSTD(1)),
    StreamId LowCardinality(String) CODEC(ZSTD(1)),
    StreamPartition UInt16 CODEC(ZSTD(1)),
    StreamOffset UInt64 CODEC(Delta, ZSTD(1)),
    StreamIndex UInt32 CODEC(ZSTD(1)),
    ResourceAttributeItems Array(String) ALIAS arrayMap(kv -> concat(kv.1, '=', kv.2), CAST(ResourceAttributes, 'Array(Tuple(String, String))')),
    SpanAttributeItems Array(String) ALIAS arrayMap(kv -> concat(kv.1, '=', kv.2), CAST(SpanAttributes, 'Array(Tuple(String, String))')),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_stream_offset StreamOffset TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree()
PARTITION BY toDate(Timestamp, 'UTC')
ORDER BY (ServiceName, Timestamp)
SETTINGS replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, ttl_only_drop_parts = 1,
    min_bytes_for_wide_part = 134217728, merge_selector_base = 20;

CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts ON CLUSTER `it's \`main\``
(
    TraceId String CODEC(ZSTD(1)),
    Start SimpleAggregateFunction(min, DateTime) CODEC(ZSTD(1)),
    End SimpleAggregateFunction(max, DateTime) CODEC(ZSTD(1))
)
ENGINE = ReplicatedAggregatingMergeTree()
PARTITION BY toStartOfWeek(Start)
ORDER BY TraceId
SETTINGS replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, ttl_only_drop_parts = 1,
    min_bytes_for_wide_part = 134217728, merge_selector_base = 20;

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv ON CLUSTER `it's \`main\`` TO otel_traces_trace_id_ts AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
FROM otel_traces
WHERE TraceId != ''
GROUP BY TraceId;

CREATE VIEW IF NOT EXISTS tool_calls ON CLUSTER `it's \`main\`` AS
SELECT
    Timestamp, TraceId, SpanId, ParentSpanId, ServiceName, RunId, SessionId, AgentName, Release, Environment, ToolName,
    Result, ErrorType, Duration / 1e9 AS DurationSeconds, Escalated, EscalationReason, EscalationState,
    CostUsd, CostSource, Rule
FROM otel_traces
WHERE Step = 'tool'
LIMIT 1 BY ServiceName, Timestamp, TraceId, SpanId;

CREATE TABLE IF NOT EXISTS agent_runs ON CLUSTER `it's \`main\``
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
ENGINE = ReplicatedReplacingMergeTree(Version)
ORDER BY RunId
SETTINGS replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

CREATE VIEW IF NOT EXISTS runs ON CLUSTER `it's \`main\`` AS
SELECT *, DurationSeconds, CostUsd
FROM agent_runs FINAL;

CREATE VIEW IF NOT EXISTS cost_per_task ON CLUSTER `it's \`main\`` AS
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

ALTER TABLE otel_traces ON CLUSTER `it's \`main\`` ADD COLUMN IF NOT EXISTS ToolCallId String MATERIALIZED if(Step = 'tool',
    arrayFirst(id -> id != '', [
        SpanAttributes['plimsoll.tool.call_id'], SpanAttributes['gen_ai.tool.call.id'],
        SpanAttributes['gen_ai.tool.call_id'], SpanAttributes['tool_call.id'], SpanAttributes['tool.id'],
        SpanAttributes['ai.toolCall.id'], SpanAttributes['tool_use_id'], SpanAttributes['call_id']
    ]), '') CODEC(ZSTD(1));

CREATE OR REPLACE VIEW tool_calls ON CLUSTER `it's \`main\`` AS
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

CREATE TABLE IF NOT EXISTS policies ON CLUSTER `it's \`main\``
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
ENGINE = ReplicatedReplacingMergeTree(Version)
ORDER BY PolicyRevision
SETTINGS replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

ALTER TABLE agent_runs ON CLUSTER `it's \`main\`` ADD COLUMN IF NOT EXISTS PolicyRevision LowCardinality(String) CODEC(ZSTD(1)) AFTER Scores;

ALTER TABLE agent_runs ON CLUSTER `it's \`main\`` ADD COLUMN IF NOT EXISTS ReviewSeconds Float64 CODEC(ZSTD(1)) AFTER ReviewCostUsd;

CREATE OR REPLACE VIEW runs ON CLUSTER `it's \`main\`` AS
SELECT *, DurationSeconds, CostUsd
FROM agent_runs FINAL;

CREATE OR REPLACE VIEW cost_per_task ON CLUSTER `it's \`main\`` AS
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

CREATE OR REPLACE VIEW tool_calls ON CLUSTER `it's \`main\`` AS
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

CREATE TABLE IF NOT EXISTS incidents ON CLUSTER `it's \`main\``
(
    IncidentId String CODEC(ZSTD(1)),
    IncidentKey String CODEC(ZSTD(1)),
    Source LowCardinality(String) CODEC(ZSTD(1)),
    Policy LowCardinality(String) CODEC(ZSTD(1)),
    PolicyRevision LowCardinality(String) CODEC(ZSTD(1)),
    Kpi LowCardinality(String) CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    Release LowCardinality(String) CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Severity LowCardinality(String) CODEC(ZSTD(1)),
    Owner LowCardinality(String) CODEC(ZSTD(1)),
    Title String CODEC(ZSTD(1)),
    Summary String CODEC(ZSTD(1)),
    StartedTime DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    DetectedTime DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    AcknowledgedTime Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    MitigatedTime Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    ResolvedTime Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    Resolution LowCardinality(String) CODEC(ZSTD(1)),
    Repeats UInt32 CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    SecondsToDetect Float64 ALIAS dateDiff('millisecond', StartedTime, DetectedTime) / 1000,
    SecondsToAcknowledge Nullable(Float64) ALIAS dateDiff('millisecond', DetectedTime, AcknowledgedTime) / 1000,
    SecondsToMitigate Nullable(Float64) ALIAS dateDiff('millisecond', DetectedTime, MitigatedTime) / 1000,
    SecondsToResolve Nullable(Float64) ALIAS dateDiff('millisecond', DetectedTime, ResolvedTime) / 1000
)
ENGINE = ReplicatedReplacingMergeTree(Version)
ORDER BY IncidentId
SETTINGS replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

CREATE VIEW IF NOT EXISTS incidents_now ON CLUSTER `it's \`main\`` AS
SELECT *, SecondsToDetect, SecondsToAcknowledge, SecondsToMitigate, SecondsToResolve
FROM incidents FINAL;

CREATE TABLE IF NOT EXISTS rollbacks ON CLUSTER `it's \`main\``
(
    Timestamp DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    Seq UInt64 CODEC(ZSTD(1)),
    Hash String CODEC(ZSTD(1)),
    PrevHash String CODEC(ZSTD(1)),
    RollbackId String CODEC(ZSTD(1)),
    Event LowCardinality(String) CODEC(ZSTD(1)),
    State LowCardinality(String) CODEC(ZSTD(1)),
    Target LowCardinality(String) CODEC(ZSTD(1)),
    Policy LowCardinality(String) CODEC(ZSTD(1)),
    PolicyRevision LowCardinality(String) CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    FromRelease LowCardinality(String) CODEC(ZSTD(1)),
    ToRelease LowCardinality(String) CODEC(ZSTD(1)),
    Mode LowCardinality(String) CODEC(ZSTD(1)),
    Cause LowCardinality(String) CODEC(ZSTD(1)),
    Actor LowCardinality(String) CODEC(ZSTD(1)),
    Reason String CODEC(ZSTD(1)),
    Evidence String CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree(Version)
ORDER BY (Seq, Hash)
SETTINGS replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

CREATE VIEW IF NOT EXISTS rollback_events ON CLUSTER `it's \`main\`` AS
SELECT *
FROM rollbacks FINAL
ORDER BY Seq;
