import type { Approvals } from './approvals.ts';
import type { Attempt } from './attempt.ts';
import type { ChainHead } from './chain.ts';
import type { Journal } from './journal.ts';
import type { OrderDesk } from './order-desk.ts';
import type { Requests } from './requests.ts';
import type { OpenBreaker, ReviewTally } from './rollback-book.ts';
import { whatNext } from './what-next.ts';

/** All that an executor has to say of itself. */
export interface RollbackStatus {
  readonly attempts: readonly (Attempt & {
    /** With what the one who asked can approve or refuse it. */
    readonly ticket: string | undefined;
    /** How often somebody asked for it, as far as this process knows. */
    readonly asks: number;
    /** What happens next, or what to do: a sentence for people, without its full stop. */
    readonly next: string;
  })[];
  readonly breakers: readonly OpenBreaker[];
  readonly reviews: readonly ReviewTally[];
  readonly stopReason: string | undefined;
  readonly head: ChainHead;
  readonly fault: string | undefined;
}

/** What a status is made of. */
export interface StatusParts extends Pick<RollbackStatus, 'stopReason' | 'fault'> {
  readonly journal: Pick<Journal, 'book' | 'head'>;
  readonly approvals: Pick<Approvals, 'ticketFor'>;
  readonly requests: Pick<Requests, 'asksFor'>;
  readonly desk: Pick<OrderDesk, 'isSeen'>;
  hasTarget(attempt: Attempt): boolean;
}

/** What there is, as `viewer` may see it. */
export function statusOf(parts: StatusParts, viewer: string | undefined): RollbackStatus {
  const { journal, approvals, requests, desk, stopReason, fault } = parts;
  const { book, head } = journal;
  const attempts = book.attempts.map((attempt) => {
    const ticket = approvals.ticketFor(attempt, viewer);
    const mayDecide = ticket !== undefined;
    const isSeen = (): boolean | undefined => desk.isSeen(attempt);
    const hasTarget = parts.hasTarget(attempt);
    const next = whatNext(attempt, { book, stopReason, mayDecide, viewer, isSeen, hasTarget });
    return { ...attempt, ticket, asks: requests.asksFor(attempt), next };
  });
  return { attempts, breakers: book.breakers, reviews: book.reviews, stopReason, head, fault };
}
