CREATE TABLE IF NOT EXISTS plimsoll_migrations 
(Number UInt32, Name String, Checksum String, AppliedAt DateTime64(3))
ENGINE = ReplacingMergeTree() ORDER BY Number SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

CREATE TABLE IF NOT EXISTS otel_traces 
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
ENGINE = MergeTree()
PARTITION BY toDate(Timestamp, 'UTC')
ORDER BY (ServiceName, Timestamp)
SETTINGS non_replicated_deduplication_window = 100000, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480, index_granularity = 8192, ttl_only_drop_parts = 1,
    min_bytes_for_wide_part = 134217728, merge_selector_base = 20;

CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts 
(
    TraceId String CODEC(ZSTD(1)),
    Start SimpleAggregateFunction(min, DateTime) CODEC(ZSTD(1)),
    End SimpleAggregateFunction(max, DateTime) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree()
PARTITION BY toStartOfWeek(Start)
ORDER BY TraceId
SETTINGS non_replicated_deduplication_window = 100000, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480, index_granularity = 8192, ttl_only_drop_parts = 1,
    min_bytes_for_wide_part = 134217728, merge_selector_base = 20;

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv  TO otel_traces_trace_id_ts AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
FROM otel_traces
WHERE TraceId != ''
GROUP BY TraceId;

CREATE VIEW IF NOT EXISTS tool_calls  AS
SELECT
    Timestamp, TraceId, SpanId, ParentSpanId, ServiceName, RunId, SessionId, AgentName, Release, Environment, ToolName,
    Result, ErrorType, Duration / 1e9 AS DurationSeconds, Escalated, EscalationReason, EscalationState,
    CostUsd, CostSource, Rule
FROM otel_traces
WHERE Step = 'tool'
LIMIT 1 BY ServiceName, Timestamp, TraceId, SpanId;

CREATE TABLE IF NOT EXISTS agent_runs 
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
ENGINE = ReplacingMergeTree(Version)
ORDER BY RunId
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

CREATE VIEW IF NOT EXISTS runs  AS
SELECT *, DurationSeconds, CostUsd
FROM agent_runs FINAL;

CREATE VIEW IF NOT EXISTS cost_per_task  AS
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

ALTER TABLE otel_traces  ADD COLUMN IF NOT EXISTS ToolCallId String MATERIALIZED if(Step = 'tool',
    arrayFirst(id -> id != '', [
        SpanAttributes['plimsoll.tool.call_id'], SpanAttributes['gen_ai.tool.call.id'],
        SpanAttributes['gen_ai.tool.call_id'], SpanAttributes['tool_call.id'], SpanAttributes['tool.id'],
        SpanAttributes['ai.toolCall.id'], SpanAttributes['tool_use_id'], SpanAttributes['call_id']
    ]), '') CODEC(ZSTD(1));

CREATE OR REPLACE VIEW tool_calls  AS
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

CREATE TABLE IF NOT EXISTS policies 
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
ENGINE = ReplacingMergeTree(Version)
ORDER BY PolicyRevision
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480, index_granularity = 8192;

ALTER TABLE agent_runs  ADD COLUMN IF NOT EXISTS PolicyRevision LowCardinality(String) CODEC(ZSTD(1)) AFTER Scores;

ALTER TABLE agent_runs  ADD COLUMN IF NOT EXISTS ReviewSeconds Float64 CODEC(ZSTD(1)) AFTER ReviewCostUsd;

CREATE OR REPLACE VIEW runs  AS
SELECT *, DurationSeconds, CostUsd
FROM agent_runs FINAL;

CREATE OR REPLACE VIEW cost_per_task  AS
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

CREATE OR REPLACE VIEW tool_calls  AS
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

CREATE TABLE IF NOT EXISTS incidents 
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
ENGINE = ReplacingMergeTree(Version)
ORDER BY IncidentId
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

CREATE VIEW IF NOT EXISTS incidents_now  AS
SELECT *, SecondsToDetect, SecondsToAcknowledge, SecondsToMitigate, SecondsToResolve
FROM incidents FINAL;

CREATE TABLE IF NOT EXISTS rollbacks 
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
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Seq, Hash)
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

