import { Assessment, type Reading } from '../assess/assessment.ts';
import { kpisOf, runSettingsOf } from '../assess/assessor-settings.ts';
import { RecordTaker } from '../assess/record-taker.ts';
import { Telemetry } from '../core/telemetry.ts';
import { windowLabel } from '../core/window-label.ts';
import { EnrichedSpans } from '../enrich/enriched-spans.ts';
import type { Enricher } from '../enrich/enricher.ts';
import type { Incident } from '../incidents/incident.ts';
import type { IncidentBook } from '../incidents/incident-book.ts';
import { Judge } from '../judge/judge.ts';
import type { Standing } from '../judge/standing.ts';
import type { Family } from '../kpi/family.ts';
import type { Kpis } from '../kpi/kpis.ts';
import type { Plan } from '../plan.ts';
import { Coverage } from '../policy/coverage.ts';
import { FiguresSince, type FigureSince } from '../policy/figures-since.ts';
import type { Release } from '../policy/kpi-figures.ts';
import { readingsOf, severitiesOf } from '../policy/objective-readings.ts';
import { objectivesOf } from '../policy/objective-schema.ts';
import type { PolicyFile } from '../policy/read-policy.ts';
import { settingsOf } from '../roles/assess.ts';
import { enricherOf } from '../roles/enricher.ts';
import { bookOf } from '../roles/incidents.ts';

/** As often as a pipeline that waits for spans looks at its clock, or nearly. */
const stepMs = 1000;
const watchEveryMs = 10_000;

/** What a replay works with. */
export interface ReplayParts {
  readonly plan: Plan;
  readonly assess: NonNullable<Plan['assess']>;
  readonly policies: readonly PolicyFile[];
}

/** A standing that was not what it was before. */
export interface Turn {
  readonly timeMs: number;
  readonly standing: Standing;
}

/**
 * What a pipeline would make of requests: they go through its own enrichment, runs, KPIs, incidents and judge, on one partition
 * and with a clock that moves by what is sent, so that hours take seconds. The same requests give the same.
 */
export class Replay {
  /** The clock, in milliseconds since the epoch. */
  nowMs: number;
  readonly judge: Judge;
  readonly #policies: readonly PolicyFile[];
  readonly #enricher: Enricher;
  readonly #kpis: Kpis;
  readonly #taker: RecordTaker;
  readonly #assessment: Assessment;
  readonly #reading: Reading;
  readonly #book: IncidentBook;
  readonly #severitiesOf: ReturnType<typeof severitiesOf>;
  /** By release, every standing that had another verdict or action than the one before it. */
  readonly #course = new Map<string, Turn[]>();
  readonly #figures: FiguresSince;
  #watchedMs: number;
  /** The KPIs as of then. */
  #watched: readonly Family[] = [];

  /** Begins at `startMs` with nothing known. */
  constructor({ plan, assess, policies }: ReplayParts, startMs: number) {
    this.nowMs = this.#watchedMs = startMs;
    this.#policies = policies;
    this.#severitiesOf = severitiesOf(policies);
    this.#enricher = enricherOf(plan);
    this.#figures = new FiguresSince(assess.kpi.windows.map((ms) => ({ ms, label: windowLabel(ms) })));
    const telemetry = new Telemetry();
    const coverage = new Coverage(policies);
    const settings = settingsOf({ policies: { coverage } }, assess);
    const kpis = kpisOf(settings);
    this.#kpis = kpis;
    this.#book = bookOf(telemetry, {
      opened: (incident) => kpis.incident({ ...incident, timeMs: incident.detectedMs }),
      changed: () => undefined, // nothing is kept of a replay
    });
    const spans = new EnrichedSpans(this.#enricher);
    this.#taker = new RecordTaker({ spans, clock: { nowMs: () => this.nowMs }, telemetry });
    this.judge = new Judge((agent, environment) => coverage.canaryRules(agent, environment));
    this.#assessment = new Assessment(kpis, this.judge, runSettingsOf(settings, kpis), () => undefined); // nor stored
    const nothing = { start: 0, end: 0 };
    this.#reading = this.#assessment.begin(0, { next: 0, isKnown: false }, nothing, startMs);
  }

  /** A request arrives at `timeMs`, which is not before now: first time moves on to then. */
  take({ timeMs, payload }: { readonly timeMs: number; readonly payload: Uint8Array }): void {
    this.advance(timeMs);
    const { records } = this.#enricher.enrich(payload, 1);
    for (const record of records)
      this.#taker.take(
        this.#assessment,
        this.#reading,
        [{ ...record, timeMs, offset: this.#reading.next }],
        false,
      );
    this.#enricher.release(records);
  }

  /** Nothing arrives until `timeMs`. */
  advance(timeMs: number): void {
    while (this.nowMs < timeMs) {
      this.nowMs = Math.min(this.nowMs + stepMs, timeMs);
      this.#taker.take(this.#assessment, this.#reading, [], true);
      if (this.nowMs - this.#watchedMs >= watchEveryMs) this.#watch();
    }
  }

  /** The KPIs as of now, without counters. */
  families(): readonly Family[] {
    return this.#kpis.families(this.nowMs, true);
  }

  /** The incidents that are open, and those that were resolved a while ago. */
  get incidents(): Iterable<Incident> {
    return this.#book.incidents;
  }

  /** What a KPI was of the events of a release since `sinceMs`, as an executor is told; undefined while nobody can say. */
  figureOf(kpi: string, of: Release, sinceMs: number): FigureSince | undefined {
    const [stated] = this.#policies.flatMap(({ policy }) =>
      objectivesOf(policy.objectives).filter(([name]) => name === kpi),
    );
    return stated && this.#figures.of({ kpi: stated[0], objective: stated[1] }, of, sinceMs, this.#watched);
  }

  /** How the standing of a release came about: every turn of its verdict or of what is to be done, in order. */
  courseOf(release: string): readonly Turn[] {
    return this.#course.get(release) ?? [];
  }

  #watch(): void {
    this.#watchedMs = this.nowMs;
    this.#watched = this.families();
    for (const standing of this.judge.standings()) this.#note(standing);
    this.#book.observe(readingsOf(this.#policies, this.#watched), this.nowMs, this.#severitiesOf);
  }

  #note(standing: Standing): void {
    const turns = this.#course.get(standing.release) ?? [];
    const last = turns.at(-1)?.standing;
    if (last?.verdict === standing.verdict && last.action === standing.action) return;
    turns.push({ timeMs: this.nowMs, standing });
    this.#course.set(standing.release, turns);
  }
}
