/** What a span means to us. */
export const steps = [
  'tool',
  'llm',
  'agent',
  'handoff',
  'guardrail',
  'evaluator',
  'review',
  'other',
] as const;
export type Step = (typeof steps)[number];

/** How one tool call ended. `rejected` (a human said no) and `cancelled` calls did not run and are in no ratio. */
export const results = ['ok', 'error', 'rejected', 'cancelled'] as const;
export type Result = (typeof results)[number];

/** How one run ended. `success`: somebody confirmed it; `completed`: it ended without failing and nobody confirmed. */
export const outcomes = ['success', 'completed', 'failure', 'escalated', 'abandoned', 'unknown'] as const;
export type Outcome = (typeof outcomes)[number];

/** The outcomes that are good where no policy says which. */
export const usuallyGood: ReadonlySet<Outcome> = new Set(['success', 'completed']);

/** Who says how a run ended. */
export const evidenceLevels = ['none', 'app', 'evaluator', 'human'] as const;
export type EvidenceLevel = (typeof evidenceLevels)[number];

/** Why control passed to a human. */
export const escalationReasons = [
  'approval',
  'human_handoff',
  'input_request',
  'guardrail',
  'budget',
  'other',
] as const;
export type EscalationReason = (typeof escalationReasons)[number];

/** Where an escalation stands. */
export const escalationStates = [
  'requested',
  'approved',
  'rejected',
  'modified',
  'aborted',
  'timed_out',
  'auto',
] as const;
export type EscalationState = (typeof escalationStates)[number];

/** What came of asking a human: `unanswered` requests timed out or were given up, `unknown` is what nobody says. */
export const escalationResolutions = ['approved', 'rejected', 'unanswered', 'unknown'] as const;
export type EscalationResolution = (typeof escalationResolutions)[number];

/** What an escalation was seen in: the sender's word for it, what a span shows, a log record, or a guess. */
export const escalationSources = ['explicit', 'span', 'log', 'heuristic'] as const;

/** Whether the log record that a span was made of belonged to a trace, to one of which no span comes, or only to a session. */
export const logOrigins = ['traced', 'unsampled', 'untraced'] as const;
export type LogOrigin = (typeof logOrigins)[number];

/**
 * Where a cost comes from: the sender said it, we computed it from tokens, the operator states what a call or an hour
 * costs, or no price is known (never 0, never a guess).
 */
export const costSources = ['reported', 'computed', 'static', 'unpriced'] as const;
export type CostSource = (typeof costSources)[number];

/** How grave an alert or an incident is, the gravest first; a policy says what each means. */
export const severities = ['sev1', 'sev2', 'sev3', 'sev4'] as const;
export type Severity = (typeof severities)[number];

/** The value of agent, release and environment when nobody says. */
export const unknown = 'unknown';

/** Finds the word that a text is: always the same string, which is compared by its address; undefined when it is none. */
function lookup<T extends string>(words: readonly T[]): (text: string) => T | undefined {
  const byText: ReadonlyMap<string, T> = new Map(words.map((word) => [word, word]));
  return (text) => byText.get(text);
}

/** The one of `steps` that a text is. */
export const stepOf = lookup(steps);

/** The one of `results` that a text is. */
export const resultOf = lookup(results);

/** The one of `outcomes` that a text is. */
export const outcomeOf = lookup(outcomes);

/** The one of `evidenceLevels` that a text is. */
export const evidenceLevelOf = lookup(evidenceLevels);

/** The one of `escalationReasons` that a text is. */
export const escalationReasonOf = lookup(escalationReasons);

/** The one of `escalationStates` that a text is. */
export const escalationStateOf = lookup(escalationStates);

/** The one of `logOrigins` that a text is. */
export const logOriginOf = lookup(logOrigins);

/** The one of `costSources` that a text is. */
export const costSourceOf = lookup(costSources);