CREATE VIEW IF NOT EXISTS rollback_events  AS
SELECT *
FROM rollbacks FINAL
ORDER BY Seq;

ALTER TABLE otel_traces 
    MODIFY COMMENT 'One row a span, with the columns of the Collector''s ClickHouse exporter and what the span means.',
    COMMENT COLUMN Timestamp 'Start of the span; of the record, where that is more than 366 days before or a day after it.',
    COMMENT COLUMN TraceId '32 hexadecimal digits; in a row made of a log record without one, a hash of its session and prompt.',
    COMMENT COLUMN SpanId '16 hexadecimal digits, of the trace.',
    COMMENT COLUMN ParentSpanId 'The span that it is part of; '''' where it is the first of its trace.',
    COMMENT COLUMN TraceState 'The W3C trace state; '''' where nobody says.',
    COMMENT COLUMN SpanName 'As the sender says.',
    COMMENT COLUMN SpanKind 'Unspecified, Internal, Server, Client, Producer or Consumer.',
    COMMENT COLUMN ServiceName 'service.name of the resource; '''' where nobody says.',
    COMMENT COLUMN ResourceAttributes 'Attributes of the process that sent it.',
    COMMENT COLUMN ScopeName 'The instrumentation library; '''' where nobody says.',
    COMMENT COLUMN ScopeVersion 'Its version; '''' where nobody says.',
    COMMENT COLUMN SpanAttributes 'Attributes of the span, with those of Plimsoll (plimsoll.*); content is not there unless it is kept.',
    COMMENT COLUMN Duration 'Nanoseconds.',
    COMMENT COLUMN StatusCode 'Unset, Ok or Error, as the sender says; whether it failed says ErrorType.',
    COMMENT COLUMN StatusMessage ''''' unless content is kept.',
    COMMENT COLUMN `Events.Timestamp` 'Times of the events of the span.',
    COMMENT COLUMN `Events.Name` 'Names of the events, in the same order.',
    COMMENT COLUMN `Events.Attributes` 'Attributes of the events, in the same order.',
    COMMENT COLUMN `Links.TraceId` 'Traces that the span links to.',
    COMMENT COLUMN `Links.SpanId` 'Spans that it links to, in the same order.',
    COMMENT COLUMN `Links.TraceState` 'Trace states of the links, in the same order.',
    COMMENT COLUMN `Links.Attributes` 'Attributes of the links, in the same order.',
    COMMENT COLUMN Step 'What the span means: tool, llm, agent, handoff, guardrail, evaluator, review or other.',
    COMMENT COLUMN AgentName 'As this span says, else its service; that of the whole run is in runs. unknown where nobody says.',
    COMMENT COLUMN ToolName 'Of a step tool; '''' on others.',
    COMMENT COLUMN RunId 'Of the run that it is part of; the trace id where nobody says.',
    COMMENT COLUMN SessionId 'Of the conversation, as this span says; '''' where it does not.',
    COMMENT COLUMN Release 'The release of the agent, as this span says; unknown where it does not.',
    COMMENT COLUMN Environment 'Where it ran, as this span says; unknown where it does not; drill:… is a rehearsal.',
    COMMENT COLUMN Result 'Of a step tool: ok, error, rejected (a human said no) or cancelled; '''' on others.',
    COMMENT COLUMN Outcome 'What this span says of how its run ended: success, completed, failure, escalated, abandoned or unknown; '''' where it does not.',
    COMMENT COLUMN Evidence 'Who says that outcome: app, evaluator or human; none where nobody does.',
    COMMENT COLUMN ErrorType 'What failed, as a category; '''' where the span did not fail.',
    COMMENT COLUMN Escalated 'Whether control passed to a human here.',
    COMMENT COLUMN EscalationReason 'Why: approval, human_handoff, input_request, guardrail, budget or other; '''' where it did not.',
    COMMENT COLUMN EscalationState 'Where that stands: requested, approved, rejected, modified, aborted, timed_out or auto; '''' where it did not.',
    COMMENT COLUMN Provider 'Of the model; '''' where nobody says.',
    COMMENT COLUMN Model 'The model that answered, else the one that was asked; '''' where nobody says.',
    COMMENT COLUMN InputTokens 'Read by the model, those from a cache included; NULL where nobody says. Add them up where Step is llm: agents repeat the sum.',
    COMMENT COLUMN OutputTokens 'Written by the model, reasoning included; NULL where nobody says. Add them up where Step is llm.',
    COMMENT COLUMN CacheReadTokens 'Those of InputTokens that were read from a cache; NULL where nobody says.',
    COMMENT COLUMN CacheWriteTokens 'Those of InputTokens that were written to a cache; NULL where nobody says.',
    COMMENT COLUMN ReasoningTokens 'Those of OutputTokens that were reasoning; NULL where nobody says.',
    COMMENT COLUMN CostUsd 'US dollars that this span itself cost; NULL where that is not known, which is not 0.',
    COMMENT COLUMN CostSource 'Who says the cost: reported (the sender), computed (from tokens and list prices), static (the configuration), unpriced (nobody); '''' where nothing cost.',
    COMMENT COLUMN PolicyRevision 'The policy that covered agent and environment when the span was taken; '''' where none did.',
    COMMENT COLUMN Rule 'Which rule said what the span is; '''' where that was gen_ai.operation.name, as usual.',
    COMMENT COLUMN StreamId 'The stream that the row came from.',
    COMMENT COLUMN StreamPartition 'The partition of that stream.',
    COMMENT COLUMN StreamOffset 'The record in that partition.',
    COMMENT COLUMN StreamIndex 'The span in that record, from 0.',
    COMMENT COLUMN ResourceAttributeItems 'ResourceAttributes as key=value, for has().',
    COMMENT COLUMN SpanAttributeItems 'SpanAttributes as key=value, for has().',
    COMMENT COLUMN ToolCallId 'Names the call across its attempts, spans and log records; '''' on other steps, and where nobody says.';

ALTER TABLE otel_traces_trace_id_ts 
    MODIFY COMMENT 'When a trace was, so that a query by trace id reads only those days; several rows a trace: take min(Start) and max(End).',
    COMMENT COLUMN TraceId '32 hexadecimal digits.',
    COMMENT COLUMN Start 'Not after its first span: the least of the rows of the trace.',
    COMMENT COLUMN End 'Start of its last span: the greatest of the rows of the trace.';

ALTER TABLE tool_calls 
    MODIFY COMMENT 'One row an attempt at a tool call: of spans of tools each once, and of log records those that no span tells of.',
    COMMENT COLUMN Timestamp 'Start of the attempt.',
    COMMENT COLUMN TraceId '32 hexadecimal digits; in a row made of a log record without one, a hash of its session and prompt.',
    COMMENT COLUMN SpanId '16 hexadecimal digits, of the trace.',
    COMMENT COLUMN ParentSpanId 'The span that it is part of; '''' where it is the first of its trace.',
    COMMENT COLUMN ServiceName 'service.name of the resource; '''' where nobody says.',
    COMMENT COLUMN RunId 'Of the run that it is part of; the trace id where nobody says.',
    COMMENT COLUMN SessionId 'Of the conversation, as this span says; '''' where it does not.',
    COMMENT COLUMN AgentName 'As this span says, else its service; that of the whole run is in runs. unknown where nobody says.',
    COMMENT COLUMN Release 'The release of the agent, as this span says; unknown where it does not.',
    COMMENT COLUMN Environment 'Where it ran, as this span says; unknown where it does not; drill:… is a rehearsal.',
    COMMENT COLUMN ToolName 'The tool that was called.',
    COMMENT COLUMN Result 'Of this attempt: ok, error, rejected (a human said no) or cancelled.',
    COMMENT COLUMN ErrorType 'What failed, as a category; '''' where it did not.',
    COMMENT COLUMN DurationSeconds 'Seconds.',
    COMMENT COLUMN Escalated 'Whether control passed to a human here.',
    COMMENT COLUMN EscalationReason 'Why: approval, human_handoff, input_request, guardrail, budget or other; '''' where it did not.',
    COMMENT COLUMN EscalationState 'Where that stands: requested, approved, rejected, modified, aborted, timed_out or auto; '''' where it did not.',
    COMMENT COLUMN CostUsd 'US dollars that this span itself cost; NULL where that is not known, which is not 0.',
    COMMENT COLUMN CostSource 'Who says the cost: reported (the sender), computed (from tokens and list prices), static (the configuration), unpriced (nobody); '''' where nothing cost.',
    COMMENT COLUMN Rule 'Which rule said what the span is; '''' where that was gen_ai.operation.name, as usual.',
    COMMENT COLUMN ToolCallId 'Names the call across its attempts; '''' where nobody says.',
    COMMENT COLUMN PolicyRevision 'The policy that covered agent and environment when the span was taken; '''' where none did.';

ALTER TABLE agent_runs 
    MODIFY COMMENT 'The rows behind the view runs, of which several may be of one run: ask the view.';

ALTER TABLE runs 
    MODIFY COMMENT 'One row a run that ended, with what is known of it by now.',
    COMMENT COLUMN RunId 'Names the run.',
    COMMENT COLUMN TraceId 'Its trace; of several, the one whose span speaks best for it.',
    COMMENT COLUMN AgentName 'The agent that carried it out; unknown where nobody says.',
    COMMENT COLUMN Release 'The release of the agent; unknown where nobody says.',
    COMMENT COLUMN Environment 'Where it ran; unknown where nobody says; drill:… is a rehearsal.',
    COMMENT COLUMN SessionId 'The conversation that it is part of; '''' where nobody says.',
    COMMENT COLUMN UserId 'Who used the agent, made unrecognisable; '''' where nobody says.',
    COMMENT COLUMN TaskType 'What kind of task it was; '''' where nobody says.',
    COMMENT COLUMN StartTime 'Start of its first span, UTC.',
    COMMENT COLUMN EndTime 'End of its root span, or of its last span where there is no root, UTC.',
    COMMENT COLUMN ClosedTime 'When it counts, UTC: EndTime, or the end of the idle timeout.',
    COMMENT COLUMN ClosedBy 'What ended it: root (its root span), idle (the timeout) or spill (the limit on runs in memory).',
    COMMENT COLUMN Outcome 'success (somebody confirmed it), completed (it ended without failing, and nobody did), failure, escalated, abandoned or unknown.',
    COMMENT COLUMN Evidence 'Who says so: app, evaluator or human; none where it follows from its spans.',
    COMMENT COLUMN Escalated 'Whether control passed to a human at least once.',
    COMMENT COLUMN EscalationReason 'Why it first did: approval, human_handoff, input_request, guardrail, budget or other; '''' where it did not.',
    COMMENT COLUMN ToolCalls 'Tool calls, each once however often it was attempted.',
    COMMENT COLUMN ToolCallsFailed 'Those whose last attempt failed.',
    COMMENT COLUMN ToolCallsRejected 'Those that a human refused; they did not run, and are in no ratio.',
    COMMENT COLUMN ToolCallsCancelled 'Those that did not run for another reason; they are in no ratio.',
    COMMENT COLUMN ToolCallAttempts 'Attempts at all of them.',
    COMMENT COLUMN InputTokens 'Read by models; 0 where nobody says.',
    COMMENT COLUMN OutputTokens 'Written by models; 0 where nobody says.',
    COMMENT COLUMN LlmCostUsd 'US dollars, of model calls.',
    COMMENT COLUMN ToolCostUsd 'US dollars, of tool calls.',
    COMMENT COLUMN ReviewCostUsd 'US dollars, of the time of humans.',
    COMMENT COLUMN ReviewSeconds 'Seconds that humans worked on its reviews.',
    COMMENT COLUMN Priced 'false where the price of a call is not known: the cost is then a lower bound and belongs in no ratio.',
    COMMENT COLUMN Scores 'By evaluator, what it found of the run, 0 to 1; the latest of each.',
    COMMENT COLUMN PolicyRevision 'The policy that covered agent and environment when the row was made; '''' where none did.',
    COMMENT COLUMN Version 'How many spans it was made of; of several rows of a run the greatest stands.',
    COMMENT COLUMN DurationSeconds 'Seconds from StartTime to EndTime.',
    COMMENT COLUMN CostUsd 'US dollars: LlmCostUsd + ToolCostUsd + ReviewCostUsd.';

