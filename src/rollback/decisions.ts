import type { Clock } from '../core/clock.ts';
import { approvalBy, idIn, taken, type Answered, type Approvals } from './approvals.ts';
import { isOpen, type Attempt, type SaidReview } from './attempt.ts';
import type { Journal } from './journal.ts';
import { drillsPerDay, type RollbackBook } from './rollback-book.ts';
import type { DrillRecord, EventBody, Review } from './rollback-event.ts';

/** What people decide with. */
export interface DecisionParts {
  readonly journal: Journal;
  readonly approvals: Pick<Approvals, 'admission'>;
  /** Reads what is new in the journal; rejects with a Failure while that cannot be relied on. */
  ready(): Promise<void>;
  /** Somebody decided on an attempt, which may go on now. */
  decided(): void;
  /** Whether a policy of that name is in use. */
  hasPolicy(name: string): boolean;
  readonly clock: Clock;
}

const dayMs = 86_400_000;

/**
 * What people decide about rollbacks, any of which may be told to any process. Each resolves when the journal has it
 * durably, and rejects with a Failure when it may not have it. Who somebody is, and whether he may, the API knows; who may
 * approve, the attempt says.
 */
export class Decisions {
  readonly #parts: DecisionParts;

  constructor(parts: DecisionParts) {
    this.#parts = parts;
  }

  /** Somebody approves what the ticket is of. */
  async approve(ticket: string, by: string): Promise<Answered> {
    return this.#answer(ticket, by, (attempt) => approvalBy(attempt, by));
  }

  /** Somebody refuses what the ticket is of. */
  async refuse(ticket: string, by: string, reason: string): Promise<Answered> {
    return this.#answer(ticket, by, ({ id }) => ({ event: 'refused', id, by, why: 'human', reason }));
  }

  async #answer(
    ticket: string,
    by: string,
    decide: (attempt: Attempt) => EventBody | Answered,
  ): Promise<Answered> {
    const answered = await this.#onAttempt(idIn(ticket), (attempt) => {
      const admitted = this.#parts.approvals.admission(attempt, ticket, by);
      return admitted.kind === 'taken' && attempt ? decide(attempt) : admitted;
    });
    this.#parts.decided();
    return answered;
  }

  /** Somebody says of an attempt that is over whether it was right; what was said last stands, and who changes it hears so. */
  async review(id: string, by: string, review: Review, note: string): Promise<Answered> {
    let changes: SaidReview | undefined;
    const answered = await this.#onAttempt(id, (attempt) => {
      changes = undefined;
      if (!attempt) return { kind: 'unknown', reason: `there is no rollback ${id}` };
      if (isOpen(attempt))
        return { kind: 'over', reason: `the rollback ${id} is ${attempt.state}: review it when it is over` };
      const { review: said } = attempt;
      const isSaid = said?.by === by && said.review === review && said.note === note;
      if (isSaid) return taken;
      changes = said;
      return { event: 'reviewed', id, by, review, note };
    });
    return changes && answered.kind === 'taken' ? { ...answered, changes } : answered;
  }

  async #onAttempt(
    id: string,
    decide: (attempt: Attempt | undefined) => EventBody | Answered,
  ): Promise<Answered> {
    let answered: Answered = taken;
    await this.#command((book) => {
      const decided = decide(book.attempt(id));
      answered = 'event' in decided || decided.kind === 'taken' ? { kind: 'taken', id } : decided;
      return 'event' in decided ? decided : undefined;
    });
    return answered;
  }

  /**
   * Nothing is done to any target from now on, until somebody resumes that: attempts only say what they would do, and those
   * that somebody approved wait, to be done then.
   */
  async stopAll(by: string, reason: string): Promise<Answered> {
    return this.#command((book) => (book.stop ? undefined : { event: 'stopped', by, reason }));
  }

  /** Ends what `stopAll` began. Resolves with how many attempts, which somebody approved, waited for that alone. */
  async resume(by: string): Promise<{ readonly kind: 'taken'; readonly approved: number }> {
    let approved = 0;
    await this.#command((book) => {
      approved = book.stop ? book.attempts.filter(({ state }) => state === 'approved').length : 0;
      return book.stop ? { event: 'resumed', by } : undefined;
    });
    return { ...taken, approved };
  }

  /** Closes the breaker of a target, or `global`. */
  async closeBreaker(scope: string, by: string): Promise<Answered> {
    let isThere = true;
    const answered = await this.#command((book) => {
      isThere = book.breakers.some((breaker) => breaker.scope === scope);
      return isThere ? { event: 'breaker_closed', scope, by } : undefined;
    });
    return isThere ? answered : { kind: 'unknown', reason: `no breaker of ${scope} is open` };
  }

  /** Keeps the record of a drill of a policy in use; so many in a day. */
  async record(drill: DrillRecord, by: string): Promise<Answered> {
    if (!this.#parts.hasPolicy(drill.policy))
      return { kind: 'unknown', reason: `no policy in use is called ${drill.policy}` };
    let isFull = false;
    const answered = await this.#command((book) => {
      isFull = book.drillsSince(this.#parts.clock.nowMs() - dayMs) >= drillsPerDay;
      return isFull ? undefined : { event: 'drilled', by, drill };
    });
    return isFull
      ? { kind: 'over', reason: `${drillsPerDay} drills were recorded within a day, and more are not kept` }
      : answered;
  }

  async #command(decide: (book: RollbackBook) => EventBody | undefined): Promise<Answered> {
    await this.#parts.ready();
    await this.#parts.journal.append(decide);
    return taken;
  }
}
