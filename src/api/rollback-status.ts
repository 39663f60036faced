import { instant } from '../core/instant.ts';

/** What somebody said of an attempt that was over, and when. */
export interface ShownReview {
  readonly review: string;
  readonly by: string;
  readonly note: string;
  readonly saidMs: number;
}

/** An attempt, as far as it is shown. */
interface ShownAttempt {
  readonly id: string;
  readonly state: string;
  readonly cause: string;
  readonly agent: string;
  readonly environment: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly outcome: string;
  readonly askers: readonly string[];
  readonly asks: number;
  readonly approvedBy: readonly string[];
  readonly next: string;
  readonly review: ShownReview | undefined;
  readonly requestedMs: number;
  readonly sinceMs: number;
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly approval: { readonly expiresMs: number; readonly approvals: number } | undefined;
  readonly ticket: string | undefined;
  readonly plan: {
    readonly policy: string;
    readonly revision: string;
    readonly mode: string;
    readonly target: string;
    readonly approvers: readonly string[];
  };
}

/** What there is of rollbacks, as far as it is shown. */
export interface ShownStatus {
  readonly attempts: readonly ShownAttempt[];
  readonly breakers: readonly {
    readonly scope: string;
    readonly reason: string;
    readonly sinceMs: number;
  }[];
  readonly reviews: readonly {
    readonly policy: string;
    readonly state: string;
    readonly times: number;
    readonly right: number;
    readonly wrong: number;
  }[];
  readonly stopReason: string | undefined;
  readonly head: { readonly seq: number; readonly hash: string };
  readonly fault: string | undefined;
}

/** `status` as it is answered: times in RFC 3339, null where there is nothing. */
export function statusJson({ attempts, breakers, reviews, stopReason, head, fault }: ShownStatus) {
  return {
    stopped: stopReason ?? null,
    fault: fault ?? null,
    journal: { seq: head.seq, hash: head.hash },
    breakers: breakers.map(({ scope, reason, sinceMs }) => ({ scope, reason, since: instant(sinceMs) })),
    rollbacks: attempts.map(attemptJson),
    reviews: reviews.map(({ policy, state, times, right, wrong }) => ({
      policy,
      state,
      times,
      right,
      wrong,
      not_reviewed: times - right - wrong,
    })),
  };
}

/** `review` as it is answered; null where there is none. */
export function reviewJson(review: ShownReview | undefined) {
  if (!review) return null;
  const { saidMs, ...rest } = review;
  return { ...rest, said: instant(saidMs) };
}

function attemptJson(attempt: ShownAttempt) {
  const { plan, requestedMs, sinceMs, approval, ticket, approvedBy, askers, from, to, ...rest } = attempt;
  const { id, state, cause, agent, environment, reason, outcome, asks, next, review, evidence } = rest;
  return {
    id,
    state,
    agent,
    environment,
    from_release: from,
    to_release: to === '' ? null : to,
    target: plan.target,
    mode: plan.mode,
    policy: plan.policy,
    policy_revision: plan.revision,
    cause,
    reason,
    outcome,
    asked_by: askers,
    asks,
    approvers: plan.approvers,
    approvals: approval?.approvals ?? null,
    approved_by: approvedBy,
    requested: instant(requestedMs),
    since: instant(sinceMs),
    expires: state === 'awaiting_approval' && approval ? instant(approval.expiresMs) : null,
    next,
    review: reviewJson(review),
    ticket: ticket ?? null,
    evidence,
  };
}