ALTER TABLE cost_per_task 
    MODIFY COMMENT 'What runs and successes cost, by agent, release, environment and day.',
    COMMENT COLUMN AgentName 'The agent.',
    COMMENT COLUMN Release 'Its release.',
    COMMENT COLUMN Environment 'Where it ran; drill:… is a rehearsal.',
    COMMENT COLUMN Day 'The day on which the runs count (ClosedTime), UTC.',
    COMMENT COLUMN Runs 'Runs.',
    COMMENT COLUMN Successes 'Those that ended well: by the policy of the run, else success and completed.',
    COMMENT COLUMN PricedRuns 'Runs of which all prices are known.',
    COMMENT COLUMN PricedSuccesses 'Those of them that ended well.',
    COMMENT COLUMN CostUsd 'US dollars that PricedRuns cost, those that failed too.',
    COMMENT COLUMN CostUsdPerRun 'US dollars: CostUsd / PricedRuns; NULL without any.',
    COMMENT COLUMN CostUsdPerSuccess 'US dollars: CostUsd / PricedSuccesses; NULL without any.';

ALTER TABLE policies 
    MODIFY COMMENT 'Policies that were in use, by revision. Ask FINAL.',
    COMMENT COLUMN PolicyRevision 'A hash of what the policy says.',
    COMMENT COLUMN Policy 'Its name.',
    COMMENT COLUMN PolicyVersion 'metadata::version, raised with every change.',
    COMMENT COLUMN Owner 'Who answers for it.',
    COMMENT COLUMN OnCall 'Who is paged.',
    COMMENT COLUMN Agents 'Agents that it covers: names, or beginnings and *; empty where the row was too long.',
    COMMENT COLUMN Environments 'Environments that it covers, in the same way.',
    COMMENT COLUMN GoodOutcomes 'The outcomes that are good.',
    COMMENT COLUMN Document 'The whole policy as JSON; '''' where the row was too long.',
    COMMENT COLUMN FirstUsed 'When it was first in use, UTC.',
    COMMENT COLUMN Version 'The greater, the earlier it was in use; of several rows of a revision the greatest stands: ask FINAL.';

ALTER TABLE incidents 
    MODIFY COMMENT 'The rows behind the view incidents_now, of which several may be of one incident: ask the view.';

ALTER TABLE incidents_now 
    MODIFY COMMENT 'One row an incident, as it is now.',
    COMMENT COLUMN IncidentId 'Names the incident.',
    COMMENT COLUMN IncidentKey 'What it is about: no two open ones have the same.',
    COMMENT COLUMN Source 'Who opened it: policy (an objective was not met) or api (somebody reported it).',
    COMMENT COLUMN Policy 'The policy whose objective was not met; '''' where it was reported.',
    COMMENT COLUMN PolicyRevision 'The revision that judged last; '''' where it was reported.',
    COMMENT COLUMN Kpi 'The KPI of that objective; '''' where it was reported.',
    COMMENT COLUMN AgentName 'The agent.',
    COMMENT COLUMN Release 'Its release; unknown where nobody says.',
    COMMENT COLUMN Environment 'Where it ran; unknown where nobody says; drill:… is a rehearsal.',
    COMMENT COLUMN Severity 'sev1 to sev4, the gravest that it had; sev1 is the gravest.',
    COMMENT COLUMN Owner 'Who answers for it; '''' where nobody says.',
    COMMENT COLUMN Title 'In a few words.',
    COMMENT COLUMN Summary 'In more words; '''' where there are none.',
    COMMENT COLUMN StartedTime 'When what it is about began, UTC.',
    COMMENT COLUMN DetectedTime 'When it was opened, UTC.',
    COMMENT COLUMN AcknowledgedTime 'When somebody took it, UTC; NULL until then.',
    COMMENT COLUMN MitigatedTime 'When the harm ended, UTC; NULL until then.',
    COMMENT COLUMN ResolvedTime 'When it was over, UTC; NULL until then.',
    COMMENT COLUMN Resolution 'Why it is over: recovered, api (somebody said so), no_data (nothing was heard of it) or withdrawn (no policy judges it any more); '''' until then.',
    COMMENT COLUMN Repeats 'How often it came back, or was reported again.',
    COMMENT COLUMN Version 'Greater with every change; of several rows of an incident the greatest stands.',
    COMMENT COLUMN SecondsToDetect 'Seconds from StartedTime to DetectedTime.',
    COMMENT COLUMN SecondsToAcknowledge 'Seconds from DetectedTime to AcknowledgedTime; NULL until then.',
    COMMENT COLUMN SecondsToMitigate 'Seconds from DetectedTime to MitigatedTime; NULL until then.',
    COMMENT COLUMN SecondsToResolve 'Seconds from DetectedTime to ResolvedTime; NULL until then.';

ALTER TABLE rollbacks 
    MODIFY COMMENT 'The rows behind the view rollback_events, of which several may be of one event: ask the view.';

ALTER TABLE rollback_events 
    MODIFY COMMENT 'One row an event of the journal of rollbacks, in order: what was asked for, decided and done. A copy; the journal is the truth.',
    COMMENT COLUMN Timestamp 'When it happened, UTC.',
    COMMENT COLUMN Seq 'Its place in the journal, from 1.',
    COMMENT COLUMN Hash 'Of this event and all before it.',
    COMMENT COLUMN PrevHash 'That of the event before it.',
    COMMENT COLUMN RollbackId 'The attempt that it is about; '''' where it is about none (breakers, stops, drills).',
    COMMENT COLUMN Event 'requested, repeated, approval_asked, approval_given, approved, refused, expired, dry_run, executing, acted, done, failed, moved, paged, reviewed; breaker_opened, breaker_paged, breaker_closed, stopped, resumed, drilled.',
    COMMENT COLUMN State 'What the attempt is from here on: requested, awaiting_approval, approved, executing, verifying, done, failed, refused, expired, dry_run or moved; '''' where that does not change.',
    COMMENT COLUMN Target 'What is rolled back; or the scope of a breaker.',
    COMMENT COLUMN Policy 'The policy that says how.',
    COMMENT COLUMN PolicyRevision 'Its revision when it was asked for; '''' on events of no attempt.',
    COMMENT COLUMN AgentName 'The agent; '''' on events of no attempt.',
    COMMENT COLUMN Environment 'Where it runs; drill:… is a rehearsal.',
    COMMENT COLUMN FromRelease 'The bad release.',
    COMMENT COLUMN ToRelease 'The release to go back to; '''' until that is chosen, and where there is none.',
    COMMENT COLUMN Mode 'What the policy allows: dry_run, approve or auto; '''' on events of no attempt.',
    COMMENT COLUMN Cause 'Why it was asked for: judge, alert or human; '''' on events of no attempt.',
    COMMENT COLUMN Actor 'Who did it: a person, judge, alertmanager, or plimsoll itself.',
    COMMENT COLUMN Reason 'In words; '''' where the event says it.',
    COMMENT COLUMN Evidence 'JSON of what speaks for it: of the judge, of the KPI, of a drill, of a review; '''' where there is none.',
    COMMENT COLUMN Version 'As Seq.';

