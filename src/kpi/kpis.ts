import { usuallyGood } from '../semconv/vocabulary.ts';
import { widest } from './counter-columns.ts';
import { counter, counterFamilies } from './counter-families.ts';
import type { KpiIncident, KpiRun, KpiToolCall } from './facts.ts';
import type { Family, Sample } from './family.ts';
import { gauge, type Judgement } from './gauges.ts';
import { runKpis, toolKpis, widthOf } from './kpi-table.ts';
import { distinct, restorePlaces, savePlaces, type PlacesState } from './places.ts';
import { RollingKpis, type WindowsState } from './rolling.ts';
import { Place, Totals, type TotalsState } from './totals.ts';
import { Watermark, type WatermarkState } from './watermark.ts';
import { firstPane, paneAt, windowOf, type Window } from './window.ts';

/** Durations in milliseconds. Without a judgement, outcomes success and completed are good, and scores have no target. */
export interface KpiSettings extends Partial<Judgement> {
  /** Lengths of the rolling windows. */
  readonly windowsMs: readonly number[];
  /** How far behind the newest event of its partition an event may be and still count in a window. */
  readonly latenessMs: number;
  /** A partition with nothing to read for this long does not hold the windows back. */
  readonly idleAfterMs: number;
  /** Series per metric; what comes beyond is counted under the label value `overflow`. */
  readonly maxSeries: number;
  /** A counter to which nothing was added for this long, whatever the time of its events, is no longer exported. */
  readonly expireAfterMs: number;
  /**
   * A counter that is new is shown as 0 for so long from the first state on that has it, or a rate would miss what it
   * counted before the first scrape: at least the time between two scrapes. Gauges do not wait. 0 when absent.
   */
  readonly zeroForMs?: number;
}

/** Everything as plain data for `v8.serialize`; later events do not touch it. */
export interface KpiState {
  readonly totals: TotalsState;
  readonly windows: WindowsState;
  /** Of each window, by its length, since when it has been filled; -Infinity for always. */
  readonly filledSinceMs: ReadonlyMap<number, number>;
  readonly apartMs: ReadonlyMap<number, number>;
  readonly watermark: WatermarkState;
  readonly losses: Losses;
  readonly places: PlacesState;
}

/** Events that windows did not take, and events that went to overflow series. */
interface Losses {
  readonly late: { readonly run: number; readonly tool_call: number; readonly incident: number };
  readonly overflowed: { readonly run: number; readonly score: number; readonly tool_call: number };
}

/**
 * Every KPI: gauges over rolling windows, and counters. Gauges are those of this moment. Counters are those of a state
 * that was published: whoever makes states durable publishes them then, so a counter never falls, whatever dies.
 */
export class Kpis {
  readonly windows: readonly Window[];
  readonly longestWindowMs: number;
  readonly #settings: KpiSettings;
  readonly #limits: { readonly runs: number; readonly tools: number };
  readonly #judgement: Judgement;
  readonly #late = { run: 0, tool_call: 0, incident: 0 };
  #totals: Totals;
  #rolling: RollingKpis;
  #watermark: Watermark;
  #filledSinceMs: Map<number, number>;
  /** Of each window, by its length, the newest event when partitions were too far apart for it. */
  #apartMs = new Map<number, number>();
  #published: Pick<KpiState, 'totals' | 'losses'> | undefined;

