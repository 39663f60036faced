-- The KPIs of runs, by the hour in which they ended. What is counted and how is that of the gauges (src/kpi); good is
-- what the policy of the run calls good, as in cost_per_task. An incident is a row of its own, in the hour in which it was
-- opened. KPIs of tools are not here: whoever asks for an hour would read every span there is.
CREATE VIEW IF NOT EXISTS kpi_hourly {on_cluster} AS
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

ALTER TABLE kpi_hourly {on_cluster}
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
