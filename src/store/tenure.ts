import { delayMs, type Backoff } from '../core/backoff.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { OwnershipLost, type Claim, type Position } from '../core/stream.ts';
import type { Telemetry } from '../core/telemetry.ts';
import { messageOf } from '../core/failure.ts';
import type { Block, BlockLimits, RowEncoder } from './block.ts';
import { Checkpoints } from './checkpoints.ts';
import { loggable } from './clickhouse-fault.ts';
import type { Conservation } from './conservation.ts';
import type { DeadLetter, DeadLetters } from './dead-letters.ts';
import { toCommit, tokenOf, type Intent, type Ledger } from './intent.ts';
import { isBefore, type Origin } from './place.ts';
import { InsertRejected, type Table } from './table.ts';

/** What the store works with, the same for every partition. */
export interface StoreParts {
  readonly table: Table;
  readonly encoder: RowEncoder;
  readonly deadLetters: DeadLetters;
  readonly telemetry: Telemetry;
  readonly log: Log;
  readonly clock: Clock;
  /** Resolves after `ms`, or at once when `signal` aborts. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Names the time since the machine started (`currentBoot`). */
  readonly boot: () => string;
  readonly settings: StoreSettings;
}

export interface StoreSettings {
  readonly limits: BlockLimits;
  /** How long spans wait for company in a block, in milliseconds. */
  readonly flushIntervalMs: number;
  /** How long after it was sent an insert may still land, in milliseconds. */
  readonly insertDeadlineMs: number;
  /**
   * How long after its commit a row may still be taken back by a power cut, in milliseconds: after an unclean stop as
   * much is verified by position. 0 where another machine keeps the table.
   */
  readonly verifyMs: number;
  readonly backoff: Backoff;
}

/** What a partition is doing; `waiting` says for what. */
export interface Health {
  readonly partition: number;
  readonly state: 'recovering' | 'flowing' | 'waiting';
  readonly reason: string;
  /** Unix milliseconds. */
  readonly sinceMs: number;
}

/** From when on an insert without an answer, or a commit that never succeeds, is something to wait for, in milliseconds. */
const slowMs = 30_000;
const states = ['recovering', 'flowing', 'waiting'] as const;

/** Since when a partition has had something to commit and could not, in Unix milliseconds; it outlives a tenure that fails. */
export interface CommitDue {
  sinceMs: number | undefined;
}

/** What a walk over the stream came past. */
export interface Passed {
  /** The position of the first span it did not pass. */
  readonly to: Position;
  readonly last: Ledger['last'];
  /** Spans passed; those of `unreadable` not included. */
  readonly spans: number;
  /** What of it no encoder can read. */
  readonly unreadable: readonly DeadLetter[];
  readonly expiredRecords: number;
  /** How many of those have rows; none where it is not said. */
  readonly heldRecords?: number;
}

/** One period of owning a partition: its ledger, and the only ways to change what the ledger says. */
export class Tenure {
  readonly parts: StoreParts;
  readonly origin: Origin;
  readonly claim: Claim;
  readonly stopping: AbortSignal;
  /** Aborts when this tenure has to end, for whatever reason. */
  readonly halt: AbortSignal;
  readonly #due: CommitDue;
  #ledger: Ledger;
  #committed: Ledger;
  #health: Health;
  #insertSinceMs: number | undefined;
  #isRecovered = false;
  readonly #checkpoints: Checkpoints;

