import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import { OwnershipLost, type Claim, type ClaimWorker } from '../core/stream.ts';
import type { Telemetry } from '../core/telemetry.ts';
import type { BookState, IncidentBook } from '../incidents/incident-book.ts';
import type { Judge } from '../judge/judge.ts';
import type { Standing } from '../judge/standing.ts';
import type { Ignored } from '../judge/ticks.ts';
import type { KpiIncident } from '../kpi/facts.ts';
import type { Family } from '../kpi/family.ts';
import type { Kpis } from '../kpi/kpis.ts';
import type { RunSettings } from '../runs/run-assembler.ts';
import { tableRowOf } from '../runs/run-row.ts';
import { Assessment, type Reading } from './assessment.ts';
import { kpisOf, runSettingsOf, type AssessorSettings } from './assessor-settings.ts';
import { isForeign, toCommit } from './pointer.ts';
import type { RowOutbox } from './row-outbox.ts';
import { RecordTaker, type SpanReader } from './record-taker.ts';
import { readSavedState, versions, type SavedState } from './saved-state.ts';
import type { StateLog } from './state-log.ts';

/** What the judge says. */
export interface Judged {
  readonly standings: readonly Standing[];
  readonly ignored: Readonly<Ignored>;
}

/** What the assessor works with. */
export interface AssessorParts {
  /** Partitions of the stream; nothing is assessed unless all of them are owned. */
  readonly partitions: number;
  readonly spans: SpanReader;
  /** Where what is known of ended runs goes. */
  readonly outbox: RowOutbox;
  /** Where snapshots go. */
  readonly states: StateLog<SavedState>;
  /** The revision of the policy that covers an agent in an environment; '' where none does. */
  readonly policyRevision: (agent: string, environment: string) => string;
  /** The incidents, which are part of what is known; it is empty while this process does not assess. */
  readonly book: Pick<IncidentBook, 'save' | 'restore'>;
  /** What speaks against releases, which is part of what is known. */
  readonly judge: Judge;
  /** Gets what the judge says in a committed snapshot, also the one that this process begins with; nothing while it does not assess. */
  readonly judged: (verdicts: Judged) => void;
  /** Gets the incidents as a committed snapshot has them, also the one that this process begins with: what nobody takes back any more. */
  readonly incidentsCommitted: (incidents: BookState) => void;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly log: Log;
}

const readBytes = 1024 * 1024;
const readWaitMs = 250;

/** Snapshots take no more than a twentieth of the time, and a third where somebody waits for one. */
const snapshotShare = 20;
const hurriedShare = 2;
/** One that does not fit on its stream is not made again at once. */
const afterFailure = 10;

/** One period of owning the whole stream. */
interface Tenure {
  readonly claims: readonly Claim[];
  readonly assessment: Assessment;
  /** Whether it began with a snapshot: its counters go on from there. */
  readonly isRestored: boolean;
  readonly lost: AbortSignal;
  /** What `changes` were in the last snapshot of this tenure that is committed. */
  savedChanges?: number;
}

/**
 * Turns the stream into KPIs and runs. Give `worker` to a consumer of the stream; export `families`. It begins once every
 * partition is owned and ends when one is lost.
 *
 * Everything it knows is written to a stream of snapshots, again and again, and then the offsets up to which that goes
 * are committed with a pointer to it. Who owns the stream next begins with the snapshot that the commits point at and
 * reads on from there: an owner that lost its partitions can write no commit, and so puts nothing back. A snapshot
 * counts only when every run that was known by then is durable on the stream of rows; what is sent again is the same run in
 * the same version. While that stream takes none, nothing is read.
 *
 * Counters are exported as of the last snapshot that is committed: they never fall, whoever dies. Gauges are those of now.
 * Where the snapshot is not there any more, or is of another version, all that the stream still holds is assessed anew;
 * counters begin from 0 then, and are exported once that is done.
 */
export class Assessor {
  readonly worker: ClaimWorker = (claim, stopping) => this.#work(claim, stopping);
  readonly #settings: AssessorSettings;
  readonly #parts: AssessorParts;
  readonly #kpis: Kpis;
  readonly #runSettings: RunSettings;
  readonly #taker: RecordTaker;
  readonly #claims = new Map<number, Claim>();
  #moved = Promise.withResolvers<void>();
  #hurry = Promise.withResolvers<void>();
  /** While all partitions are owned: settles when they are not any more. */
  #tenure: Promise<void> | undefined;
  #assessment: Assessment | undefined;
  /** Settles with the next snapshot that begins. */
  #committed = nextCommit();

  constructor(settings: AssessorSettings, parts: AssessorParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#taker = new RecordTaker(parts);
    this.#kpis = kpisOf(settings);
    this.#runSettings = runSettingsOf(settings, this.#kpis);
  }

