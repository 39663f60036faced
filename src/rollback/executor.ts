import { randomUUID } from 'node:crypto';
import type { Component } from '../core/component.ts';
import { Failure, messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type { Secret } from '../core/secret.ts';
import type { TableRow } from '../core/table-row.ts';
import type { Family } from '../kpi/family.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import { Approvals, idIn, taken, type Answered } from './approvals.ts';
import { isOpen, type Attempt } from './attempt.ts';
import { JournalFile, JournalMismatch } from './journal-file.ts';
import { Journal, type JournalStream } from './journal.ts';
import type { Destination, StepFacts } from './next-step.ts';
import { OrderDesk, type DeskParts } from './order-desk.ts';
import { truncatedPage, type Page } from './page.ts';
import { Pager } from './pager.ts';
import { drillsPerDay, type RollbackBook } from './rollback-book.ts';
import type { DrillRecord, EventBody, JournalEvent } from './rollback-event.ts';
import { rollbackFamilies } from './rollback-families.ts';
import type { RequestOutcome, RollbackPlan, RollbackRequest } from './rollback-plan.ts';
import { Requests } from './requests.ts';
import { rollbackRow } from './rollback-row.ts';
import type { RollbackStatus } from './rollback-status.ts';
import { sandbox } from './sandbox.ts';
import type { TargetAdapter } from './target-adapter.ts';
import { UnderWay } from './under-way.ts';

/** What an executor works with. */
export interface ExecutorParts extends Pick<DeskParts, 'isActing' | 'figureOf' | 'recentMs' | 'clock'> {
  /** Kept for good, and read from its first record on. */
  readonly journal: JournalStream;
  /** The file that has the same events. */
  readonly file: string;
  /** By the names that policies have for them. */
  readonly targets: ReadonlyMap<string, TargetAdapter>;
  /** How many rollbacks there may be, of all targets together. */
  readonly perHour: number;
  readonly perDay: number;
  /** Signs what approvers are shown. */
  readonly approvalKey: Secret;
  /** Why nothing may be done at all, beside what the journal says; undefined when something may. */
  stopReason(): string | undefined;
  /** What the policies in use say; undefined where they say nothing of rollbacks. */
  planOf(agent: string, environment: string): RollbackPlan | undefined;
  /** Whether a policy of that name is in use. */
  hasPolicy(name: string): boolean;
  destinations(agent: string, environment: string, release: string): readonly Destination[];
  /** Opens an incident; resolves when that is known to whoever is told of incidents, and survives this process. */
  page(page: Page): Promise<void>;
  /** Takes a row of the audit; the same one may come again. */
  rows(row: TableRow): void;
  readonly log: Log;
}

const pollMs = 1000;
const dayMs = 86_400_000;
/** So many events are said again to the table after a start: it knows them by their place. */
const limitRows = 1000;
/** Clocks of machines that are well differ by less. */
const limitAheadMs = 60_000;

/**
 * Takes releases back. Requests of the judge, of alerts and of people become attempts in a journal that every process may
 * append to; the one process that acts brings each of them to its end. What it decides stands in the journal before it
 * is done.
 */
export class Executor implements Component {
  readonly name = 'rollback';
  readonly #parts: ExecutorParts;
  readonly #instance = randomUUID();
  readonly #journal: Journal;
  readonly #file: JournalFile;
  readonly #desk: OrderDesk;
  readonly #requests: Requests;
  readonly #approvals: Approvals;
  readonly #pager: Pager;
  readonly #underWay: UnderWay;
  #rows: JournalEvent[] = [];
  #fault: string | undefined;
  #beginning: Promise<void> | undefined;
  #telling: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #isClockTold = false;

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
    const { journal, clock, file } = parts;
    this.#journal = new Journal(
      journal,
      () => clock.nowMs(),
      (event, aheadMs) => this.#heard(event, aheadMs),
    );
    this.#file = new JournalFile(file);
    this.#desk = new OrderDesk(
      {
        ...parts,
        isActing: () => this.#isActing(),
        adapterOf: (attempt) => this.#adapterOf(attempt),
        stopReason: () => this.#stopReason(this.#journal.book),
      },
      this.#instance,
    );
    this.#underWay = new UnderWay({
      journal: this.#journal,
      desk: this.#desk,
      facts: () => this.#facts(),
      isActing: () => this.#isActing(),
      journalFailed: (error) => this.#failed(error),
      log: parts.log,
    });
    this.#pager = new Pager(this.#journal, async (page) => parts.page(page), parts.log);
    this.#approvals = new Approvals(parts.approvalKey, clock);
    this.#requests = new Requests({
      journal: this.#journal,
      desk: this.#desk,
      planOf: (agent, environment) => parts.planOf(agent, environment),
      figureOf: (kpi, of, sinceMs) => parts.figureOf(kpi, of, sinceMs),
      facts: () => this.#facts(),
    });
  }

  /** Reads the journal; where that is not possible now, it is tried again until it is. */
  async start(): Promise<void> {
    this.#isStopped = false;
    await this.#begin();
    this.#timer = setInterval(() => void this.#begin(), pollMs).unref();
  }

  /** Begins nothing more; resolves when the orders under way are answered, or when `deadline` aborts. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cut = (): void => resolve();
    deadline.addEventListener('abort', cut, { once: true });
    if (deadline.aborted) cut();
    await Promise.race([Promise.all([this.#beginning, this.#underWay.settled()]), late]);
    deadline.removeEventListener('abort', cut);
  }

  /** Why nothing is decided now; undefined while all is well. */
  get fault(): string | undefined {
    return this.#journal.fault ?? this.#fault;
  }

  /**
   * Somebody asks to take a release back. Resolves when the journal has that durably; the same request again is the same
   * attempt. Rejects with a Failure when it may not have it.
   */
  async request(request: RollbackRequest): Promise<RequestOutcome> {
    await this.#ready();
    const outcome = await this.#requests.take(request);
    if (outcome.kind === 'accepted') void this.#begin();
    return outcome;
  }

  /** Somebody approves what the ticket is of. */
  async approve(ticket: string, by: string): Promise<Answered> {
    return this.#answer(ticket, by, (id) => ({ event: 'approved', id, by }));
  }

  /** Somebody refuses what the ticket is of. */
  async refuse(ticket: string, by: string, reason: string): Promise<Answered> {
    return this.#answer(ticket, by, (id) => ({ event: 'refused', id, by, why: 'human', reason }));
  }

  async #answer(ticket: string, by: string, bodyOf: (id: string) => EventBody): Promise<Answered> {
    await this.#ready();
    let answered: Answered = taken;
    await this.#journal.append((book) => {
      const attempt = book.attempt(idIn(ticket));
      answered = this.#approvals.admission(attempt, ticket, by);
      return answered.kind === 'taken' && attempt ? bodyOf(attempt.id) : undefined;
    });
    void this.#begin();
    return answered;
  }

  /** Nothing is done to any target from now on, until somebody resumes that: attempts only say what they would do. */
  async stopAll(by: string, reason: string): Promise<Answered> {
    return this.#command((book) => (book.stop ? undefined : { event: 'stopped', by, reason }));
  }

  /** Ends what `stopAll` began. */
  async resume(by: string): Promise<Answered> {
    return this.#command((book) => (book.stop ? { event: 'resumed', by } : undefined));
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
    await this.#ready();
    await this.#journal.append(decide);
    return taken;
  }

  /** Alerts came of which some were left out. Rejects with a Failure when nobody can be told now. */
  async truncated(count: number): Promise<void> {
    await this.#parts.page(truncatedPage(count));
  }

  /** What there is, as `viewer` may see it. */
  status(viewer: string | undefined): RollbackStatus {
    const { book, head } = this.#journal;
    return {
      attempts: book.attempts.map((attempt) => ({
        ...attempt,
        ticket: this.#approvals.ticketFor(attempt, viewer),
        asks: this.#requests.asksFor(attempt),
      })),
      breakers: book.breakers,
      stopReason: this.#stopReason(book),
      head,
      fault: this.fault,
    };
  }

  /** What `/metrics` says; of attempts and the journal only where this process acts. */
  families(): readonly Family[] {
    const { book, head, voids } = this.#journal;
    const requests = this.#requests.counts;
    const isActing = this.#parts.isActing();
    const stopReason = this.#stopReason(book);
    return rollbackFamilies({
      book,
      head,
      voids,
      requests,
      isActing,
      stopReason,
      fault: this.fault,
      nowMs: this.#parts.clock.nowMs(),
    });
  }

  /**
   * Reads what is new and, where this process acts, takes every attempt as far as it goes now; resolves when all of them
   * are, however long their targets take. Never rejects.
   */
  async round(): Promise<void> {
    await this.#begin();
    await this.#underWay.settled();
    await this.#tell().catch((error: unknown) => this.#failed(error));
  }

  /** The part of a round that waits for no target. */
  async #begin(): Promise<void> {
    this.#beginning ??= this.#doBegin()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => (this.#beginning = undefined));
    await this.#beginning;
  }

  #failed(error: unknown): void {
    this.#fault = messageOf(error);
    this.#parts.log.warn({ err: error }, 'the journal of rollbacks is out of reach and will be tried again');
  }

  async #doBegin(): Promise<void> {
    await this.#ready().catch(async (error: unknown) => {
      if (this.#parts.isActing() && this.fault !== undefined) await this.#pager.pageFault(this.fault);
      throw error;
    });
    if (!this.#isActing()) return;
    for (const event of this.#rows.splice(0)) this.#parts.rows(rollbackRow(event, this.#journal.book));
    this.#underWay.begin(this.#journal.book.attempts.filter(isOpen).map(({ id }) => id));
    await this.#tell();
    this.#desk.forget((id) => !this.#isOpenId(id));
    this.#underWay.forget((id) => !this.#isOpenId(id));
  }

  async #tell(): Promise<void> {
    if (!this.#isActing() || this.fault !== undefined) return;
    this.#telling ??= this.#pager.pageAll().finally(() => (this.#telling = undefined));
    await this.#telling;
  }

  #isActing(): boolean {
    return !this.#isStopped && this.#parts.isActing();
  }

  #isOpenId(id: string): boolean {
    const attempt = this.#journal.book.attempt(id);
    return attempt !== undefined && isOpen(attempt);
  }

  /** Reads what is new; the journal can be relied on when that resolves. */
  async #ready(): Promise<void> {
    await this.#journal.catchUp();
    if (this.#journal.fault === undefined) await this.#copy();
    if (this.fault !== undefined) throw new Failure('unavailable', this.fault);
  }

  /** The file gets what it does not have. A file that cannot be written is no reason to leave a bad release. */
  async #copy(): Promise<void> {
    try {
      await this.#file.follow(this.#journal.events);
      this.#fault = undefined;
    } catch (error) {
      if (error instanceof JournalMismatch) this.#fault = error.message;
      else {
        this.#fault = undefined;
        this.#parts.log.error(
          { err: error, file: this.#parts.file },
          'the file of rollbacks cannot be written',
        );
      }
    }
  }

  #facts(): StepFacts {
    const { clock, perHour, perDay } = this.#parts;
    return {
      nowMs: clock.nowMs(),
      stopReason: this.#stopReason(this.#journal.book),
      perHour,
      perDay,
      instance: this.#instance,
      modeOf: (agent, environment) => this.#parts.planOf(agent, environment)?.mode ?? 'off',
      hasTarget: (attempt) => this.#adapterOf(attempt) !== undefined,
      destinations: (agent, environment, release) => this.#parts.destinations(agent, environment, release),
    };
  }

  #adapterOf({ environment, plan }: Pick<Attempt, 'environment' | 'plan'>): TargetAdapter | undefined {
    return isRehearsal(environment) ? sandbox : this.#parts.targets.get(plan.target);
  }

  #stopReason({ stop }: RollbackBook): string | undefined {
    return this.#parts.stopReason() ?? (stop && `${stop.by} stopped all rollbacks: ${stop.reason}`);
  }

  #heard(event: JournalEvent, aheadMs: number): void {
    if (aheadMs > limitAheadMs && !this.#isClockTold) {
      this.#isClockTold = true;
      const { seq, timeMs } = event;
      this.#parts.log.error(
        { seq, time: new Date(timeMs).toISOString(), aheadMs },
        'the journal of rollbacks has events of the future, which count as of now: the clock of a machine is or was wrong',
      );
    }
    this.#rows.push(event);
    if (this.#rows.length > limitRows) this.#rows.shift();
  }
}
