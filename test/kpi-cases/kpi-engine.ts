import { Assessor } from '../../src/assess/assessor.ts';
import type { SavedState } from '../../src/assess/saved-state.ts';
import { RowOutbox } from '../../src/assess/row-outbox.ts';
import { StateLog } from '../../src/assess/state-log.ts';
import { createLog } from '../../src/core/log.ts';
import type { NewRecord, StreamRecord } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import type { Family } from '../../src/kpi/family.ts';
import type { IncidentBook, Opening, Report } from '../../src/incidents/incident-book.ts';
import { Judge } from '../../src/judge/judge.ts';
import { bookOf, incidentRowsTo } from '../../src/roles/incidents.ts';
import { usuallyGood } from '../../src/semconv/vocabulary.ts';
import { outcomeOf, type Outcome } from '../../src/semconv/vocabulary.ts';
import { MemoryRuns } from '../assess/memory-runs.ts';
import { MemoryStates } from '../assess/memory-states.ts';
import { MeteredPartition } from './metered-partition.ts';
import type { Given } from './case.ts';

const log = createLog('silent');

/** Prices that cases count with: a call of `web_search` costs 0.01 USD, an hour of review 60. */
export const enricher = new Enricher({
  content: { mode: 'drop' },
  prices: {
    tools: { web_search: 0.01 },
    review: { usdPerHour: 60, usdPerHourByRole: {}, limitMs: 3_600_000 },
  },
});

/** One process that assesses. */
interface Process {
  readonly assessor: Assessor;
  readonly telemetry: Telemetry;
  readonly outbox: RowOutbox;
  readonly book: IncidentBook;
  readonly stopping: AbortController;
  readonly lost: AbortController;
  readonly workers: readonly Promise<void>[];
}

/** Its own snapshots come as often as this, where a case wants them. */
const snapshotEveryMs = 5;

/** What a process cannot go on with. */
const unreadable: SavedState['assessment'] = JSON.parse('{}');

/** Snapshots as a release finds them that keeps something else in its own. */
class StrangeStates extends StateLog<SavedState> {
  override async read(...of: Parameters<StateLog<SavedState>['read']>): Promise<SavedState | undefined> {
    const state = await super.read(...of);
    return state && { ...state, versions: { ...state.versions, assessment: 0 }, assessment: unreadable };
  }
}

/**
 * What cases run against: the real enricher and the real assessor on a stream in memory, with a clock that only cases
 * move. The one file here that knows how an assessor is made.
 */
export class KpiEngine {
  nowMs: number;
  #given: Given;
  readonly #partitions: readonly MeteredPartition[];
  readonly #runs = new MemoryRuns();
  readonly #states = new MemoryStates();
  readonly #good = new Map<string, ReadonlySet<Outcome>>();
  readonly #targets = new Map<string, number>();
  /** The next process reads snapshots of another version. */
  #isStrange = false;
  #process: Process;

  constructor(given: Given, nowMs: number) {
    this.#given = given;
    this.nowMs = nowMs;
    this.#partitions = Array.from({ length: given.partitions }, (_, i) => new MeteredPartition(i));
    this.#process = this.#begin();
  }

  #begin(): Process {
    const { windowsMs, latenessMs, idleTimeoutMs, maxSeries, partitions, zeroForMs, snapshots } = this.#given;
    const telemetry = new Telemetry();
    const outbox = new RowOutbox(this.#runs, { log });
    const book = bookOf(telemetry, {
      opened: (incident) => assessor.opened({ ...incident, timeMs: incident.detectedMs }),
      changed: () => assessor.change(),
    });
    const States = this.#isStrange ? StrangeStates : StateLog<SavedState>;
    this.#isStrange = false;
    const assessor: Assessor = new Assessor(
      {
        windowsMs,
        latenessMs,
        maxSeries,
        zeroForMs,
        idleTimeoutMs,
        maxRuns: 100_000,
        guessEscalations: false,
        goodOutcomes: (agent) => this.#good.get(agent) ?? usuallyGood,
        qualityTarget: (agent, _, evaluator) => this.#targets.get(`${agent} ${evaluator}`),
        // Where they are not its own, `families` asks for those that count.
        snapshotEveryMs: snapshots === 'own' ? snapshotEveryMs : 3_600_000,
      },
      {
        partitions,
        states: new States(this.#states, log),
        policyRevision: () => '',
        book,
        judge: new Judge(() => undefined),
        judged: () => {},
        incidentsCommitted: incidentRowsTo(outbox),
        spans: new EnrichedSpans(enricher),
        outbox,
        clock: { nowMs: () => this.nowMs },
        telemetry,
        log,
      },
    );
    const stopping = new AbortController();
    const lost = new AbortController();
    const workers = this.#partitions.map((partition) =>
      assessor.worker(partition.metered(lost.signal, stopping.signal), stopping.signal),
    );
    return { assessor, telemetry, outbox, book, stopping, lost, workers };
  }

