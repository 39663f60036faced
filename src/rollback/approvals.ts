import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { Secret } from '../core/secret.ts';
import type { Attempt, SaidReview } from './attempt.ts';
import type { EventBody } from './rollback-event.ts';

/** What became of an approval or a refusal, of a breaker that was to be closed, or of a stop. */
export type Answered =
  /** `id` is that of the attempt, where it is about one; `changes` is the review that stood until now, where there was one. */
  | { readonly kind: 'taken'; readonly id?: string; readonly changes?: SaidReview }
  | { readonly kind: 'unknown' | 'forbidden' | 'over'; readonly reason: string };

/** It was done, or is as it should be. */
export const taken = { kind: 'taken' } as const satisfies Answered;

/**
 * Who may decide on an attempt that waits for approval: an approver of its policy who did not ask for it himself, with a
 * ticket that was made for it as it is. A ticket is good until somebody refused with it, as many people as are needed
 * approved, each of them once, or it expires.
 */
export class Approvals {
  readonly #key: Secret;
  readonly #clock: Clock;

  /** `key` signs the tickets. */
  constructor(key: Secret, clock: Clock) {
    this.#key = key;
    this.#clock = clock;
  }

  /** Whether `by` may decide with `ticket` now; `attempt` is the one that it names, if there is one. */
  admission(attempt: Attempt | undefined, ticket: string, by: string): Answered {
    if (!attempt || !isTicketOf(attempt, ticket, this.#key))
      return { kind: 'unknown', reason: 'this ticket is none: plimsoll rollback list shows those there are' };
    const { plan, askers, state, approval } = attempt;
    if (!plan.approvers.includes(by))
      return { kind: 'forbidden', reason: `${by} is not among the approvers of the policy ${plan.policy}` };
    if (askers.includes(by))
      return { kind: 'forbidden', reason: `${by} asked for this rollback, so somebody else decides on it` };
    if (state !== 'awaiting_approval' || this.#clock.nowMs() >= (approval?.expiresMs ?? 0))
      return { kind: 'over', reason: `this ticket was used or has expired: the rollback is ${state}` };
    return taken;
  }

  /** The ticket of `attempt`, for those who may use it; undefined for others, and when nobody waits for it. */
  ticketFor(attempt: Attempt, viewer: string | undefined): string | undefined {
    const ticket = ticketOf(attempt, this.#key);
    if (ticket === undefined || viewer === undefined) return undefined;
    return this.admission(attempt, ticket, viewer).kind === 'taken' ? ticket : undefined;
  }
}

/**
 * What becomes of the approval of `by`, who is admitted: the event to append, or why there is none. Who approved already
 * may still refuse.
 */
export function approvalBy(attempt: Attempt, by: string): EventBody | Answered {
  const { id, approval, approvedBy } = attempt;
  const approvals = approval?.approvals ?? 1;
  if (approvedBy.includes(by))
    return {
      kind: 'over',
      reason: `${by} approved it already, and ${approvals} different people have to`,
    };
  return { event: approvedBy.length + 1 < approvals ? 'approval_given' : 'approved', id, by };
}

/**
 * The ticket with which `attempt` can be approved or refused, once; undefined when nobody waits for that. It is of this
 * attempt, of the release that it goes back to, and of its expiry: all of that is in the event whose hash it signs.
 */
function ticketOf({ id, state, approval }: Attempt, key: Secret): string | undefined {
  if (state !== 'awaiting_approval' || !approval) return undefined;
  return `${id}.${signature(id, approval, key).toString('base64url')}`;
}

/** The id of the attempt that `ticket` names; whether it is good, `isTicketOf` says. */
export function idIn(ticket: string): string {
  return ticket.slice(0, ticket.lastIndexOf('.'));
}

/** Whether `ticket` was made for `attempt` as it is, with this key. How long that takes says nothing of the key. */
function isTicketOf({ id, approval }: Attempt, ticket: string, key: Secret): boolean {
  if (!approval) return false;
  const shown = Buffer.from(ticket.slice(id.length + 1), 'base64url');
  const expected = signature(id, approval, key);
  return shown.byteLength === expected.byteLength && timingSafeEqual(shown, expected);
}

function signature(id: string, { hash }: NonNullable<Attempt['approval']>, key: Secret): Buffer {
  return createHmac('sha256', key.reveal()).update(`${id}\n${hash}`).digest();
}
