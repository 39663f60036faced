import { unknown, usuallyGood } from '../semconv/vocabulary.ts';
import { monthAfter, startOf, type Month } from './month.ts';

/** What a report is about. */
export interface Subject {
  readonly month: Month;
  readonly environment: string;
}

/** So many months before it are shown beside the month. */
export const monthsBefore = 3;

/** The values of the placeholders of `questions`, as ClickHouse reads them. */
export function parametersOf({ month, environment }: Subject): Readonly<Record<string, string>> {
  return {
    environment,
    start: secondsAt(monthAfter(month, -monthsBefore)),
    from: secondsAt(month),
    to: secondsAt(monthAfter(month, 1)),
  };
}

function secondsAt(month: Month): string {
  return (startOf(month) / 1000).toFixed(0);
}

const instantOf = (name: string): string => `{${name}:DateTime64(3, 'UTC')}`;
const [start, from, to] = [instantOf('start'), instantOf('from'), instantOf('to')];
const here = 'Environment = {environment:String}';
/** What names no environment is about `unknown`, or about the executor of rollbacks itself. */
const nowhere = `'${unknown}', ''`;
/** Incidents that are counted: a request for an approval, of which people are told as of an incident, is none. */
const counted = `Environment IN ({environment:String}, ${nowhere})
    AND NOT match(IncidentKey, '^rollback/.+/awaiting_approval(/|$)')`;
/** What is reported without its beginning began when it was detected, so far as the table says. */
const toDetect = 'if(StartedTime < DetectedTime, SecondsToDetect, NULL)';
const within = (column: string, since = start): string => `${column} >= ${since} AND ${column} < ${to}`;
/** Beyond 2^32 a count of 64 bits would come as text. */
const count = (condition = '1'): string => `toFloat64(countIf(${condition}))`;
/** Decimals add up to the same whatever the order. */
const usd = (amount: string, condition: string): string => `toFloat64(sumIf(${amount}, ${condition}))`;
/** The place of a value among the others, in between where it lies there; NULL of none. */
const quantile = (level: number, value: string): string =>
  `if(countIf(isNotNull(${value})) = 0, NULL, quantileExactInclusive(${level})(${value}))`;
const now = `ClosedTime >= ${from}`;
const months = (column: string): string => `formatDateTime(${column}, '%Y-%m')`;

const usual = [...usuallyGood].map((outcome) => `'${outcome}'`).join(', ');

/** Each run once, with what its policy calls good. */
const runs = (condition: string): string => `(
    SELECT
        R.*, LlmCostUsd + ToolCostUsd AS WorkCostUsd, WorkCostUsd + ReviewCostUsd AS AllCostUsd,
        if(empty(P.GoodOutcomes), [${usual}], P.GoodOutcomes) AS Good, has(Good, Outcome) AS IsGood
    FROM (SELECT * FROM agent_runs FINAL WHERE ${here} AND ${condition}) AS R
    LEFT ANY JOIN (SELECT PolicyRevision, GoodOutcomes FROM policies) AS P ON R.PolicyRevision = P.PolicyRevision
)`;

/**
 * What a report asks ClickHouse, each one SELECT with the placeholders of `parametersOf`. Rows come in one order, sums are
 * exact, and quantiles are values: the same rows of the tables give the same answers.
 */
