import {
  escalationReasons,
  outcomes,
  unknown,
  type EscalationReason,
  type Outcome,
} from '../semconv/vocabulary.ts';
import type { KpiRun, KpiScore, KpiToolCall } from './facts.ts';

/** Something that adds up over the events of a window. */
export interface Sum<Event> {
  /** What one event adds. */
  readonly of: (event: Event) => number;
  /** The same over the rows of the events in ClickHouse; undefined where no row says it. */
  readonly sql: string | undefined;
}

/** Why control passed to a human in `run`: `other` where only its outcome says that it did, undefined where it did not. */
export function escalationReasonOf(run: KpiRun): EscalationReason | undefined {
  return run.escalationReason ?? (run.outcome === 'escalated' ? 'other' : undefined);
}

const isEscalated = (run: KpiRun): boolean => escalationReasonOf(run) !== undefined;
const isUnattributed = (run: KpiRun): boolean =>
  run.agent === unknown || run.release === unknown || run.agent === '' || run.release === '';
const cost = (run: KpiRun, usd: number): number => (run.priced ? usd : 0);

function each<Word extends string, Prefix extends string>(
  words: readonly Word[],
  prefix: Prefix,
  sum: (word: Word) => Sum<KpiRun>,
): Readonly<Record<`${Prefix}${Word}`, Sum<KpiRun>>> {
  const sums: Partial<Record<`${Prefix}${Word}`, Sum<KpiRun>>> = {};
  for (const word of words) sums[`${prefix}${word}`] = sum(word);
  return sums as Readonly<Record<`${Prefix}${Word}`, Sum<KpiRun>>>; // oxlint-disable-line typescript/no-unsafe-type-assertion -- every word is there
}

const ofOutcome = (outcome: Outcome): Sum<KpiRun> => ({
  of: (run) => Number(run.outcome === outcome),
  sql: `countIf(Outcome = '${outcome}')`,
});
const pricedOfOutcome = (outcome: Outcome): Sum<KpiRun> => ({
  of: (run) => Number(run.priced && run.outcome === outcome),
  sql: `countIf(Priced AND Outcome = '${outcome}')`,
});
const ofReason = (reason: EscalationReason): Sum<KpiRun> => ({
  of: (run) => Number(escalationReasonOf(run) === reason),
  sql: `countIf(Escalated AND EscalationReason ${reason === 'other' ? "IN ('other', '')" : `= '${reason}'`})`,
});

/** What finished runs add up to. A run of unknown price is on neither side of a cost: unknown is not 0. */
export const runSums = {
  ...each(outcomes, '', ofOutcome),
  ...each(outcomes, 'priced_', pricedOfOutcome),
  ...each(escalationReasons, 'escalated_', ofReason),
  contained: {
    of: (run) => Number(!isEscalated(run) && run.outcome !== 'abandoned'),
    sql: "countIf(NOT Escalated AND Outcome != 'abandoned')",
  },
  evidenced: { of: (run) => Number(run.evidence !== 'none'), sql: "countIf(Evidence != 'none')" },
  unpriced: { of: (run) => Number(!run.priced), sql: 'countIf(NOT Priced)' },
  unattributed: {
    of: (run) => Number(isUnattributed(run)),
    sql: "countIf(AgentName = 'unknown' OR Release = 'unknown')",
  },
  llm: { of: (run) => cost(run, run.costUsd.llm), sql: 'toFloat64(sumIf(LlmCostUsd, Priced))' },
  tool: { of: (run) => cost(run, run.costUsd.tool), sql: 'toFloat64(sumIf(ToolCostUsd, Priced))' },
  review: { of: (run) => cost(run, run.costUsd.review), sql: 'toFloat64(sumIf(ReviewCostUsd, Priced))' },
  /** Also of runs of unknown price: what humans cost is known of them. */
  allReview: { of: (run) => run.costUsd.review, sql: 'toFloat64(sum(ReviewCostUsd))' },
  reviewSeconds: { of: (run) => run.reviewSeconds, sql: 'sum(ReviewSeconds)' },
  seconds: { of: runSeconds, sql: 'sum(DurationSeconds)' },
  /** Counted on their own, when they open. */
  incidents: { of: () => 0, sql: undefined },
} as const satisfies Record<string, Sum<KpiRun>>;

/** How long a run took, from its first span to its end. */
export function runSeconds(run: KpiRun): number {
  return Math.max(0, run.endMs - run.startMs) / 1000;
}

/** What a run cost, in US dollars. */
export function runUsd({ costUsd }: KpiRun): number {
  return costUsd.llm + costUsd.tool + costUsd.review;
}

/** Whether a call is in ratios: calls that a human refused or that were cancelled did not run. */
export function isRatioed({ result }: KpiToolCall): boolean {
  return result === 'ok' || result === 'error';
}

/** What tool calls add up to. */
export const toolSums = {
  called: { of: (call) => Number(isRatioed(call)), sql: "countIf(Result IN ('ok', 'error'))" },
  ok: { of: (call) => Number(call.result === 'ok'), sql: "countIf(Result = 'ok')" },
  /** The attempts before the last one failed, whatever became of that. */
  attempted: {
    of: (call) => call.attempts - 1 + Number(isRatioed(call)),
    sql: "sum(Attempts - 1) + countIf(Result IN ('ok', 'error'))",
  },
  retried: {
    of: (call) => Number(isRatioed(call) && call.attempts > 1),
    sql: "countIf(Attempts > 1 AND Result IN ('ok', 'error'))",
  },
  seconds: {
    of: (call) => (isRatioed(call) ? call.durationMs / 1000 : 0),
    sql: "sumIf(DurationSeconds, Result IN ('ok', 'error'))",
  },
} as const satisfies Record<string, Sum<KpiToolCall>>;

/** What the scores of finished runs add up to. */
export const scoreSums = {
  scored: { of: () => 1, sql: 'count()' },
  score: { of: ({ score }) => score, sql: 'sum(Score)' },
} as const satisfies Record<string, Sum<KpiScore>>;
