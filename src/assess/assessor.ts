import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import {
  OwnershipLost,
  type Claim,
  type ClaimWorker,
  type Headers,
  type StreamRecord,
} from '../core/stream.ts';
import type { Telemetry } from '../core/telemetry.ts';
import type { Family } from '../kpi/family.ts';
import { Kpis } from '../kpi/kpis.ts';
import type { RunCounts, RunSettings } from '../runs/run-assembler.ts';
import { tableRowOf } from '../runs/run-row.ts';
import type { SpanFacts } from '../semconv/span-facts.ts';
import { fromCommit, toCommit, type Progress } from './progress.ts';
import type { RowOutbox } from './row-outbox.ts';
import { Session, type Reading } from './session.ts';

/** Reads the spans of a record. `at` returns one cursor, valid until the next call; `read` throws an `invalid` Failure for bytes that are no request. */
export interface SpanReader {
  read(record: { readonly payload: Uint8Array; readonly headers: Headers }): void;
  readonly count: number;
  at(index: number): SpanFacts;
}

/** Durations in milliseconds, of event time. */
export interface AssessorSettings {
  /** Lengths of the rolling windows. */
  readonly windowsMs: readonly number[];
  /** How far behind the newest event of its partition an event may be and still count in a window. */
  readonly latenessMs: number;
  /** Series per metric; what comes beyond is counted under the label value `overflow`. */
  readonly maxSeries: number;
  /** A run without a root span ends this long after its last span. */
  readonly idleTimeoutMs: number;
  /** Runs in memory, open ones and those that ended a moment ago. */
  readonly maxRuns: number;
  /** Whether a run that ended with a call for a tool that nobody made counts as one that waits for an approval. */
  readonly guessEscalations: boolean;
}

/** What the assessor works with. */
export interface AssessorParts {
  /** Partitions of the stream; KPIs are exported while all of them are owned. */
  readonly partitions: number;
  readonly spans: SpanReader;
  /** Where what is known of ended runs goes. */
  readonly outbox: RowOutbox;
  /** The revision of the policy that covers an agent in an environment; '' where none does. */
  readonly policyRevision: (agent: string, environment: string) => string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly log: Log;
}

const readBytes = 1024 * 1024;
const waitMs = 250;
const commitEveryMs = 1000;
const idleAfterMs = 1000;
const expireAfterMs = 24 * 3_600_000;
const spansPerRun = 10;

/** A progress to be committed once the first `added` runs of the outbox are durable. */
interface DueCommit {
  readonly progress: Progress;
  readonly timeouts: number;
  readonly added: number;
}

/**
 * Turns the stream into KPIs and runs. Give `worker` to a consumer of the stream; export `families`. It commits up to
 * where the counters have counted, once a second, and with it where a restart must begin to read so that the windows are
 * whole again. Records are not kept for that: what retention has removed by then is missing from the windows, which
 * say so. A process that is killed has not committed what it counted last; the next one counts that again.
 *
 * No run is lost on the way: a progress is committed only after every run that was known by then, from whichever
 * partition, is durable on the stream of runs, and not before all that was counted is read again: until then a run may
 * lack what is to come of it. What a restart sends again is the same run in the same version. While that stream takes
 * none, nothing is read.
 */
export class Assessor {
  readonly worker: ClaimWorker = (claim, stopping) => this.#work(claim, stopping);
  readonly #settings: AssessorSettings;
  readonly #parts: AssessorParts;
  readonly #kpis: Kpis;
  /** The latest of this process, by partition, whether it could be committed or not. */
  readonly #progress = new Map<number, Progress>();
  /** What is committed, by partition: every run known by then is durable. */
  readonly #kept = new Map<number, Progress>();
  #session: Session;

  constructor(settings: AssessorSettings, parts: AssessorParts) {
    this.#settings = settings;
    this.#parts = parts;
    const { windowsMs, latenessMs, maxSeries } = settings;
    this.#kpis = new Kpis({ windowsMs, latenessMs, maxSeries, idleAfterMs, expireAfterMs });
    this.#session = this.#newSession();
  }

  /** The KPIs as of now. */
  families(): readonly Family[] {
    return this.#kpis.families(this.#parts.clock.nowMs(), this.#owned);
  }

  /** Whether spans reach the KPIs. */
  check(): { readonly flowing: boolean; readonly reason: string } {
    const { size } = this.#session;
    const { partitions, outbox } = this.#parts;
    if (outbox.fault !== undefined)
      return { flowing: false, reason: `waits for the stream of runs: ${outbox.fault}` };
    return {
      flowing: this.#owned,
      reason: this.#owned ? '' : `owns ${size} of ${partitions} partitions of the stream`,
    };
  }

