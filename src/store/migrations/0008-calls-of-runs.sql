-- As before, with what is true of the run: who carried it out, in which release, where and for which session. Until the run
-- has a row, and where that does not say it, the span does. The labels are those of the KPIs, which take them of the run.
-- The calls are the right side of the join, which is the one that is held in memory: they are as few as the days asked
-- for, and runs are read past them.
CREATE OR REPLACE VIEW tool_calls {on_cluster} AS
SELECT
    Timestamp, TraceId, SpanId, ParentSpanId, ServiceName, C.RunId AS RunId,
    if(R.SessionId != '', R.SessionId, C.SessionId) AS SessionId,
    if(R.AgentName NOT IN ('', 'unknown'), R.AgentName, C.AgentName) AS AgentName,
    if(R.Release NOT IN ('', 'unknown'), R.Release, C.Release) AS Release,
    if(R.Environment NOT IN ('', 'unknown'), R.Environment, C.Environment) AS Environment,
    ToolName, Result, ErrorType, DurationSeconds, Escalated, EscalationReason, EscalationState,
    CostUsd, CostSource, Rule, ToolCallId,
    if(R.RunId != '', R.PolicyRevision, C.PolicyRevision) AS PolicyRevision
FROM
(
    SELECT RunId, SessionId, AgentName, Release, Environment, PolicyRevision
    FROM agent_runs FINAL
) AS R
RIGHT ANY JOIN
(
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
    LIMIT 1 BY ServiceName, Timestamp, TraceId, SpanId
) AS C ON R.RunId = C.RunId;

-- A view that is replaced loses what is said of it.
ALTER TABLE tool_calls {on_cluster}
    MODIFY COMMENT 'One row an attempt at a tool call: of spans of tools each once, and of log records those that no span tells of.',
    COMMENT COLUMN Timestamp 'Start of the attempt.',
    COMMENT COLUMN TraceId '32 hexadecimal digits; in a row made of a log record without one, a hash of its session and prompt.',
    COMMENT COLUMN SpanId '16 hexadecimal digits, of the trace.',
    COMMENT COLUMN ParentSpanId 'The span that it is part of; '''' where it is the first of its trace.',
    COMMENT COLUMN ServiceName 'service.name of the resource; '''' where nobody says.',
    COMMENT COLUMN RunId 'Of the run that it is part of; the trace id where nobody says.',
    COMMENT COLUMN SessionId 'The conversation that its run is part of; until that has ended, as the span says. '''' where nobody says.',
    COMMENT COLUMN AgentName 'That of its run; until that has ended, as the span says, else its service. unknown where nobody says. What the span says is in otel_traces.',
    COMMENT COLUMN Release 'The release of the agent, as its run says; until that has ended, as the span does. unknown where nobody says.',
    COMMENT COLUMN Environment 'Where it ran, as its run says; until that has ended, as the span does. unknown where nobody says; drill:… is a rehearsal.',
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
    COMMENT COLUMN PolicyRevision 'The policy of its run; until that has ended, the one that covered agent and environment when the span was taken. '''' where none did.';
