import type { KpiRun, KpiToolCall } from './facts.ts';
import type { Family, Sample } from './family.ts';
import { RollingKpis, type RunSeries } from './rolling.ts';
import type { Series } from './series-table.ts';
import { startsAnew, Totals, widest, type RunTotals } from './totals.ts';
import { Watermark } from './watermark.ts';
import { windowOf, type Window } from './window.ts';

/** Durations in milliseconds. */
export interface KpiSettings {
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
}

/** Where a run is counted. */
class Place {
  readonly counted: Series<RunTotals> | undefined;
  /** Undefined when no window took the run: nothing is taken back when it is revised. */
  readonly held: RunSeries | undefined;

  constructor(counted: Series<RunTotals> | undefined, held: RunSeries | undefined) {
    this.counted = counted;
    this.held = held;
  }
}

/**
 * Every KPI: gauges over rolling windows, and counters. Windows are what one ownership of the stream has read and
 * begin anew with `restart`; counters start from 0 with the process and last as long as it does. After a kill the
 * next process may count again what came after the last commit.
 */
export class Kpis {
  readonly windows: readonly Window[];
  readonly longestWindowMs: number;
  readonly #settings: KpiSettings;
  readonly #limits: { readonly runs: number; readonly tools: number };
  readonly #totals: Totals;
  #rolling: RollingKpis;
  #watermark: Watermark;
  /** The latest; runs that are counted in the same series share it. */
  #place = new Place(undefined, undefined);
  readonly #late = { run: 0, tool_call: 0 };

  constructor(settings: KpiSettings) {
    this.windows = settings.windowsMs.map(windowOf);
    this.longestWindowMs = Math.max(...settings.windowsMs);
    this.#settings = settings;
    const perMetric = {
      runs: Math.max(widest.runs, this.windows.length),
      tools: Math.max(widest.tools, 3 * this.windows.length),
    };
    this.#limits = {
      runs: Math.max(2, Math.floor(settings.maxSeries / perMetric.runs)),
      tools: Math.max(2, Math.floor(settings.maxSeries / perMetric.tools)),
    };
    this.#totals = new Totals(this.#limits);
    this.#rolling = new RollingKpis(this.windows, this.#limits);
    this.#watermark = new Watermark(settings);
  }

  /** The watermark of the current windows. */
  get watermark(): Watermark {
    return this.#watermark;
  }

  /** Empties the windows; counters stay. */
  restart(): void {
    this.#rolling = new RollingKpis(this.windows, this.#limits);
    this.#watermark = new Watermark(this.#settings);
  }

  /** Takes a run that ended. `live` is false for one that an earlier process has counted. */
  finished(run: KpiRun, live: boolean): void {
    const counted = live ? this.#totals.addRun(run) : undefined;
    const held = this.#isInTime(run.closedMs, run.behindMs) ? this.#rolling.addRun(run) : undefined;
    if (!held && live) this.#late.run++;
    run.place = this.#placeOf(counted, held);
  }

  /** Takes what became known of a run after its end; `before.place` says where that is counted. */
  revised(before: KpiRun, after: KpiRun, live: boolean): void {
    const place = before.place instanceof Place ? before.place : undefined;
    const counted = live ? this.#totals.reviseRun(before, place?.counted, after) : place?.counted;
    const held = place?.held && this.#rolling.replaceRun(before, place.held, after);
    after.place = this.#placeOf(counted, held);
  }

  #placeOf(counted: Series<RunTotals> | undefined, held: RunSeries | undefined): Place {
    const last = this.#place;
    const isSame = last.held?.run === held?.run && last.held?.scores === held?.scores;
    if (last.counted === counted && isSame) return last;
    return (this.#place = new Place(counted, held));
  }

  /** Takes a tool call that ended. */
  toolCall(call: KpiToolCall, live: boolean): void {
    if (live) this.#totals.addCall(call);
    const inTime = this.#isInTime(call.endMs, call.behindMs) && this.#rolling.addCall(call);
    if (!inTime && live) this.#late.tool_call++;
  }

  #isInTime(timeMs: number, behindMs: number): boolean {
    return behindMs <= this.#settings.latenessMs && timeMs > this.#watermark.lastMs - this.longestWindowMs;
  }

  /** All KPIs while `owned`, that is while this process reads the whole stream; else only that it does not. */
  families(nowMs: number, owned: boolean): readonly Family[] {
    const active = gauge('plimsoll_kpi_active', '1 when this process owns the stream and exports the KPIs.', [
      { labels: [], value: Number(owned) },
    ]);
    if (!owned) return [active];
    const watermarkMs = this.#watermark.at(nowMs);
    if (watermarkMs === undefined) {
      return [active, this.#completeness(undefined), ...this.#lossFamilies(), ...this.#totals.families()];
    }
    this.#rolling.expire(watermarkMs);
    this.#totals.expire(watermarkMs, this.#settings.expireAfterMs);
    return [
      active,
      gauge('plimsoll_kpi_watermark_timestamp_seconds', 'Event time up to which the windows have slid.', [
        { labels: [], value: watermarkMs / 1000 },
      ]),
      this.#completeness(watermarkMs),
      ...this.#lossFamilies(),
      ...this.#rolling.families(watermarkMs),
      ...this.#totals.families(),
    ];
  }

  #completeness(watermarkMs: number | undefined): Family {
    const covers = ({ lengthMs }: Window): boolean =>
      watermarkMs !== undefined && this.#watermark.covers(watermarkMs - lengthMs);
    return gauge(
      'plimsoll_kpi_window_complete',
      '1 when the window holds everything of its time; alerts are inhibited while it is 0.',
      this.windows.map((window) => ({ labels: [['window', window.label]], value: Number(covers(window)) })),
    );
  }

  #lossFamilies(): readonly Family[] {
    const totals = this.#totals.overflowed;
    const rolling = this.#rolling.overflowed;
    return [
      counter(
        'plimsoll_kpi_late_events_total',
        `Events too late for any window; counters took them. ${startsAnew}`,
        [
          { labels: [['unit', 'run']], value: this.#late.run },
          { labels: [['unit', 'tool_call']], value: this.#late.tool_call },
        ],
      ),
      counter(
        'plimsoll_kpi_overflow_events_total',
        `Events counted under the label value overflow, because a metric had too many series. ${startsAnew}`,
        [
          { labels: [['unit', 'run']], value: Math.max(totals.runs, rolling.runs) },
          { labels: [['unit', 'score']], value: rolling.scores },
          { labels: [['unit', 'tool_call']], value: Math.max(totals.tools, rolling.tools) },
        ],
      ),
    ];
  }
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, kind: 'gauge', samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, kind: 'counter', samples };
}
