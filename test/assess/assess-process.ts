import type { AssessorSettings } from '../../src/assess/assessor-settings.ts';
import { Assessor } from '../../src/assess/assessor.ts';
import { RowOutbox } from '../../src/assess/row-outbox.ts';
import { StateLog } from '../../src/assess/state-log.ts';
import { createLog } from '../../src/core/log.ts';
import type { Claim } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import type { IncidentBook } from '../../src/incidents/incident-book.ts';
import { Judge } from '../../src/judge/judge.ts';
import type { Standing } from '../../src/judge/standing.ts';
import { value } from '../kpi/events.ts';
import { incidentBook } from './incident-books.ts';
import { JsonSpans, type MemoryPartition } from './memory-partition.ts';
import { MemoryRuns } from './memory-runs.ts';
import { MemoryStates } from './memory-states.ts';

const minute = 60_000;

/** What processes of tests are told. */
export const settings: AssessorSettings = {
  windowsMs: [5 * minute, 60 * minute],
  latenessMs: 2 * minute,
  maxSeries: 10_000,
  idleTimeoutMs: 5 * minute,
  maxRuns: 1000,
  guessEscalations: false,
  snapshotEveryMs: 5,
};

/** One process that assesses, with a clock of its own. */
export class Process {
  readonly telemetry = new Telemetry();
  readonly assessor: Assessor;
  readonly outbox: RowOutbox;
  readonly book: IncidentBook = incidentBook({
    opened: (incident) => this.assessor.opened({ ...incident, timeMs: incident.detectedMs }),
    changed: () => this.assessor.change(),
  });
  /** Keys of the incidents that were committed last. */
  committedIncidents: readonly string[] = [];
  /** What the judge said in the snapshot that was committed last. */
  standings: readonly Standing[] = [];
  nowMs: number;
  readonly #stopping = new AbortController();
  readonly #workers: Promise<void>[] = [];

  constructor(
    nowMs: number,
    partitions = 1,
    runsStream = new MemoryRuns(),
    states = new MemoryStates(),
    given: Partial<AssessorSettings> = {},
    rulesOf: ConstructorParameters<typeof Judge>[0] = () => undefined,
  ) {
    this.nowMs = nowMs;
    const clock = { nowMs: () => this.nowMs };
    const log = createLog('silent');
    this.outbox = new RowOutbox(runsStream, { log, limitBytes: 2000 });
    this.assessor = new Assessor(
      { ...settings, ...given },
      {
        partitions,
        spans: new JsonSpans(),
        outbox: this.outbox,
        states: new StateLog(states, log),
        policyRevision: (agent, environment) => (agent === 'covered' ? `${agent}-${environment}` : ''),
        book: this.book,
        judge: new Judge(rulesOf),
        judged: ({ standings }) => (this.standings = standings),
        incidentsCommitted: ({ incidents }) => (this.committedIncidents = incidents.map(({ key }) => key)),
        clock,
        telemetry: this.telemetry,
        log,
      },
    );
  }

  /** Works on `partition`; resolves when everything on it has been read. */
  async own(partition: MemoryPartition, lost = new AbortController()): Promise<void> {
    const { claim, reached } = partition.claim(lost.signal);
    this.work(claim);
    await reached;
  }

  /** Works on what `claim` owns. */
  work(claim: Claim): void {
    this.#workers.push(this.assessor.worker(claim, this.#stopping.signal));
  }

  kpi(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    return value(this.assessor.families(), name, labels);
  }

  async gauge(name: string): Promise<number> {
    return Number((await this.telemetry.registry.getSingleMetricAsString(name)).split(' ').at(-1));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#workers);
    await this.outbox.stop(AbortSignal.abort());
  }
}
