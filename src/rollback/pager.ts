import { messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type { Journal } from './journal.ts';
import { breakerPage, isOver, journalPage, pageOf, type Page } from './page.ts';
import type { RollbackBook } from './rollback-book.ts';
import type { EventBody } from './rollback-event.ts';

/** How people are told. */
export interface People {
  /** Resolves when somebody will be told, whatever becomes of this process. */
  page(page: Page): Promise<void>;
  /** Ends what they were told under each key that `isOver`, and is not ended yet; resolves when that survives this process. */
  endPages(isOver: (key: string) => boolean): Promise<void>;
}

/**
 * Tells people of what needs them: at least once, and hardly ever twice, for the journal says what they were told of. What
 * needs them no more is ended, whichever process told of it.
 */
export class Pager {
  readonly #journal: Journal;
  readonly #people: People;
  readonly #log: Pick<Log, 'error'>;
  #pagedFault: string | undefined;
  /** Why people could not be told last. */
  #untold: string | undefined;

  constructor(journal: Journal, people: People, log: Pick<Log, 'error'>) {
    this.#journal = journal;
    this.#people = people;
    this.#log = log;
  }

  /** Tells of all that people were not told of, and again later of what nobody can be told now; ends what is over. */
  async pageAll(): Promise<void> {
    const { book } = this.#journal;
    this.#pagedFault = undefined;
    const faults: unknown[] = [];
    for (const attempt of book.attempts) {
      const told = pageOf(attempt);
      if (!told || attempt.paged.includes(told.what)) continue;
      const { id } = attempt;
      const { what, page } = told;
      await this.#tell(page, faults, (now) =>
        now.attempt(id)?.paged.includes(what) === false ? { event: 'paged', id, what } : undefined,
      );
    }
    for (const breaker of book.breakers) {
      if (breaker.isPaged) continue;
      const { scope } = breaker;
      await this.#tell(breakerPage(breaker), faults, (now) =>
        now.breakers.some((each) => each.scope === scope && !each.isPaged)
          ? { event: 'breaker_paged', scope }
          : undefined,
      );
    }
    await this.#people
      .endPages((key) => isOver(key, book))
      .catch((error: unknown) => void faults.push(error));
    this.#say(faults);
  }

  /** Tells of `page` and has the journal note it; what keeps it from being told goes to `faults`. */
  async #tell(
    page: Page,
    faults: unknown[],
    note: (book: RollbackBook) => EventBody | undefined,
  ): Promise<void> {
    try {
      await this.#people.page(page);
    } catch (error) {
      faults.push(error);
      return;
    }
    await this.#journal.append(note);
  }

  /** Says once that people cannot be told, and again when it is for another reason. */
  #say([error, ...more]: readonly unknown[]): void {
    const reason = error === undefined ? undefined : messageOf(error);
    if (reason !== undefined && reason !== this.#untold)
      this.#log.error(
        { err: error, pages: 1 + more.length },
        'people cannot be told of rollbacks, and will be as soon as that is possible',
      );
    this.#untold = reason;
  }

  /** Tells of a fault of the journal, where that cannot say itself what people know. Never rejects. */
  async pageFault(fault: string): Promise<void> {
    if (this.#pagedFault === fault) return;
    try {
      await this.#people.page(journalPage(fault));
      this.#pagedFault = fault;
      this.#say([]);
    } catch (error) {
      this.#say([error]);
    }
  }
}