ALTER TABLE plimsoll_migrations 
    MODIFY COMMENT 'Which migrations made these tables. Ask FINAL.',
    COMMENT COLUMN Number 'Of the migration.',
    COMMENT COLUMN Name 'Its name.',
    COMMENT COLUMN Checksum 'SHA-256 of its text.',
    COMMENT COLUMN AppliedAt 'When it was applied.';

CREATE VIEW IF NOT EXISTS kpi_hourly  AS
SELECT
    toStartOfHour(Time) AS Hour, AgentName, Release, Environment,
    countIf(IsRun) AS Runs,
    countIf(IsGood) AS Successes,
    countIf(Outcome = 'failure') AS Failures,
    countIf(Escalated) AS EscalatedRuns,
    countMap(EscalationReasons) AS RunsByEscalationReason,
    countIf(IsRun AND NOT Escalated AND Outcome != 'abandoned') AS ContainedRuns,
    countIf(Outcome = 'abandoned') AS AbandonedRuns,
    countIf(IsRun AND Evidence != 'none') AS EvidencedRuns,
    countIf(NOT IsRun) AS Incidents,
    sum(Seconds) AS DurationSeconds,
    sum(SecondsOfReview) AS ReviewSeconds,
    countIf(Priced) AS PricedRuns,
    countIf(Priced AND IsGood) AS PricedSuccesses,
    sumIf(Llm, Priced) AS LlmCostUsd,
    sumIf(Tool, Priced) AS ToolCostUsd,
    sumIf(Review, Priced) AS ReviewCostUsd,
    sum(Review) AS AllReviewCostUsd,
    countMap(Scores) AS ScoredRuns,
    Successes / nullIf(Runs, 0) AS RunSuccessRatio,
    Failures / nullIf(Runs, 0) AS RunFailureRatio,
    EscalatedRuns / nullIf(Runs, 0) AS RunEscalationRatio,
    ContainedRuns / nullIf(Runs, 0) AS RunContainmentRatio,
    AbandonedRuns / nullIf(Runs, 0) AS RunAbandonmentRatio,
    EvidencedRuns / nullIf(Runs, 0) AS OutcomeEvidenceRatio,
    DurationSeconds / nullIf(Runs, 0) AS RunDurationSecondsMean,
    if(Runs = 0, NULL, arrayElement(arraySort(groupArrayIf(Seconds, IsRun)), 1 + intDiv((Runs - 1) * 50, 100))) AS RunDurationSecondsP50,
    if(Runs = 0, NULL, arrayElement(arraySort(groupArrayIf(Seconds, IsRun)), 1 + intDiv((Runs - 1) * 95, 100))) AS RunDurationSecondsP95,
    if(Runs = 0, NULL, arrayElement(arraySort(groupArrayIf(Seconds, IsRun)), 1 + intDiv((Runs - 1) * 99, 100))) AS RunDurationSecondsP99,
    Incidents / nullIf(Runs, 0) AS IncidentsPerRun,
    toFloat64(LlmCostUsd + ToolCostUsd + ReviewCostUsd) / nullIf(PricedRuns, 0) AS CostUsdPerRun,
    toFloat64(LlmCostUsd + ToolCostUsd + ReviewCostUsd) / nullIf(PricedSuccesses, 0) AS CostUsdPerSuccess,
    toFloat64(AllReviewCostUsd) / nullIf(Runs, 0) AS ReviewCostUsdPerRun,
    ReviewSeconds / nullIf(Runs, 0) AS ReviewSecondsPerRun,
    (Runs - PricedRuns) / nullIf(Runs, 0) AS RunUnpricedRatio,
    avgMap(Scores) AS QualityScoreRatio