  get #owned(): boolean {
    return this.#session.size === this.#parts.partitions;
  }

  #newSession(): Session {
    const { idleTimeoutMs, latenessMs, maxRuns, guessEscalations } = this.#settings;
    const { outbox, policyRevision } = this.#parts;
    const runs: RunSettings = {
      idleTimeoutMs,
      rememberMs: latenessMs,
      rememberIdleMs: this.#kpis.longestWindowMs,
      holdMs: latenessMs / 2,
      maxRuns,
      maxSpansPerRun: 10_000,
      maxSpans: spansPerRun * maxRuns,
      guessEscalations,
    };
    return new Session(this.#kpis, runs, latenessMs, (run) =>
      outbox.add(tableRowOf(run, policyRevision(run.agent, run.environment))),
    );
  }

  async #work(claim: Claim, stopping: AbortSignal): Promise<void> {
    const { partition } = claim;
    this.#resume(claim);
    try {
      while (!stopping.aborted && !claim.lost.aborted) await this.#readSession(claim, stopping);
    } catch (error) {
      if (!(error instanceof OwnershipLost)) throw error;
      this.#parts.log.info({ partition }, 'another member assesses the partition now');
    }
  }

  /** Takes over what the group committed; what this process has counted itself is not counted again. */
  #resume(claim: Claim): void {
    const { partition, committed } = claim;
    const own = this.#progress.get(partition);
    const last = committed ? fromCommit(committed) : undefined;
    if (last) this.#kept.set(partition, last);
    else this.#kept.delete(partition);
    if (last && own) {
      const counted = Math.max(last.counted, own.counted);
      this.#progress.set(partition, { ...last, counted, countedMs: Math.max(last.countedMs, own.countedMs) });
    } else if (last) this.#progress.set(partition, last);
    if (this.#session.hasBegun(partition)) this.#session = this.#newSession();
  }

  /** Reads until the claim ends, or another partition was lost and everything must be read again. */
  async #readSession(claim: Claim, stopping: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const { partition } = claim;
    const session = this.#session;
    const bounds = await claim.bounds();
    if (session !== this.#session) return;
    const known = { progress: this.#progress.get(partition), kept: this.#kept.get(partition) };
    const reading = session.begin(partition, known, bounds, clock.nowMs());
    try {
      await this.#readOn(claim, session, reading, stopping);
    } finally {
      this.#progress.set(partition, session.progress(reading, clock.nowMs()));
      session.end(reading);
    }
  }

  async #readOn(claim: Claim, session: Session, reading: Reading, stopping: AbortSignal): Promise<void> {
    const { clock, outbox, partitions } = this.#parts;
    const halt = AbortSignal.any([claim.lost, stopping]);
    let dueMs = clock.nowMs();
    let due: DueCommit | undefined;
    let committed: DueCommit | undefined;
    while (session === this.#session && !halt.aborted) {
      if (!outbox.hasRoom) await outbox.room(halt);
      const records = halt.aborted ? [] : await claim.read(reading.next, readBytes, waitMs);
      if (session !== this.#session) return;
      if (!halt.aborted) this.#take(session, reading, records);
      const isDue = clock.nowMs() - dueMs >= commitEveryMs && session.isWhole(partitions);
      if (due === undefined && isDue) {
        due = this.#dueCommit(session, reading);
        dueMs = clock.nowMs();
        outbox.send();
      }
      if (due && outbox.isDurable(due.added)) {
        committed = await this.#commit(claim, due, committed);
        due = undefined;
      }
      if (records.length > 0) await turn(); // reads from memory would otherwise keep I/O waiting
    }
    if (session !== this.#session || claim.lost.aborted || !session.isWhole(partitions)) return;
    const last = this.#dueCommit(session, reading);
    await outbox.flushed(last.added, claim.lost);
    if (outbox.isDurable(last.added)) await this.#commit(claim, last, committed);
  }

  #dueCommit(session: Session, reading: Reading): DueCommit {
    const { clock, outbox } = this.#parts;
    const progress = session.progress(reading, clock.nowMs());
    return { progress, timeouts: session.timeouts, added: outbox.added };
  }

  /** Commits `due`, unless it says what `last` said. */
  async #commit(claim: Claim, due: DueCommit, last: DueCommit | undefined): Promise<DueCommit> {
    const { progress, timeouts } = due;
    const isNew =
      progress.replayFrom !== last?.progress.replayFrom ||
      progress.counted !== last.progress.counted ||
      timeouts !== last.timeouts;
    if (!isNew) return due;
    await claim.commit(toCommit(progress));
    this.#kept.set(claim.partition, progress);
    return due;
  }

  #take(session: Session, reading: Reading, records: readonly StreamRecord[]): void {
    const { clock, telemetry } = this.#parts;
    const { assembler } = session;
    const before = { ...assembler.counts };
    const nowMs = clock.nowMs();
    for (const record of records) {
      session.enterRecord(reading, record.offset, record.timeMs);
      this.#addSpans(session, reading, record);
      session.leaveRecord(reading, record.timeMs, nowMs);
    }
    if (records.length === 0) session.idle(reading, nowMs);
    this.#report(before, assembler.counts);
    telemetry.set('plimsoll_assess_open_runs', assembler.openRuns, {});
    telemetry.set('plimsoll_assess_runs_in_memory', assembler.size, {});
  }

  #addSpans(session: Session, reading: Reading, record: StreamRecord): void {
    const { spans, telemetry } = this.#parts;
    try {
      spans.read(record);
    } catch (error) {
      if (!(error instanceof Failure && error.kind === 'invalid')) throw error;
      telemetry.count('plimsoll_assess_undecodable_records_total', 1, {}); // the store keeps it as a dead letter
      return;
    }
    const { count } = spans;
    for (let i = 0; i < count; i++) session.assembler.add(spans.at(i), reading.lane);
  }

  #report(before: Readonly<RunCounts>, after: Readonly<RunCounts>): void {
    const { telemetry } = this.#parts;
    telemetry.count('plimsoll_assess_spans_total', after.spans - before.spans, {});
    telemetry.count('plimsoll_assess_resent_spans_total', after.resent - before.resent, {});
    telemetry.count('plimsoll_assess_unsampled_log_records_total', after.unsampled - before.unsampled, {});
    telemetry.count('plimsoll_assess_clamped_spans_total', after.clamped - before.clamped, {});
    telemetry.count('plimsoll_assess_late_spans_total', after.late - before.late, {});
    telemetry.count('plimsoll_assess_unremembered_spans_total', after.unremembered - before.unremembered, {});
    telemetry.count('plimsoll_assess_spilled_runs_total', after.spilled - before.spilled, {});
    telemetry.count('plimsoll_assess_lost_words_total', after.discarded - before.discarded, {});
  }
}
