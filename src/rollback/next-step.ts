import { instant } from '../core/instant.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import { isOpen, type Attempt } from './attempt.ts';
import { everyTarget, type RollbackBook } from './rollback-book.ts';
import { stricterMode, type AttemptBody, type EventBody, type Mode, type Refusal } from './rollback-event.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** So long after the last request the answer to it stands, and that of a person after it was given. */
export const answerMs = dayMs;

/** A release to go back to, and why. */
export interface Destination {
  readonly release: string;
  readonly why: string;
}

/** What is known beside the journal when a step is chosen. */
export interface StepFacts {
  readonly nowMs: number;
  /** Why nothing may be done to any target now; undefined when something may. */
  readonly stopReason: string | undefined;
  /** How many rollbacks there may be, of all targets together. */
  readonly perHour: number;
  readonly perDay: number;
  hasTarget(attempt: Attempt): boolean;
  /** How many people have to approve what is done to its target, whatever a policy says; 1: the policy decides. */
  approvalsOf(attempt: Attempt): number;
  /** What the policies in use have done by now; `off` where none says. */
  modeOf(agent: string, environment: string): Mode;
  /** Releases to go back to, best first. */
  destinations(agent: string, environment: string, release: string): readonly Destination[];
  /** Who acts when it begins to. */
  readonly instance: string;
}

/** What is to be done about an attempt next: nothing for now, an event, an order to its target, or a look at how it went. */
export type Step =
  | { readonly kind: 'wait' | 'act' | 'verify' }
  | { readonly kind: 'append'; readonly body: EventBody };

const wait: Step = { kind: 'wait' };

/** The next step of `attempt`. */
export function nextStep(attempt: Attempt, book: RollbackBook, facts: StepFacts): Step {
  const { id, state, approval } = attempt;
  if (state === 'requested' || state === 'approved') return proceed(attempt, book, facts);
  if (state === 'executing') return { kind: 'act' };
  if (state === 'verifying') return { kind: 'verify' };
  const isOverdue = state === 'awaiting_approval' && facts.nowMs >= (approval?.expiresMs ?? 0);
  return isOverdue ? append({ event: 'expired', id }) : wait;
}

function proceed(attempt: Attempt, book: RollbackBook, facts: StepFacts): Step {
  const { id, plan, sinceMs } = attempt;
  const { target } = plan;
  if (facts.nowMs - sinceMs >= plan.approvalMs) return append({ event: 'expired', id });
  if (book.attempts.some((other) => other.plan.target === target && isActedOn(other))) return wait;
  const to = destinationOf(attempt, book, facts);
  const mode = modeNow(attempt, facts);
  if (isHeldBack(attempt, mode, facts)) return wait;
  const dry = dryReason(attempt, mode, facts);
  if (dry !== undefined) return append({ event: 'dry_run', id, to: to ?? '', reason: dry });
  if (!facts.hasTarget(attempt))
    return refused(
      id,
      'no_target',
      `the policy names the target ${target}, which extensions::rollback::targets does not have`,
    );
  const limit = isRehearsal(attempt.environment) ? undefined : limitStep(attempt, book, facts);
  if (limit) return limit;
  if (to === undefined) return refused(id, 'no_destination', noDestination(attempt));
  const asked = approvalAsked(attempt, mode, facts);
  if (asked)
    return append({ event: 'approval_asked', id, to, expiresMs: facts.nowMs + plan.approvalMs, ...asked });
  return append({ event: 'executing', id, to, instance: facts.instance });
}

function isActedOn({ state }: Attempt): boolean {
  return state === 'executing' || state === 'verifying';
}

/** The stricter of what the policy said when it was asked for and what it says now. */
function modeNow({ agent, environment, plan }: Attempt, facts: StepFacts): Mode {
  return isRehearsal(environment) ? plan.mode : stricterMode(plan.mode, facts.modeOf(agent, environment));
}

/** Whether people want `attempt` to be done, and others want nothing to be done for now: it waits for these, for a while. */
function isHeldBack({ state, environment }: Attempt, mode: Mode, { stopReason }: StepFacts): boolean {
  const isWanted = state === 'approved' && (mode === 'approve' || mode === 'auto');
  return isWanted && stopReason !== undefined && !isRehearsal(environment);
}

/** How many people have to approve before `attempt` is done, and why; undefined when nobody has to any more. */
function approvalAsked(
  attempt: Attempt,
  mode: Mode,
  facts: StepFacts,
): { readonly approvals: number; readonly reason: string } | undefined {
  const { state, approvedBy, plan } = attempt;
  const approvals = facts.approvalsOf(attempt);
  const isApproved = state === 'approved' && approvedBy.length >= approvals;
  if (isApproved || (state === 'requested' && mode === 'auto' && approvals === 1)) return undefined;
  const isPolicys = approvals === 1 || (state === 'requested' && mode === 'approve');
  return {
    approvals,
    reason: isPolicys ? '' : `${plan.target} is acted on when ${approvals} people approved`,
  };
}

/** Why it is only said what would be done; undefined when it is to be done. */
function dryReason(
  { environment }: Attempt,
  mode: Mode,
  { stopReason }: Pick<StepFacts, 'stopReason'>,
): string | undefined {
  if (mode === 'dry_run' || mode === 'off') return `the policy says ${mode}`;
  return isRehearsal(environment) ? undefined : stopReason;
}

