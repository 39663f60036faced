import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { Program } from '../e2e/program.ts';
import { until } from '../until.ts';

/** What an agent did in one scenario, as the script knows it that ran it. */
interface Known {
  readonly scenario: string;
  /** "tool result" of each call that ran, in their order. */
  readonly calls: readonly string[];
  readonly handoffs: readonly string[];
  /** "reason state" of what spans tell of humans who were asked, whoever tells it. */
  readonly escalations: readonly string[];
  /** How each run ended. */
  readonly runs: readonly string[];
  /** Why control passed to a human, for each run in which it did. */
  readonly escalatedRuns: readonly string[];
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The session that the script gave its runs, if it did. */
  readonly session: string;
}

/** What a script says at its end. */
export interface Told {
  /** Who its runs are of. */
  readonly agent: string;
  readonly scenarios: readonly Known[];
}

/** `Known`, and what the KPIs make of it. */
interface Answer extends Omit<Known, 'session'> {
  /** The session that every span of the scenario has; '' when it is none that a script gave. */
  readonly givenSession: string;
  /** "tool result" of each call as the agent means it: one that failed and was made again is one. */
  readonly countedCalls: readonly string[];
  readonly countedRuns: number;
}

/**
 * Expects that Plimsoll says of everything that `service` did what the script knows: by SQL, and by the counters of
 * `/metrics`. The script's scenarios are its releases.
 */
export async function expectAnswers(program: Program, service: string, told: Told): Promise<void> {
  const known = told.scenarios.map(expectedOf).toSorted(byScenario);
  await until('every span to be stored, and every run to end', async () => hasSettled(program));
  const isEqual = async () => isDeepStrictEqual(await answersOf(program, service, told.agent), known);
  await until('the counters', isEqual, 10_000).catch(() => {});
  expect(await answersOf(program, service, told.agent)).toEqual(known);
}

async function hasSettled(program: Program): Promise<boolean> {
  const metrics = await program.metrics();
  const accepted = [...metrics.matchAll(/^plimsoll_receiver_accepted_spans_total{.*} (\d+)$/gm)];
  const spans = accepted.reduce((sum, [, count]) => sum + Number(count), 0);
  const [stored] = await program.query<{ spans: number }>(
    'SELECT toUInt32(count()) AS spans FROM otel_traces',
  );
  return (
    stored?.spans === spans &&
    metrics.includes(`plimsoll_assess_spans_total ${spans}\n`) &&
    metrics.includes('plimsoll_assess_open_runs 0\n')
  );
}

function expectedOf({ calls, escalations, runs, session, ...rest }: Known): Answer {
  const last = new Map(calls.map((call) => [call.split(' ')[0], call]));
  return {
    ...rest,
    calls: calls.toSorted(),
    escalations: [...new Set(escalations)].toSorted(),
    runs: runs.toSorted(),
    countedCalls: [...last.values()].toSorted(),
    countedRuns: runs.length,
    givenSession: session,
  };
}

const byScenario = (a: Answer, b: Answer): number => (a.scenario < b.scenario ? -1 : 1);

async function answersOf(program: Program, service: string, agent: string): Promise<readonly Answer[]> {
  const rows = await program.query<Omit<Answer, 'runs' | 'escalatedRuns' | 'countedCalls'>>(`
    WITH made AS (
      SELECT Release, arraySort(groupArray(concat(ToolName, ' ', Result))) AS calls
      FROM tool_calls WHERE ServiceName = '${service}' AND Result IN ('ok', 'error') GROUP BY Release
    )
    SELECT
      Release AS scenario,
      any(made.calls) AS calls,
      arraySort(groupArrayIf(SpanAttributes['plimsoll.handoff.target'], Step = 'handoff')) AS handoffs,
      arraySort(groupUniqArrayIf(concat(EscalationReason, ' ', EscalationState), Escalated)) AS escalations,
      toUInt32(sumIf(ifNull(InputTokens, 0), Step = 'llm')) AS inputTokens,
      toUInt32(sumIf(ifNull(OutputTokens, 0), Step = 'llm')) AS outputTokens,
      toUInt32(uniqExact(RunId)) AS countedRuns,
      if(uniqExact(SessionId) = 1 AND any(SessionId) LIKE 'given-%', any(SessionId), '') AS givenSession
    FROM otel_traces LEFT JOIN made USING Release WHERE ServiceName = '${service}' GROUP BY Release`);
  const metrics = await program.metrics();
  const answers = rows.map((row): Answer => {
    const counted = (name: string, ...labels: string[]) =>
      countsOf(metrics, name, { agent, release: row.scenario, environment: service }, labels);
    const calls = counted('plimsoll_tool_calls_total', 'tool', 'result');
    return {
      ...row,
      runs: counted('plimsoll_runs_total', 'outcome'),
      escalatedRuns: counted('plimsoll_run_escalations_total', 'reason'),
      countedCalls: calls.filter((call) => / (?:ok|error)$/.test(call)),
    };
  });
  return answers.toSorted(byScenario);
}

/** The values of `labels` of each sample of counter `name` that has the labels `fixed`, as often as it counts. */
function countsOf(
  metrics: string,
  name: string,
  fixed: Readonly<Record<string, string>>,
  labels: readonly string[],
): readonly string[] {
  const found: string[] = [];
  for (const [, pairs = '', count] of metrics.matchAll(new RegExp(`^${name}{(.*)} (\\d+)$`, 'gm'))) {
    const values = new Map(
      [...pairs.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value]),
    );
    if (Object.entries(fixed).some(([label, value]) => values.get(label) !== value)) continue;
    const text = labels.map((label) => values.get(label)).join(' ');
    for (let i = 0; i < Number(count); i++) found.push(text);
  }
  return found.toSorted();
}