FROM
(
    SELECT
        true AS IsRun, ClosedTime AS Time, AgentName, Release, Environment, Outcome, Evidence, Escalated,
        CAST(if(Escalated, [(if(EscalationReason = '', 'other', toString(EscalationReason)), 1)], []), 'Map(String, UInt8)') AS EscalationReasons,
        if(PolicyRevision IN (SELECT PolicyRevision FROM policies),
            (PolicyRevision, Outcome) IN (SELECT PolicyRevision, arrayJoin(GoodOutcomes) FROM policies),
            Outcome IN ('success', 'completed')) AS IsGood,
        dateDiff('millisecond', StartTime, EndTime) / 1000 AS Seconds, ReviewSeconds AS SecondsOfReview,
        Priced, LlmCostUsd AS Llm, ToolCostUsd AS Tool, ReviewCostUsd AS Review, Scores
    FROM agent_runs FINAL
    UNION ALL
    SELECT
        false, DetectedTime, AgentName, Release, Environment, '', '', false,
        CAST([], 'Map(String, UInt8)'), false, 0, 0, false, 0, 0, 0, CAST([], 'Map(LowCardinality(String), Float64)')
    FROM incidents FINAL
)
GROUP BY Hour, AgentName, Release, Environment;

ALTER TABLE kpi_hourly 
    MODIFY COMMENT 'The KPIs of runs by agent, release, environment and hour. For longer times add up counts, seconds and dollars, and divide: ratios do not add up.',
    COMMENT COLUMN Hour 'Its beginning, UTC. Runs count when they ended (ClosedTime), incidents when they were opened.',
    COMMENT COLUMN AgentName 'The agent; unknown where nobody says.',
    COMMENT COLUMN Release 'Its release; unknown where nobody says.',
    COMMENT COLUMN Environment 'Where it ran; unknown where nobody says; drill:… is a rehearsal.',
    COMMENT COLUMN Runs 'Runs that ended.',
    COMMENT COLUMN Successes 'Those that ended well: by the policy of the run, else success and completed.',
    COMMENT COLUMN Failures 'Those with the outcome failure.',
    COMMENT COLUMN EscalatedRuns 'Those in which control passed to a human, once however often.',
    COMMENT COLUMN RunsByEscalationReason 'The same by the reason of the first time; other where none is said.',
    COMMENT COLUMN ContainedRuns 'Those without an escalation that were not abandoned.',
    COMMENT COLUMN AbandonedRuns 'Those with the outcome abandoned.',
    COMMENT COLUMN EvidencedRuns 'Those whose outcome somebody confirmed.',
    COMMENT COLUMN Incidents 'Incidents that were opened.',
    COMMENT COLUMN DurationSeconds 'Seconds that the runs took, all together.',
    COMMENT COLUMN ReviewSeconds 'Seconds that humans worked on their reviews.',
    COMMENT COLUMN PricedRuns 'Runs of which all prices are known.',
    COMMENT COLUMN PricedSuccesses 'Those of them that ended well.',
    COMMENT COLUMN LlmCostUsd 'US dollars of model calls of PricedRuns.',
    COMMENT COLUMN ToolCostUsd 'US dollars of tool calls of PricedRuns.',
    COMMENT COLUMN ReviewCostUsd 'US dollars of the time of humans, of PricedRuns.',
    COMMENT COLUMN AllReviewCostUsd 'The same of all Runs: what humans cost is known of them.',
    COMMENT COLUMN ScoredRuns 'By evaluator, runs that it scored.',
    COMMENT COLUMN RunSuccessRatio 'Successes / Runs; NULL without any, as all that follow.',
    COMMENT COLUMN RunFailureRatio 'Failures / Runs.',
    COMMENT COLUMN RunEscalationRatio 'EscalatedRuns / Runs.',
    COMMENT COLUMN RunContainmentRatio 'ContainedRuns / Runs.',
    COMMENT COLUMN RunAbandonmentRatio 'AbandonedRuns / Runs.',
    COMMENT COLUMN OutcomeEvidenceRatio 'EvidencedRuns / Runs.',
    COMMENT COLUMN RunDurationSecondsMean 'Seconds: DurationSeconds / Runs.',
    COMMENT COLUMN RunDurationSecondsP50 'Seconds that half of the runs took at most.',
    COMMENT COLUMN RunDurationSecondsP95 'Seconds that 95 of 100 runs took at most.',
    COMMENT COLUMN RunDurationSecondsP99 'Seconds that 99 of 100 runs took at most.',
    COMMENT COLUMN IncidentsPerRun 'Incidents / Runs.',
    COMMENT COLUMN CostUsdPerRun 'US dollars: LlmCostUsd + ToolCostUsd + ReviewCostUsd, / PricedRuns.',
    COMMENT COLUMN CostUsdPerSuccess 'The same / PricedSuccesses: what failed runs cost is part of what a success costs.',
    COMMENT COLUMN ReviewCostUsdPerRun 'US dollars: AllReviewCostUsd / Runs.',
    COMMENT COLUMN ReviewSecondsPerRun 'Seconds: ReviewSeconds / Runs.',
    COMMENT COLUMN RunUnpricedRatio 'Share of Runs of unknown price, which are in no cost.',
    COMMENT COLUMN QualityScoreRatio 'By evaluator, the mean of its scores, 0 to 1; add up with ScoredRuns as weights.';

ALTER TABLE otel_traces 
    COMMENT COLUMN RunId 'Of the run that it is part of, as this span says; the trace id where it does not, even where another span of the trace does.';

ALTER TABLE tool_calls 
    COMMENT COLUMN RunId 'Of the run that it is part of, as this span says; the trace id where it does not, even where another span of the trace does.';