  /** The KPIs as of now; without being `sure` that nobody else owns the stream, only that they are not exported. */
  families(sure = true): readonly Family[] {
    return this.#kpis.families(this.#parts.clock.nowMs(), this.#assessment !== undefined && sure);
  }

  /** Whether this process assesses the stream, so that its KPIs and incidents are the ones that count. */
  get isAssessing(): boolean {
    return this.#assessment !== undefined;
  }

  /** Counts an incident that opened. */
  opened(incident: KpiIncident): void {
    this.#kpis.incident(incident);
    this.change();
  }

  /** Notes that the incidents are not what they were in the last snapshot. */
  change(): void {
    this.#assessment?.change();
  }

  /** Whether spans reach the KPIs. */
  check(): { readonly flowing: boolean; readonly reason: string } {
    const { partitions, outbox, states } = this.#parts;
    if (outbox.fault !== undefined)
      return { flowing: false, reason: `waits for the stream of runs: ${outbox.fault}` };
    if (states.fault !== undefined)
      return { flowing: false, reason: `waits for the stream of snapshots: ${states.fault}` };
    const reason = this.#ownsAll
      ? 'reads the last snapshot'
      : `owns ${this.#claims.size} of ${partitions} partitions of the stream`;
    return this.#assessment ? { flowing: true, reason: '' } : { flowing: false, reason };
  }

