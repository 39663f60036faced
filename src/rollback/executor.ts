import { randomUUID } from 'node:crypto';
import type { Component } from '../core/component.ts';
import { cutAt } from '../core/cut-at.ts';
import { Failure, messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type { Secret } from '../core/secret.ts';
import type { TableRow } from '../core/table-row.ts';
import type { Family } from '../kpi/family.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import { Approvals } from './approvals.ts';
import { isOpen, type Attempt } from './attempt.ts';
import { Decisions, type DecisionParts } from './decisions.ts';
import { JournalFile } from './journal-file.ts';
import { Journal, type JournalStream } from './journal.ts';
import type { Destination, StepFacts } from './next-step.ts';
import { OrderDesk, type DeskParts } from './order-desk.ts';
import { truncatedPage } from './page.ts';
import { Pager, type People } from './pager.ts';
import type { RollbackBook } from './rollback-book.ts';
import type { JournalEvent } from './rollback-event.ts';
import { rollbackFamilies } from './rollback-families.ts';
import type { RequestOutcome, RollbackPlan, RollbackRequest } from './rollback-plan.ts';
import { Requests } from './requests.ts';
import { logEvent } from './rollback-log.ts';
import { rollbackRow } from './rollback-row.ts';
import { statusOf, type RollbackStatus } from './rollback-status.ts';
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
  /** How many people have to approve what is done to a target, whatever policies say; 1: policies decide. */
  approvalsOf(target: string): number;
  /** How many rollbacks there may be, of all targets together. */
  readonly perHour: number;
  readonly perDay: number;
  /** Signs what approvers are shown. */
  readonly approvalKey: Secret;
  /** Why nothing may be done at all, beside what the journal says; undefined when something may. */
  stopReason(): string | undefined;
  /** What the policies in use say; undefined where they say nothing of rollbacks. */
  planOf(agent: string, environment: string): RollbackPlan | undefined;
  readonly hasPolicy: DecisionParts['hasPolicy'];
  destinations(agent: string, environment: string, release: string): readonly Destination[];
  /** Opens an incident of a page, and resolves those of pages that are over. */
  readonly people: People;
  /** Takes a row of the audit; the same one may come again. */
  rows(row: TableRow): void;
  readonly log: Log;
}

const pollMs = 1000;
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
  /** What people decide. */
  readonly decisions: Decisions;
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
      ({ body }) => logEvent(parts.log, body, this.#journal.book),
    );
    this.#file = new JournalFile(file, parts.log);
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
    this.#pager = new Pager(this.#journal, parts.people, parts.log);
    this.#approvals = new Approvals(parts.approvalKey, clock);
    this.decisions = new Decisions({
      journal: this.#journal,
      approvals: this.#approvals,
      ready: async () => this.#ready(),
      decided: () => void this.#begin(),
      hasPolicy: (policy) => parts.hasPolicy(policy),
      clock,
    });
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
    const answered = Promise.all([this.#beginning, this.#underWay.settled()]);
    await cutAt(deadline, resolve, Promise.race([answered, late]));
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

  /** Alerts came of which some were left out. Rejects with a Failure when nobody can be told now. */
  async truncated(count: number): Promise<void> {
    await this.#parts.people.page(truncatedPage(count));
  }

  /** What there is, as `viewer` may see it. */
  status(viewer: string | undefined): RollbackStatus {
    const journal = this.#journal;
    const parts = { journal, approvals: this.#approvals, requests: this.#requests, desk: this.#desk };
    return statusOf(
      {
        ...parts,
        hasTarget: (attempt) => this.#adapterOf(attempt) !== undefined,
        stopReason: this.#stopReason(journal.book),
        fault: this.fault,
      },
      viewer,
    );
  }

  /** What `/metrics` says; of attempts and the journal only where this process acts. */
  families(): readonly Family[] {
    const { book, head, voids } = this.#journal;
    return rollbackFamilies({
      book,
      head,
      voids,
      requests: this.#requests.counts,
      isActing: this.#parts.isActing(),
      stopReason: this.#stopReason(book),
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
    this.#underWay.begin([...this.#openIds]);
    await this.#tell();
    const open = this.#openIds;
    this.#desk.forget((id) => !open.has(id));
    this.#underWay.forget((id) => !open.has(id));
  }

  async #tell(): Promise<void> {
    if (!this.#isActing() || this.fault !== undefined) return;
    this.#telling ??= this.#pager.pageAll().finally(() => (this.#telling = undefined));
    await this.#telling;
  }

  #isActing(): boolean {
    return !this.#isStopped && this.#parts.isActing();
  }

  get #openIds(): ReadonlySet<string> {
    return new Set(this.#journal.book.attempts.filter(isOpen).map(({ id }) => id));
  }

  /** Reads what is new; the journal can be relied on when that resolves. */
  async #ready(): Promise<void> {
    await this.#journal.catchUp();
    if (this.#journal.fault === undefined) this.#fault = await this.#file.faultAfter(this.#journal.events);
    if (this.fault !== undefined) throw new Failure('unavailable', this.fault);
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
      approvalsOf: ({ environment, plan }) =>
        isRehearsal(environment) ? 1 : this.#parts.approvalsOf(plan.target),
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