/** The release to go back to; once that was approved, no other one. */
function destinationOf(
  { agent, environment, from, to, state }: Attempt,
  book: RollbackBook,
  facts: StepFacts,
): string | undefined {
  return facts
    .destinations(agent, environment, from)
    .map(({ release }) => release)
    .filter((release) => state !== 'approved' || release === to)
    .find((release) => release !== from && !book.isBad(agent, environment, release, facts.nowMs));
}

function noDestination({ state, to }: Attempt): string {
  return state === 'approved'
    ? `${to}, which was approved, is nothing to go back to any more`
    : 'there is no release to go back to: none passed its gate or was established, and was not itself taken back in the last 7 days';
}

function limitStep(attempt: Attempt, book: RollbackBook, facts: StepFacts): Step | undefined {
  const { id, plan } = attempt;
  const { nowMs } = facts;
  const breaker = openBreaker(plan.target, book);
  if (breaker) return refused(id, 'limit', `the breaker of ${breaker.scope} is open: ${breaker.reason}`);
  const untilMs = cooldownEndMs(attempt, book);
  if (nowMs < untilMs)
    return refused(id, 'cooldown', `${plan.target} was acted on, and cools down until ${instant(untilMs)}`);
  const caps = [
    { scope: plan.target, most: plan.perDay, acts: book.actsSince(nowMs - dayMs, plan.target), per: 'day' },
    {
      scope: everyTarget,
      most: facts.perHour,
      acts: book.actsSince(nowMs - hourMs, everyTarget),
      per: 'hour',
    },
    { scope: everyTarget, most: facts.perDay, acts: book.actsSince(nowMs - dayMs, everyTarget), per: 'day' },
  ];
  const reached = caps.find(({ acts, most }) => acts.length >= most);
  if (!reached) return undefined;
  const { scope, acts, per, most } = reached;
  const what = scope === everyTarget ? 'all targets together' : scope;
  const reason = `${acts.length} rollbacks of ${what} in a ${per}, of ${most} that may be`;
  // What a person asks for by mistake opens nothing that another one has to close.
  return attempt.cause === 'human'
    ? refused(id, 'limit', reason)
    : append({ event: 'breaker_opened', scope, reason });
}

/** Until when the target of `plan` cools down. */
export function cooldownEndMs({ plan }: Pick<Attempt, 'plan'>, book: RollbackBook): number {
  return (book.lastActMs(plan.target) ?? Number.NEGATIVE_INFINITY) + plan.cooldownMs;
}

/** The breaker that keeps `target` from being acted on. */
export function openBreaker(target: string, book: RollbackBook) {
  return book.breakers.find(({ scope }) => scope === target || scope === everyTarget);
}

function append(body: EventBody): Step {
  return { kind: 'append', body };
}

function refused(id: string, why: Refusal, reason: string): Step {
  const body: AttemptBody = { event: 'refused', id, by: 'plimsoll', why, reason };
  return append(body);
}

/**
 * Whether a new request is that of `prior`, the latest attempt of its key, or begins another one. `ask`: it begins
 * another one if the target runs the release again.
 */
export function joiningOf(
  prior: Attempt,
  book: RollbackBook,
  facts: StepFacts & {
    /** Whether something would be done now, were it to begin. */
    readonly isEarnest: boolean;
    readonly lastAskedMs: number;
    /** What the policies in use say now. */
    readonly plan: Attempt['plan'];
  },
): 'join' | 'begin' | 'ask' {
  const { nowMs, lastAskedMs } = facts;
  if (isOpen(prior)) return 'join';
  const stands = joined(nowMs - lastAskedMs < answerMs);
  if (prior.state === 'dry_run') return facts.isEarnest ? 'begin' : stands;
  if (prior.refusal === 'human') return joined(nowMs - prior.sinceMs < answerMs);
  // The release may have been deployed again: what to do about that the policy in use says, cooldown and all.
  if (prior.state === 'done' && !isRehearsal(prior.environment)) return 'ask';
  if (prior.state === 'refused')
    return isStillRefused({ ...prior, plan: facts.plan }, book, facts) ? stands : 'begin';
  if (prior.state === 'expired') return joined(nowMs < prior.sinceMs + prior.plan.cooldownMs);
  return nowMs < restsUntilMs(prior, book) ? 'join' : 'ask';
}

/** Until when nothing more is done about the release of an attempt that ended now or before. */
export function restsUntilMs(prior: Attempt, book: RollbackBook): number {
  return Math.max(cooldownEndMs(prior, book), prior.sinceMs + prior.plan.cooldownMs);
}

function joined(joins: boolean): 'join' | 'begin' {
  return joins ? 'join' : 'begin';
}

/** Whether what kept an attempt from acting still does. */
function isStillRefused(prior: Attempt, book: RollbackBook, facts: StepFacts): boolean {
  switch (prior.refusal) {
    case 'limit':
      return openBreaker(prior.plan.target, book) !== undefined;
    case 'cooldown':
      return facts.nowMs < cooldownEndMs(prior, book);
    case 'no_destination':
      return destinationOf({ ...prior, state: 'requested' }, book, facts) === undefined;
    case 'no_target':
      return !facts.hasTarget(prior);
    case 'human':
    case undefined:
  }
  return true;
}
