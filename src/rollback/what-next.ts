import { instant } from '../core/instant.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import type { Attempt } from './attempt.ts';
import { answerMs, cooldownEndMs, openBreaker, restsUntilMs } from './next-step.ts';
import type { RollbackBook } from './rollback-book.ts';

/** What is known beside an attempt when people are told what comes next. */
export interface NextFacts {
  readonly book: RollbackBook;
  /** Why nothing may be done to any target now; undefined when something may. */
  readonly stopReason: string | undefined;
  /** Who asks, and whether he may decide on the attempt. */
  readonly viewer: string | undefined;
  readonly mayDecide: boolean;
  /** Whether anything was seen lately of the release that is to go; undefined when nobody can say. */
  isSeen(): boolean | undefined;
  /** Whether the configuration has its target. */
  readonly hasTarget: boolean;
}

/** What happens next to `attempt`, or what somebody can do about it, as a sentence for people, without its full stop. */
export function whatNext(attempt: Attempt, facts: NextFacts): string {
  const { state, plan, from, to, environment } = attempt;
  const { target, verify } = plan;
  const stop = isRehearsal(environment) ? undefined : facts.stopReason;
  const latest = facts.book.latest(attempt.key);
  if (latest && latest.id !== attempt.id && state !== 'dry_run')
    return `${latest.id} came after it, and is ${latest.state}`;
  switch (state) {
    case 'requested':
      return `it is met as the policy says (${plan.mode}), in some seconds or when another rollback of ${target} is over${unseen(attempt, facts)}`;
    case 'awaiting_approval': {
      const held = stop === undefined ? '' : `; approved, it waits for the end of the stop (${stop})`;
      return `${approvalNext(attempt, facts)}${held}${unseen(attempt, facts)}`;
    }
    case 'approved':
      return stop === undefined
        ? `${target} gets the order in some seconds, or when another rollback of it is over`
        : `it waits until ${instant(attempt.sinceMs + plan.approvalMs)} for the end of the stop (${stop}): plimsoll rollback resume`;
    case 'executing':
      return `${target} is about to get the order; when it cannot be reached for two minutes, somebody is told`;
    case 'verifying':
      return `${to} must meet the objective of ${verify.kpi} over ${verify.minEvents} events until ${instant((attempt.actedMs ?? 0) + verify.withinMs)}, else somebody is told`;
    case 'done':
    case 'moved':
      return `nothing is to be done; ${again(attempt, facts)}`;
    case 'failed':
      return `look at what ${target} runs; ${again(attempt, facts)}`;
    case 'refused':
      return refusedNext(attempt, facts);
    case 'expired':
      return `ask again from ${instant(attempt.sinceMs + plan.cooldownMs)} on, if ${from} is still to go`;
    case 'dry_run':
  }
  const done = facts.hasTarget
    ? 'nothing was done'
    : `nothing was done, and nothing could be: extensions::rollback::targets does not have ${target}`;
  return attempt.review
    ? done
    : `${done}; say whether it was right: plimsoll rollback review ${attempt.id} --right|--wrong`;
}

function approvalNext(attempt: Attempt, facts: NextFacts): string {
  const { id, plan, askers, approval, approvedBy } = attempt;
  const approvals = approval?.approvals ?? 1;
  const left = plan.approvers.filter((name) => !askers.includes(name) && !approvedBy.includes(name));
  const needed = approvals - approvedBy.length;
  const done = `${approvedBy.length} of ${approvals} approved${approvedBy.length > 0 ? `, by ${approvedBy.join(', ')}` : ''}`;
  const until = instant(approval?.expiresMs ?? 0);
  if (left.length < needed)
    return `${done}; it expires at ${until}: ${needed} more have to approve, and ${left.length === 0 ? 'nobody' : `only ${left.join(', ')}`} may, for who asked may not`;
  const isYours = facts.mayDecide && !approvedBy.includes(facts.viewer ?? '');
  const who = isYours ? 'you' : `${needed} of ${left.join(', ')}`;
  return `${done}; it waits until ${until} for ${who}: plimsoll rollback approve ${id}`;
}

function again(attempt: Attempt, { book }: NextFacts): string {
  const { plan, from } = attempt;
  return `who asks from ${instant(attempt.state === 'done' ? cooldownEndMs(attempt, book) : restsUntilMs(attempt, book))} on begins it anew, if ${plan.target} runs ${from} then`;
}

function refusedNext(attempt: Attempt, { book }: NextFacts): string {
  const { refusal, plan, from, agent, sinceMs } = attempt;
  switch (refusal) {
    case 'limit': {
      const breaker = openBreaker(plan.target, book);
      return breaker
        ? `when the cause is known: plimsoll rollback close-breaker ${breaker.scope}; then ask again`
        : 'ask again when fewer were done in that time';
    }
    case 'cooldown':
      return `ask again from ${instant(cooldownEndMs(attempt, book))} on, if ${from} is still to go`;
    case 'no_destination':
      return `deploy a release of ${agent} that is known to be good yourself: there is none to go back to`;
    case 'no_target':
      return `add extensions::rollback::targets::${plan.target}, or correct the policy ${plan.policy}; then ask again`;
    case 'human':
    case undefined:
  }
  return `that stands until ${instant(sinceMs + answerMs)}, whoever asks`;
}

function unseen(attempt: Attempt, facts: NextFacts): string {
  if (isRehearsal(attempt.environment) || facts.isSeen() !== false) return '';
  return `; nothing was seen of ${attempt.agent} ${attempt.from} in ${attempt.environment} lately: is that its name?`;
}
