import { Failure } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import type { Attempt } from './attempt.ts';
import type { Journal } from './journal.ts';
import { nextStep, type StepFacts } from './next-step.ts';
import type { OrderDesk } from './order-desk.ts';

/** What attempts are taken further with. */
export interface UnderWayParts {
  readonly journal: Journal;
  readonly desk: OrderDesk;
  facts(): StepFacts;
  /** Whether this process still acts, and was not stopped. */
  isActing(): boolean;
  /** The journal cannot be relied on now. */
  journalFailed(error: Failure): void;
  readonly log: Log;
}

/** An attempt takes no more steps than this at once. */
const limitSteps = 20;
/** So seldom a target is asked whether a rollback helped. */
const verifyMs = 5000;

/** Attempts that are being taken as far as they go, each for itself: a target that hangs keeps no other one waiting. */
export class UnderWay {
  readonly #parts: UnderWayParts;
  /** By the id of the attempt. */
  readonly #work = new Map<string, Promise<void>>();
  /** By the id of the attempt; when it was last asked how its rollback went. */
  readonly #verifiedMs = new Map<string, number>();

  constructor(parts: UnderWayParts) {
    this.#parts = parts;
  }

  /** Begins to take those of `ids` further that are not on their way yet. */
  begin(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#work.has(id)) continue;
      const work = this.#advance(id)
        .catch((error: unknown) => this.#failed(id, error))
        .finally(() => this.#work.delete(id));
      this.#work.set(id, work);
    }
  }

  /** Forgets attempts that are `isOver`. */
  forget(isOver: (id: string) => boolean): void {
    for (const id of this.#verifiedMs.keys()) if (isOver(id)) this.#verifiedMs.delete(id);
  }

  /** Resolves when those that are on their way now got as far as they go. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.#work.values());
  }

  #failed(id: string, error: unknown): void {
    if (error instanceof Failure) this.#parts.journalFailed(error);
    else this.#parts.log.error({ err: error, id }, 'a rollback met a fault and will be taken up again');
  }

  async #advance(id: string): Promise<void> {
    const { journal, desk } = this.#parts;
    for (let steps = 0; steps < limitSteps; steps++) {
      const attempt = journal.book.attempt(id);
      if (!attempt || !this.#parts.isActing()) return;
      const step = nextStep(attempt, journal.book, this.#parts.facts());
      if (step.kind === 'wait' || (step.kind === 'verify' && !this.#isDue(attempt))) return;
      const body =
        step.kind === 'append'
          ? undefined
          : await (step.kind === 'act' ? desk.act(attempt) : desk.verify(attempt));
      if (step.kind !== 'append' && !body) return;
      await journal.append((book) => {
        const now = book.attempt(id);
        if (now?.state !== attempt.state) return undefined;
        if (body) return body;
        const again = nextStep(now, book, this.#parts.facts());
        return again.kind === 'append' ? again.body : undefined;
      });
    }
  }

  /** Whether it is time to ask again how the rollback went; nobody is asked about a rehearsal. */
  #isDue({ id, environment }: Attempt): boolean {
    const { nowMs } = this.#parts.facts();
    const sinceMs = nowMs - (this.#verifiedMs.get(id) ?? Number.NEGATIVE_INFINITY);
    if (sinceMs >= 0 && sinceMs < verifyMs && !isRehearsal(environment)) return false;
    this.#verifiedMs.set(id, nowMs);
    return true;
  }
}
