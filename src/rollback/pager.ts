import type { Journal } from './journal.ts';
import { breakerPage, journalPage, pageOf, type Page } from './page.ts';

/** Tells people of what needs them: at least once, and hardly ever twice, for the journal says what they were told of. */
export class Pager {
  readonly #journal: Journal;
  readonly #page: (page: Page) => Promise<void>;
  #pagedFault: string | undefined;

  /** `page` resolves when somebody will be told, whatever becomes of this process. */
  constructor(journal: Journal, page: (page: Page) => Promise<void>) {
    this.#journal = journal;
    this.#page = page;
  }

  /** Tells of all that people were not told of. */
  async pageAll(): Promise<void> {
    const { book } = this.#journal;
    for (const attempt of book.attempts) {
      const told = pageOf(attempt);
      if (!told || attempt.paged.includes(told.what)) continue;
      await this.#page(told.page);
      const { id } = attempt;
      const { what } = told;
      await this.#journal.append((now) =>
        now.attempt(id)?.paged.includes(what) === false ? { event: 'paged', id, what } : undefined,
      );
    }
    for (const breaker of book.breakers) {
      if (breaker.isPaged) continue;
      await this.#page(breakerPage(breaker));
      const { scope } = breaker;
      await this.#journal.append((now) =>
        now.breakers.some((each) => each.scope === scope && !each.isPaged)
          ? { event: 'breaker_paged', scope }
          : undefined,
      );
    }
  }

  /** Tells of a fault of the journal, where that cannot say itself what people know. */
  async pageFault(fault: string): Promise<void> {
    if (this.#pagedFault === fault) return;
    await this.#page(journalPage(fault));
    this.#pagedFault = fault;
  }
}