  constructor(
    parts: StoreParts,
    place: { readonly origin: Origin; readonly claim: Claim; readonly due: CommitDue },
    stopping: AbortSignal,
    ledger: Ledger,
  ) {
    const { origin, claim, due } = place;
    this.parts = parts;
    this.#due = due;
    this.origin = origin;
    this.claim = claim;
    this.stopping = stopping;
    this.halt = AbortSignal.any([claim.lost, stopping]);
    this.#ledger = ledger;
    this.#committed = ledger;
    this.#checkpoints = new Checkpoints(parts.settings.verifyMs);
    this.#health = { partition: origin.partition, state: 'recovering', reason: '', sinceMs: this.nowMs() };
    this.enter('recovering');
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  get health(): Health {
    const { partition, state } = this.#health;
    if (state === 'waiting') return this.#health;
    const slow = [
      { sinceMs: this.#insertSinceMs, reason: 'the table: it has not answered an insert' },
      { sinceMs: this.#due.sinceMs, reason: 'the stream: no commit has succeeded' },
    ];
    for (const { sinceMs, reason } of slow)
      if (sinceMs !== undefined && this.nowMs() - sinceMs >= slowMs)
        return { partition, state: 'waiting', reason, sinceMs };
    return this.#health;
  }

  get conservation(): Conservation {
    const { position, passedSpans, storedSpans, deadSpans, expiredSpans } = this.#committed;
    return { position, committedSpans: passedSpans, storedSpans, deadSpans, expiredSpans };
  }

  nowMs(): number {
    return this.parts.clock.nowMs();
  }

  /** Says what the partition is doing from now on. */
  enter(state: Health['state'], reason = ''): void {
    const { partition } = this.origin;
    for (const each of states)
      this.parts.telemetry.set('plimsoll_store_state', each === state ? 1 : 0, {
        partition: String(partition),
        state: each,
      });
    const sinceMs = this.#health.state === state ? this.#health.sinceMs : this.nowMs();
    this.#health = { partition, state, reason, sinceMs };
  }

  /** Says no longer what the partition is doing: somebody else may own it by now. */
  end(): void {
    for (const state of states)
      this.parts.telemetry.remove('plimsoll_store_state', {
        partition: String(this.origin.partition),
        state,
      });
  }

  /** Commits that `block` is about to be inserted, with everything concluded so far. The intent is then open. */
  async announce(block: Block, attempt: string, rows: number): Promise<Intent> {
    const intent = { from: block.from, to: block.to, attempt, rows };
    await this.#commit({ ...this.#ledger, intent, cleanBoot: undefined });
    return intent;
  }

  /** Commits everything concluded so far, with no intent open; `cleanBoot` says that the owner stops, and in which boot. */
  close(cleanBoot?: string): Promise<void> {
    return this.#commit({ ...this.#ledger, intent: undefined, cleanBoot });
  }

  /** Says that everything before the position has its row by now: from here on, positions may settle. */
  endRecovery(): void {
    this.#isRecovered = true;
  }

  /** Whether there is something to commit. */
  get isBehind(): boolean {
    return isBefore(this.#committed.position, this.#ledger.position) || this.#committed.intent !== undefined;
  }

  /**
   * Concludes everything before `passed.to`: `stored` spans of it are in the table, `dead` in the dead letters. What
   * lies before the position was counted when it was passed, and is not counted again. Holds the position until what is
   * unreadable is among the dead letters.
   */
  async conclude(passed: Passed, stored: number, dead: number): Promise<void> {
    if (!isBefore(this.#ledger.position, passed.to)) return;
    await this.bury(passed.unreadable);
    this.expire(0, passed.expiredRecords);
    this.parts.telemetry.count('plimsoll_store_rows_total', stored, {});
    const unreadableSpans = passed.unreadable.reduce((sum, { spans }) => sum + spans, 0);
    this.#ledger = {
      ...this.#ledger,
      position: passed.to,
      last: passed.last ?? this.#ledger.last,
      passedSpans: this.#ledger.passedSpans + passed.spans + unreadableSpans,
      storedSpans: this.#ledger.storedSpans + stored,
      deadSpans: this.#ledger.deadSpans + dead + unreadableSpans,
      expiredRecords: this.#ledger.expiredRecords + passed.expiredRecords - (passed.heldRecords ?? 0),
    };
  }

  /** Sends `letters` until they are durable: no position goes past one that is not, whatever keeps it. */
  async bury(letters: readonly DeadLetter[]): Promise<void> {
    if (letters.length === 0) return;
    const { deadLetters, log, telemetry } = this.parts;
    const giver = { part: 'store', nowMs: this.nowMs() } as const;
    await this.persist('the dead letters', () => deadLetters.send(this.origin, letters, giver, this.halt));
    telemetry.count('plimsoll_store_dead_letters_total', letters.length, {});
    for (const { record, index, reason } of letters)
      log.error({ ...this.origin, offset: record.offset, index, reason }, 'a span can never be stored');
  }

  /** Counts what the stream's retention removed before it was stored: spans where an intent says how many, records where not. */
  expire(spans: number, records: number): void {
    if (spans + records === 0) return;
    const { log, telemetry } = this.parts;
    const { passedSpans, expiredSpans } = this.#ledger;
    this.#ledger = {
      ...this.#ledger,
      passedSpans: passedSpans + spans,
      expiredSpans: expiredSpans + spans,
    };
    telemetry.count('plimsoll_store_expired_records_total', records, {});
    log.error({ ...this.origin, spans, records }, 'retention removed records before they were stored');
  }

  /** Counts rows beyond the first of their position. */
  countDuplicates(rows: number): void {
    if (rows === 0) return;
    this.parts.telemetry.count('plimsoll_store_duplicate_rows_total', rows, {});
    this.parts.log.error({ ...this.origin, rows }, 'the table holds rows twice');
  }

  /**
   * Inserts `block` as `intent` announced it: once, without a retry. No copy of it lands later than the deadline after
   * `sinceMs`, a time by the table's clock at which nobody had yet gone past the intent. Never rejects: returns the error,
   * or undefined when the table acknowledged.
   */
  async insert(block: Block, intent: Intent, sinceMs: number): Promise<unknown> {
    const { table, telemetry, settings } = this.parts;
    const startedMs = this.nowMs();
    this.#insertSinceMs = startedMs;
    let failure: unknown;
    try {
      await table.insert({
        origin: this.origin,
        body: block.body(),
        token: tokenOf(this.origin, intent),
        deadlineMs: sinceMs + settings.insertDeadlineMs,
        signal: this.halt,
      });
    } catch (error) {
      failure = error ?? new Error('failed without saying why');
    }
    this.#insertSinceMs = undefined;
    const outcome =
      failure === undefined ? 'stored' : failure instanceof InsertRejected ? 'rejected' : 'uncertain';
    telemetry.count('plimsoll_store_blocks_total', 1, { outcome });
    telemetry.observe('plimsoll_store_insert_duration_seconds', (this.nowMs() - startedMs) / 1000, {});
    return failure;
  }

  /** Repeats `work` until it succeeds or the tenure has to end; meanwhile the partition waits for `what`. */
  async persist<T>(what: string, work: () => Promise<T>): Promise<T> {
    const { state, reason } = this.#health;
    for (let attempt = 0; ; attempt++) {
      this.halt.throwIfAborted();
      try {
        const result = await work();
        if (attempt > 0) this.enter(state, reason);
        return result;
      } catch (error) {
        if (error instanceof OwnershipLost) throw error;
        await this.wait(what, error, attempt);
      }
    }
  }

  /** Waits before attempt `attempt` is made again (0 is the first), because `error` kept `what` from answering. */
  async wait(what: string, error: unknown, attempt: number): Promise<void> {
    this.halt.throwIfAborted();
    const message = messageOf(error);
    this.enter('waiting', `${what}: ${message}`);
    const waitMs = delayMs(this.parts.settings.backoff, attempt, Math.random());
    this.parts.log.warn({ ...this.origin, for: what, ...loggable(error), waitMs }, 'the store waits');
    await this.parts.pause(waitMs, this.halt);
  }

  async #commit(ledger: Ledger): Promise<void> {
    this.#ledger = { ...ledger, settled: this.#settle(ledger) };
    this.#due.sinceMs ??= this.nowMs();
    await this.claim.commit(toCommit(this.#ledger, this.origin, this.parts.encoder.version));
    this.#due.sinceMs = undefined;
    this.#committed = this.#ledger;
    const { telemetry } = this.parts;
    const labels = { partition: String(this.origin.partition) };
    telemetry.set('plimsoll_store_committed_spans', this.conservation.committedSpans, labels);
    telemetry.set('plimsoll_store_stored_spans', this.#committed.storedSpans, labels);
    telemetry.set('plimsoll_store_dead_spans', this.#committed.deadSpans, labels);
    telemetry.set('plimsoll_store_expired_spans', this.#committed.expiredSpans, labels);
  }

  /** The newest position that was committed `verifyMs` ago, to a minute. */
  #settle(ledger: Ledger): Position {
    if (!this.#isRecovered) return ledger.settled;
    return this.#checkpoints.settled(ledger.position, this.nowMs()) ?? ledger.settled;
  }
}