export const questions = {
  /** Runs by month and agent, and of all agents together. */
  runs: `SELECT
    ${months('ClosedTime')} AS month, AgentName AS agent, grouping(AgentName) = 1 AS isAll,
    ${count()} AS runs, ${count('IsGood')} AS good, ${count('Escalated')} AS escalated,
    ${count('Priced')} AS priced, ${count('Priced AND IsGood')} AS pricedGood,
    ${usd('LlmCostUsd', 'Priced AND IsGood')} AS modelUsd, ${usd('ToolCostUsd', 'Priced AND IsGood')} AS toolUsd,
    ${usd('WorkCostUsd', 'Priced AND NOT IsGood')} AS badRunsUsd, ${usd('ReviewCostUsd', 'Priced')} AS reviewUsd,
    ${usd('AllCostUsd', 'Priced')} AS totalUsd, ${quantile(0.95, 'if(Priced, toFloat64(AllCostUsd), NULL)')} AS p95Usd,
    toFloat64(sum(toDecimal64(ReviewSeconds, 3))) AS reviewSeconds,
    ${count("Evidence = 'none'")} AS unconfirmed, ${count("PolicyRevision = ''")} AS uncovered,
    ${count(`Release = '${unknown}'`)} AS unnamed, ${count("ClosedBy != 'root'")} AS unended,
    toFloat64(uniqExact(toDate(ClosedTime))) AS days,
    arraySort(groupUniqArray(arrayStringConcat(arraySort(Good), ', '))) AS goodOutcomes
FROM ${runs(within('ClosedTime'))}
GROUP BY GROUPING SETS ((month, AgentName), (month))
ORDER BY isAll, agent, month`,

  /** When the first run of each agent ended, whenever that was: a run is of the month in which it ends. */
  agents: `SELECT AgentName AS agent, toFloat64(toUnixTimestamp64Milli(min(ClosedTime))) AS firstMs
FROM agent_runs FINAL
WHERE ${here} AND ClosedTime < ${to}
GROUP BY AgentName
ORDER BY agent`,

  /** Runs that were passed on to a human, by reason. */
  escalations: `SELECT
    if(EscalationReason = '', 'not said', EscalationReason) AS reason,
    ${count(now)} AS now, ${count(`ClosedTime < ${from}`)} AS before
FROM agent_runs FINAL
WHERE ${here} AND Escalated AND ${within('ClosedTime')}
GROUP BY reason
ORDER BY now DESC, before DESC, reason`,

  /** What evaluators found of runs. */
  scores: `SELECT
    ${months('ClosedTime')} AS month, AgentName AS agent, Evaluator AS evaluator, ${count()} AS runs,
    toFloat64(sum(toDecimal64(Score, 9))) AS total
FROM agent_runs FINAL
ARRAY JOIN mapKeys(Scores) AS Evaluator, mapValues(Scores) AS Score
WHERE ${here} AND ${within('ClosedTime')}
GROUP BY month, agent, evaluator
ORDER BY agent, evaluator, month`,

  /** Incidents by month, agent, release and severity; those that name no environment are among them. */
  incidents: `SELECT
    ${months('DetectedTime')} AS month, AgentName AS agent, Release AS release, Severity AS severity, ${count()} AS incidents,
    ${count("NOT startsWith(IncidentKey, 'rollback/')")} AS ofRelease,
    ${count(`Environment IN (${nowhere})`)} AS nowhere, ${count(`isNull(ResolvedTime) OR ResolvedTime >= ${to}`)} AS open
FROM incidents_now
WHERE ${counted} AND ${within('DetectedTime')}
GROUP BY month, agent, release, severity
ORDER BY month, agent, release, severity`,

  /** How long it took to detect incidents of which it is known when they began, and to resolve those of which it is known that they are over. */
  incidentTimes: `SELECT
    DetectedTime >= ${from} AS isNow, ${count('isNotNull(Detect)')} AS detected, ${count('isNotNull(Resolve)')} AS resolved,
    ${quantile(0.5, 'Detect')} AS detectMedian, ${quantile(0.9, 'Detect')} AS detectP90,
    ${quantile(0.5, 'Resolve')} AS resolveMedian, ${quantile(0.9, 'Resolve')} AS resolveP90
FROM (
    SELECT
        DetectedTime, ${toDetect} AS Detect,
        if(Resolution IN ('recovered', 'api') AND ResolvedTime < ${to}, SecondsToResolve, NULL) AS Resolve
    FROM incidents_now
    WHERE ${counted} AND ${within('DetectedTime')}
)
GROUP BY isNow
ORDER BY isNow`,

  /** The gravest incidents of the month. */
  gravest: `SELECT
    Severity AS severity, Title AS title, AgentName AS agent, Release AS release, Owner AS owner,
    toFloat64(toUnixTimestamp64Milli(DetectedTime)) AS detectedMs, ${toDetect} AS detectSeconds,
    if(ResolvedTime < ${to}, SecondsToResolve, NULL) AS resolveSeconds, if(ResolvedTime < ${to}, Resolution, '') AS resolution
FROM incidents_now
WHERE ${counted} AND ${within('DetectedTime', from)}
ORDER BY Severity, DetectedTime, IncidentId
LIMIT 5`,

  /** Releases of which the first run ended within the months, other than an agent's first one. */
  releases: `SELECT
    agent, release, toFloat64(toUnixTimestamp64Milli(first)) AS firstMs, runs, good, revisions
FROM (
    SELECT
        AgentName AS agent, Release AS release, min(ClosedTime) AS first, ${count()} AS runs, ${count('IsGood')} AS good,
        arraySort(groupUniqArrayIf(PolicyRevision, PolicyRevision != '')) AS revisions,
        min(first) OVER (PARTITION BY AgentName) AS agentFirst
    FROM ${runs(`ClosedTime < ${to}`)}
    WHERE Release NOT IN ('', '${unknown}', 'overflow')
    GROUP BY AgentName, Release
)
WHERE first > agentFirst AND ${within('first')}
ORDER BY first, agent, release`,

  /** Attempts to take releases back that began within the months, as they stand at the end of the month. */
  rollbacks: `SELECT
    RollbackId AS id, any(AgentName) AS agent, any(FromRelease) AS release, argMax(ToRelease, Seq) AS destination,
    any(Cause) AS cause, countIf(Event = 'approved') > 0 AS isApproved, argMaxIf(State, Seq, State != '') AS state,
    argMaxIf(JSONExtractString(Evidence, 'review'), Seq, Event = 'reviewed') AS review,
    toFloat64(toUnixTimestamp64Milli(minIf(Timestamp, Event = 'requested'))) AS requestedMs,
    toFloat64(toUnixTimestamp64Milli(maxIf(Timestamp, Event = 'done'))) AS doneMs
FROM rollback_events
WHERE ${here} AND RollbackId != '' AND (Timestamp < ${to} OR Event = 'reviewed')
GROUP BY RollbackId
HAVING ${within("minIf(Timestamp, Event = 'requested')")}
ORDER BY requestedMs, id`,

  /** Drills that were ever recorded; of one whose record was too long for a row it is not known whether it passed. */
  drills: `SELECT
    Policy AS policy, JSONExtractString(Evidence, 'scenario') AS scenario,
    if(JSONHas(Evidence, 'passed'), JSONExtractBool(Evidence, 'passed'), NULL) AS isPassed,
    toFloat64(toUnixTimestamp64Milli(Timestamp)) AS endedMs
FROM rollback_events
WHERE Event = 'drilled' AND Timestamp < ${to}
ORDER BY Seq`,

  /** Policies that were ever in use. */
  policies: `SELECT
    PolicyRevision AS revision, Policy AS policy, toFloat64(PolicyVersion) AS version, Owner AS owner, Agents AS agents,
    Environments AS environments, GoodOutcomes AS goodOutcomes, Document AS document,
    toFloat64(toUnixTimestamp64Milli(FirstUsed)) AS sinceMs,
    if(JSONExtractString(Document, 'drill', 'every') = '', NULL,
        toFloat64(parseTimeDelta(JSONExtractString(Document, 'drill', 'every')))) AS drillEverySeconds
FROM policies FINAL
WHERE FirstUsed < ${to}
ORDER BY policy, sinceMs, revision`,

  /** Runs of the month by the policy that covered them, and when any of the months had the last one. */
  covered: `SELECT
    PolicyRevision AS revision, ${count(now)} AS runs, ${count(`${now} AND NOT IsGood`)} AS bad,
    ${count(`${now} AND Escalated`)} AS escalated, ${count(`${now} AND Evidence = 'none'`)} AS unconfirmed,
    toFloat64(sumIf(ToolCalls - ToolCallsRejected - ToolCallsCancelled, ${now})) AS calls,
    toFloat64(sumIf(ToolCallsFailed, ${now})) AS failedCalls, toFloat64(toUnixTimestamp64Milli(max(ClosedTime))) AS lastMs
FROM ${runs(within('ClosedTime'))}
WHERE PolicyRevision != ''
GROUP BY PolicyRevision
ORDER BY revision`,

  /** Where there are runs, from when to when, at any time; rehearsals are none. */
  extent: `SELECT
    Environment AS environment, ${count(within('ClosedTime', from))} AS runs,
    toFloat64(toUnixTimestamp64Milli(min(StartTime))) AS firstMs, toFloat64(toUnixTimestamp64Milli(max(ClosedTime))) AS lastMs,
    toFloat64(toUnixTimestamp64Milli(maxIf(ClosedTime, ClosedTime < ${to}))) AS lastOfMonthMs
FROM agent_runs FINAL
GROUP BY Environment
ORDER BY environment`,
} as const;

/** The name of a question. */
export type Question = keyof typeof questions;