  /** From now on the assessor gets so many more records of `partition`. */
  allow(partition: number, records: number): void {
    this.#partitionOf(partition).allow(records);
  }

  /** From now on the assessor finds nothing on `partition`, whatever there is. */
  mute(partition: number): void {
    this.#partitionOf(partition).mute();
  }

  /** Retention removes what is on `partition`, but for the latest `keep` records. */
  expire(partition: number, keep: number): void {
    const expired = this.#partitionOf(partition);
    expired.start = Math.max(expired.start, expired.records.length - keep);
  }

  /** The snapshots so far are gone, or are of another version for the next process. */
  spoilSnapshots(how: 'lost' | 'strange'): void {
    if (how === 'lost') this.#states.start = this.#states.records.length;
    else this.#isStrange = true;
  }

  /** Whether counters are those of snapshots that nobody asked for. */
  get makesOwnSnapshots(): boolean {
    return this.#given.snapshots === 'own';
  }

  /** The next process is set up as `given`. */
  configure(given: Partial<Given>): void {
    this.#given = { ...this.#given, ...given };
  }

  /** Somebody reports an incident; resolves when it outlives the process. */
  async report(report: Report): Promise<Opening['kind']> {
    const { book, assessor } = this.#process;
    const { kind } = book.open(report, this.nowMs);
    await assessor.committed();
    return kind;
  }

  #partitionOf(partition: number): MeteredPartition {
    const message = `there is no partition ${partition}: say "given partitions=${partition + 1}"`;
    return this.#partitions[partition] ?? refuse(message);
  }

  /** An ExportTraceServiceRequest arrives on `partition` now. */
  append(partition: number, request: Uint8Array): void {
    const to = this.#partitionOf(partition);
    for (const { payload, spans, headers } of enricher.enrich(request, 1).records)
      to.appendBytes(this.nowMs, Buffer.from(payload), spans, headers);
  }

  /** Resolves when everything that arrived by now is assessed. */
  async settled(): Promise<void> {
    await Promise.all(this.#partitions.map(async (partition) => partition.settled()));
  }

  /** The records of `partition` that were read, as they were enriched. */
  records(partition: number): readonly StreamRecord[] {
    return this.#partitionOf(partition).read;
  }

  /** Every row of a run or an incident so far, as records of their stream; those that are known by now are among them. */
  async rowRecords(): Promise<readonly NewRecord[]> {
    const { outbox } = this.#process;
    await outbox.flushed(outbox.added, AbortSignal.timeout(30_000));
    return this.#runs.records;
  }

  /** From now on these outcomes of `agent` are good, by its policy. Throws for what is no outcome. */
  setGood(agent: string, good: readonly string[]): void {
    this.#good.set(agent, new Set(good.map((text) => outcomeOf(text) ?? refuse(`${text} is no outcome`))));
  }

  /** From now on scores of `evaluator` should not be below `target`, by the policy of `agent`. */
  setTarget(agent: string, evaluator: string, target: number): void {
    this.#targets.set(`${agent} ${evaluator}`, target);
  }

  /** What Prometheus would read, the assessor's own metrics among it: once a snapshot is committed, unless the process makes its own. */
  async families(): Promise<readonly Family[]> {
    const { assessor, telemetry } = this.#process;
    if (this.#given.snapshots === 'asked') await assessor.committed();
    const own = await telemetry.registry.getMetricsAsJSON();
    return [
      ...assessor.families(),
      ...own.map(({ name, help, values }): Family => ({
        name,
        help,
        kind: 'counter',
        samples: values.map(({ labels, value }) => ({
          labels: Object.entries(labels).map(([key, text]) => [key, String(text)] as const),
          value,
        })),
      })),
    ];
  }

  /** The process stops in order and another one takes over. */
  async restart(): Promise<void> {
    await this.stop();
    this.#process = this.#begin();
  }

  /** The process dies, with what it knew since the last commit, and another one takes over. */
  async kill(): Promise<void> {
    this.#process.lost.abort();
    await Promise.all(this.#process.workers);
    this.#process = this.#begin();
  }

  async stop(): Promise<void> {
    const { stopping, workers, outbox } = this.#process;
    stopping.abort();
    await Promise.all(workers);
    await outbox.stop(AbortSignal.abort());
  }
}

function refuse(message: string): never {
  throw new Error(message);
}