  /**
   * Resolves when everything that is known now is committed in a snapshot. Rejects with an `unavailable` Failure when this
   * process does not assess, or ceases to before.
   */
  async committed(): Promise<void> {
    if (!this.#assessment) throw notHere();
    this.#assessment.change();
    this.#hurry.resolve();
    return this.#committed.promise;
  }

  /** Holds `claim` until it is lost or `stopping` aborts; whoever holds the last one of all begins to assess. */
  async #work(claim: Claim, stopping: AbortSignal): Promise<void> {
    const { partition } = claim;
    const ended = AbortSignal.any([claim.lost, stopping]);
    const { promise: ending, resolve } = Promise.withResolvers<void>();
    ended.addEventListener('abort', () => resolve());
    this.#claims.set(partition, claim);
    this.#move();
    while (!ended.aborted) {
      if (this.#ownsAll)
        this.#tenure ??= this.#own([...this.#claims.values()], stopping).finally(() => {
          this.#tenure = undefined;
          this.#move();
        });
      await Promise.race([this.#tenure ?? this.#moved.promise, ending]);
    }
    await this.#tenure;
    if (this.#claims.get(partition) === claim) this.#claims.delete(partition);
  }

  get #ownsAll(): boolean {
    const claims = [...this.#claims.values()];
    return claims.length === this.#parts.partitions && claims.every(({ lost }) => !lost.aborted);
  }

  #move(): void {
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }

  /** Assesses until one of `claims` is lost or `stopping` aborts. */
  async #own(claims: readonly Claim[], stopping: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const lost = AbortSignal.any(claims.map((claim) => claim.lost));
    const ended = AbortSignal.any([lost, stopping, failed.signal]);
    const orFail = async (work: Promise<void>): Promise<void> =>
      work.catch((error: unknown) => {
        failed.abort();
        throw error;
      });
    try {
      const { assessment, readings, isRestored } = await this.#begin(claims, lost);
      this.#assessment = assessment;
      const tenure: Tenure = { claims, assessment, isRestored, lost };
      const reads = claims.map(async (claim, i) => this.#read(claim, assessment, readings[i]!, ended));
      await Promise.all([...reads, this.#keep(tenure, ended)].map(orFail));
      if (!lost.aborted) await this.#save(tenure);
    } catch (error) {
      if (!(error instanceof OwnershipLost)) throw error;
      this.#parts.log.info({}, 'another member assesses the stream now');
    } finally {
      this.#assessment = undefined;
      this.#parts.book.restore();
      this.#parts.judge.restart();
      this.#parts.judged(judgedBy(this.#parts.judge));
      this.#committed.reject(notHere());
      this.#committed = nextCommit();
    }
  }

  /** What is known when `claims` begin, and where each is read on. */
  async #begin(
    claims: readonly Claim[],
    lost: AbortSignal,
  ): Promise<{
    readonly assessment: Assessment;
    readonly readings: readonly Reading[];
    readonly isRestored: boolean;
  }> {
    const { outbox, states, policyRevision, judge, judged, book, incidentsCommitted, clock, log } =
      this.#parts;
    const begun = (): Assessment =>
      new Assessment(this.#kpis, judge, this.#runSettings, (run) =>
        outbox.add(tableRowOf(run, policyRevision(run.agent, run.environment))),
      );
    const read = await readSavedState(claims, { states, log, lost });
    let { saved, incidents } = read;
    const bounds = await Promise.all(claims.map(async (claim) => claim.bounds()));
    let assessment = begun();
    try {
      if (saved) assessment.restore(saved.assessment);
      if (saved && read.judge) judge.restore(read.judge);
      else judge.restart(read.judge); // what was spent of its starts is spent
      if (incidents) book.restore(incidents);
    } catch (error) {
      log.error({ err: error }, 'the last snapshot makes no sense: all is assessed anew');
      saved = incidents = undefined;
      assessment = begun();
      judge.restart();
      book.restore();
    }
    if (saved) judged(judgedBy(judge));
    if (incidents) incidentsCommitted(incidents);
    log.info({ isRestored: saved !== undefined }, 'assesses the stream from now on');
    const readings = claims.map(({ partition, committed }, i) => {
      const given = committed && isForeign(committed) ? committed.position.offset : undefined;
      const known = given === undefined ? saved?.assessment.next.get(partition) : undefined;
      const from = { next: known ?? given ?? 0, isKnown: known !== undefined };
      return assessment.begin(partition, from, bounds[i]!, clock.nowMs());
    });
    return { assessment, readings, isRestored: saved !== undefined };
  }

  async #read(claim: Claim, assessment: Assessment, reading: Reading, ended: AbortSignal): Promise<void> {
    const { outbox } = this.#parts;
    while (!ended.aborted) {
      if (!outbox.hasRoom) await outbox.room(ended);
      const records = ended.aborted ? [] : await claim.read(reading.next, readBytes, readWaitMs);
      if (ended.aborted) return;
      this.#taker.take(assessment, reading, records, claim.isAtEnd);
      if (records.length > 0) await turn(); // reads from memory would otherwise keep I/O waiting
    }
  }

  /** Writes snapshots until `ended` aborts. */
  async #keep(tenure: Tenure, ended: AbortSignal): Promise<void> {
    const { snapshotEveryMs } = this.#settings;
    const pause = async (ms: number): Promise<void> =>
      sleep(ms, undefined, { signal: ended }).catch(() => undefined); // the loop looks at the signal
    let busyMs = 0;
    let waitMs = tenure.isRestored ? snapshotEveryMs : 0;
    while (!ended.aborted) {
      await Promise.race([pause(waitMs), this.#hurry.promise.then(async () => pause(hurriedShare * busyMs))]);
      this.#hurry = Promise.withResolvers();
      if (ended.aborted) return;
      const tookMs = await this.#save(tenure);
      busyMs = tookMs ?? busyMs;
      waitMs =
        tookMs === undefined
          ? afterFailure * snapshotEveryMs
          : Math.max(snapshotEveryMs, snapshotShare * busyMs);
    }
  }

  /** Commits a snapshot, if there is anything new. Resolves with how long the process computed it, in milliseconds; undefined when it could not. */
  async #save(tenure: Tenure): Promise<number | undefined> {
    const { changes } = tenure.assessment;
    if (changes === tenure.savedChanges) return 0;
    const committing = this.#committed;
    this.#committed = nextCommit();
    try {
      const busyMs = await this.#commit(tenure);
      if (busyMs === undefined) throw notHere();
      tenure.savedChanges = changes;
      committing.resolve();
      return busyMs;
    } catch (error) {
      const { fault } = this.#parts.states;
      committing.reject(fault === undefined ? notHere() : new Failure('unavailable', fault));
      if (error instanceof Failure) return undefined; // health says why; the next one is tried
      throw error;
    }
  }

  /** The same; undefined when ownership ends before it is committed, or its stream does not hold it. */
  async #commit({ claims, assessment, isRestored, lost }: Tenure): Promise<number | undefined> {
    const { outbox, states, judge, judged, book, incidentsCommitted, clock } = this.#parts;
    const { added } = outbox;
    outbox.send();
    const beganMs = performance.now();
    const saved: SavedState = {
      versions,
      assessment: assessment.save(clock.nowMs()),
      judge: judge.save(),
      incidents: book.save(),
    };
    const verdicts = judgedBy(judge);
    const isShown = isRestored || assessment.isCaughtUp;
    const savedMs = performance.now() - beganMs;
    const written = await states.write(saved, lost);
    await outbox.flushed(added, lost);
    if (!written || !outbox.isDurable(added)) return undefined;
    const { next, kpis } = saved.assessment;
    await Promise.all(
      claims.map(async (claim) => claim.commit(toCommit(next.get(claim.partition)!, written.snapshot))),
    );
    if (isShown) {
      this.#kpis.publish(kpis);
      judged(verdicts);
    }
    incidentsCommitted(saved.incidents);
    return savedMs + written.busyMs;
  }
}

/** A commit to come. Nobody need wait for it. */
function nextCommit(): PromiseWithResolvers<void> {
  const commit = Promise.withResolvers<void>();
  commit.promise.catch(() => undefined); // whoever waits is told
  return commit;
}

function judgedBy(judge: Judge): Judged {
  return { standings: judge.standings(), ignored: { ...judge.ignored } };
}

function notHere(): Failure {
  return new Failure('unavailable', 'this process does not assess the stream now: ask the one that does');
}