  constructor(settings: KpiSettings) {
    this.windows = settings.windowsMs.map(windowOf);
    this.longestWindowMs = Math.max(...settings.windowsMs);
    this.#settings = settings;
    const { goodOutcomes = () => usuallyGood, qualityTarget = () => undefined } = settings;
    this.#judgement = { goodOutcomes, qualityTarget };
    const perMetric = {
      runs: Math.max(widest.runs, widthOf(runKpis) * this.windows.length),
      tools: Math.max(widest.tools, widthOf(toolKpis) * this.windows.length),
    };
    this.#limits = {
      runs: Math.max(2, Math.floor(settings.maxSeries / perMetric.runs)),
      tools: Math.max(2, Math.floor(settings.maxSeries / perMetric.tools)),
    };
    this.#totals = new Totals(this.#limits, settings.zeroForMs ?? 0);
    this.#rolling = new RollingKpis(this.windows, this.#limits);
    this.#watermark = new Watermark(settings);
    this.#filledSinceMs = this.#filledSince(() => Number.NEGATIVE_INFINITY);
  }

  #filledSince(sinceMs: (window: Window) => number): Map<number, number> {
    return new Map(this.windows.map((window) => [window.lengthMs, sinceMs(window)]));
  }

  /** The watermark of the current windows. */
  get watermark(): Watermark {
    return this.#watermark;
  }

  /** Empties everything; no counter is exported until a state is published. */
  restart(): void {
    this.#totals = new Totals(this.#limits, this.#settings.zeroForMs ?? 0);
    this.#rolling = new RollingKpis(this.windows, this.#limits);
    this.#watermark = new Watermark(this.#settings);
    this.#filledSinceMs = this.#filledSince(() => Number.NEGATIVE_INFINITY);
    this.#apartMs.clear();
    this.#late.run = this.#late.tool_call = this.#late.incident = 0;
    this.#published = undefined;
  }

  /** Takes a run that ended. */
  finished(run: KpiRun): void {
    const counted = this.#totals.addRun(run);
    const held = this.#isInTime(run.closedMs, run.behindMs) ? this.#rolling.addRun(run) : undefined;
    if (!held) this.#late.run++;
    run.place = this.#totals.placeOf(counted, held);
  }

  /** Takes what became known of a run after its end; `before.place` says where that is counted. */
  revised(before: KpiRun, after: KpiRun): void {
    const place = before.place instanceof Place ? before.place : undefined;
    const counted = this.#totals.reviseRun(before, place, after);
    const held = place?.held && this.#rolling.replaceRun(before, place.held, after);
    after.place = this.#totals.placeOf(counted, held);
  }

  /** Takes a tool call that ended. */
  toolCall(call: KpiToolCall): void {
    this.#totals.addCall(call);
    const inTime = this.#isInTime(call.endMs, call.behindMs) && this.#rolling.addCall(call);
    if (!inTime) this.#late.tool_call++;
  }

  /** Takes an incident that opened. */
  incident(incident: KpiIncident): void {
    this.#totals.addIncident(incident);
    const inTime = this.#isInTime(incident.timeMs, 0) && this.#rolling.addIncident(incident);
    if (!inTime) this.#late.incident++;
  }

  #isInTime(timeMs: number, behindMs: number): boolean {
    if (behindMs > this.#settings.latenessMs) return false;
    const { lastMs } = this.#watermark;
    for (const window of this.windows) if (paneAt(window, timeMs) >= firstPane(window, lastMs)) return true;
    return false;
  }

  /**
   * Moves the watermark on to `nowMs`, and forgets what windows have passed and counters to which nothing is added any more.
   * To be called about once a second. Whether a state saved now would show counters that the last saved one shows as 0.
   */
  sweep(nowMs: number): boolean {
    const watermarkMs = this.#watermark.moveOn(nowMs);
    if (watermarkMs === undefined) return false;
    this.#noteSpread(watermarkMs);
    this.#rolling.sweep(watermarkMs);
    return this.#totals.sweep(watermarkMs, nowMs, this.#settings.expireAfterMs);
  }

  /**
   * Panes are kept for twice a window. Where a partition is further ahead of another than a window, events of the one behind
   * may find no pane: the window is whole again once it lies behind the newest event of now.
   */
  #noteSpread(watermarkMs: number): void {
    const { newestMs } = this.#watermark;
    for (const { lengthMs } of this.windows)
      if (newestMs - watermarkMs > lengthMs) this.#apartMs.set(lengthMs, newestMs);
  }

  /** A copy of everything at `nowMs`. `places` are what was left with each run that may yet be revised, undefined where nothing was. */
  save(places: readonly unknown[], nowMs: number): KpiState {
    const { of, places: found, held } = distinct(places);
    const totals = this.#totals.save(nowMs);
    const windows = this.#rolling.save(held);
    return {
      totals,
      windows,
      filledSinceMs: new Map(this.#filledSinceMs),
      apartMs: new Map(this.#apartMs),
      watermark: this.#watermark.save(),
      losses: this.#losses(),
      places: savePlaces(of, found),
    };
  }

  /**
   * Replaces everything by `state`, which is durable: its counters are exported from now on. Returns the places that `save`
   * was given. A window that there was not then begins empty, and is complete once it holds nothing from before.
   */
  restore(state: KpiState): unknown[] {
    this.restart();
    this.#watermark.restore(state.watermark);
    const { newestMs } = this.#watermark;
    this.#filledSinceMs = this.#filledSince((window) => {
      const { lengthMs, paneMs } = window;
      const known = this.#rolling.takes(state.windows, lengthMs) && state.filledSinceMs.get(lengthMs);
      return typeof known === 'number' ? known : (paneAt(window, newestMs) + 1) * paneMs;
    });
    this.#apartMs = new Map(state.apartMs);
    Object.assign(this.#late, state.losses.late);
    const counted = this.#totals.restore(state.totals);
    const held = this.#rolling.restore(state.windows, this.#filledSinceMs);
    this.#published = { totals: this.#totals.copy(), losses: state.losses };
    return restorePlaces(state.places, this.#totals, counted, held);
  }

  /** From now on the counters of `state` are exported. */
  publish({ totals, losses }: KpiState): void {
    this.#totals.exported(totals);
    this.#published = { totals, losses };
  }

  /** All KPIs while `owned`, that is while this process reads the whole stream; else only that it does not. */
  families(nowMs: number, owned: boolean): readonly Family[] {
    const active = gauge('plimsoll_kpi_active', '1 when this process owns the stream and exports the KPIs.', [
      { labels: [], value: Number(owned) },
    ]);
    if (!owned) return [active];
    const watermarkMs = this.#watermark.at(nowMs);
    const published = this.#published;
    const counters = published
      ? [
          ...lossFamilies(published.losses),
          ...counterFamilies(published.totals, this.#settings.zeroForMs ?? 0),
        ]
      : [];
    if (watermarkMs === undefined) return [active, this.#completeness(undefined), ...counters];
    return [
      active,
      gauge('plimsoll_kpi_watermark_timestamp_seconds', 'Event time up to which the windows have slid.', [
        { labels: [], value: watermarkMs / 1000 },
      ]),
      this.#completeness(watermarkMs),
      ...this.#rolling.families(watermarkMs, this.#judgement),
      ...counters,
    ];
  }

  #completeness(watermarkMs: number | undefined): Family {
    const covers = ({ lengthMs }: Window): boolean =>
      watermarkMs !== undefined &&
      this.#watermark.covers(watermarkMs - lengthMs) &&
      this.#filledSinceMs.get(lengthMs)! <= watermarkMs - lengthMs &&
      (this.#apartMs.get(lengthMs) ?? Number.NEGATIVE_INFINITY) <= watermarkMs - lengthMs &&
      this.#watermark.newestMs - watermarkMs <= lengthMs;
    return gauge(
      'plimsoll_kpi_window_complete',
      '1 when the window holds everything of its time; alerts are inhibited while it is 0.',
      this.windows.map((window) => ({ labels: [['window', window.label]], value: Number(covers(window)) })),
    );
  }

  #losses(): Losses {
    const totals = this.#totals.overflowed;
    const rolling = this.#rolling.overflowed;
    return {
      late: { ...this.#late },
      overflowed: {
        run: Math.max(totals.runs, rolling.runs),
        score: rolling.scores,
        tool_call: Math.max(totals.tools, rolling.tools),
      },
    };
  }
}

function byUnit(counts: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(counts).map(([unit, value]) => ({ labels: [['unit', unit]], value }));
}

function lossFamilies({ late, overflowed }: Losses): readonly Family[] {
  return [
    counter(
      'plimsoll_kpi_late_events_total',
      'Events too late for any window; counters took them.',
      byUnit(late),
    ),
    counter(
      'plimsoll_kpi_overflow_events_total',
      'Events counted under the label value overflow, because a metric had too many series.',
      byUnit(overflowed),
    ),
  ];
}
