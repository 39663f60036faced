import type { Sum } from './kpi-sums.ts';
import { Panes, type PanesState } from './panes.ts';
import { SeriesTable, type Series, type SeriesState } from './series-table.ts';
import { firstPane, paneAt, type Window } from './window.ts';

/** What is kept of one series: its panes by window, and what `own` made for it. */
export interface Rolling<Own> {
  readonly panes: readonly Panes[];
  readonly own: Own;
}

/** A table as plain data. */
export interface RollingState {
  readonly series: SeriesState;
  /** Names of the sums, in order. */
  readonly sums: readonly string[];
  readonly windowsMs: readonly number[];
  /** Of each series and, within it, each window: how many panes and how many buckets. */
  readonly sizes: Int32Array;
  readonly content: PanesState;
}

/** What a table is made of. */
export interface RollingSettings<Event, Name extends string, Own> {
  readonly windows: readonly Window[];
  /** Label sets. */
  readonly limit: number;
  /** How many labels there are. */
  readonly depth: 3 | 4;
  readonly sums: Readonly<Record<Name, Sum<Event>>>;
  /** Made once a series. */
  readonly own: () => Own;
}

/** What events of one kind add up to, per series, window and pane. */
export class RollingTable<Event, Name extends string, Own = undefined> {
  /** Names of the sums, in the order in which panes have them. */
  readonly sums: readonly string[];
  readonly #windows: readonly Window[];
  readonly #of: readonly ((event: Event) => number)[];
  readonly #values: Float64Array;
  /** Of each window, the first pane that is filled. */
  readonly #filledFrom: number[];
  readonly series: SeriesTable<Rolling<Own>>;

  constructor({ windows, limit, depth, sums, own }: RollingSettings<Event, Name, Own>) {
    const entries = Object.entries<Sum<Event>>(sums);
    const width = entries.length;
    this.sums = entries.map(([name]) => name);
    this.#of = entries.map(([, sum]) => sum.of);
    this.#values = new Float64Array(width);
    this.#windows = windows;
    this.#filledFrom = windows.map(() => Number.NEGATIVE_INFINITY);
    this.series = new SeriesTable(limit, depth, () => ({
      panes: windows.map((window) => new Panes(window, width)),
      own: own(),
    }));
  }

  /** Counts `event` in `series` at `timeMs`, and a value in `bucket` unless that is negative. False when every window has passed it. */
  add(series: Series<Rolling<Own>>, event: Event, timeMs: number, bucket = -1): boolean {
    for (let i = 0; i < this.#of.length; i++) this.#values[i] = this.#of[i]!(event);
    return this.#add(series, timeMs, bucket);
  }

  /** Adds `amount` to one sum alone. */
  addTo(series: Series<Rolling<Own>>, sum: Name, amount: number, timeMs: number): boolean {
    this.#values.fill(0);
    this.#values[this.sums.indexOf(sum)] = amount;
    return this.#add(series, timeMs, -1);
  }

  #add({ state: { panes } }: Series<Rolling<Own>>, timeMs: number, bucket: number): boolean {
    const windows = this.#windows;
    let kept = false;
    for (let i = 0; i < windows.length; i++) {
      const pane = paneAt(windows[i]!, timeMs);
      if (pane >= this.#filledFrom[i]! && panes[i]!.add(pane, this.#values, bucket)) kept = true;
    }
    return kept;
  }

  /** Takes back what `add` was given. */
  takeBack({ state: { panes } }: Series<Rolling<Own>>, event: Event, timeMs: number, bucket = -1): void {
    const windows = this.#windows;
    for (let i = 0; i < this.#of.length; i++) this.#values[i] = this.#of[i]!(event);
    for (let i = 0; i < windows.length; i++) {
      const pane = paneAt(windows[i]!, timeMs);
      if (pane >= this.#filledFrom[i]!) panes[i]!.takeBack(pane, this.#values, bucket);
    }
  }

  /** Forgets panes that every window has passed, and series that have none. */
  sweep(watermarkMs: number): void {
    const windows = this.#windows;
    const firsts = windows.map((window) => firstPane(window, watermarkMs));
    for (const { state } of this.series)
      for (let i = 0; i < windows.length; i++) state.panes[i]!.forget(firsts[i]!);
    this.series.expire(watermarkMs, Math.max(...windows.map(({ lengthMs, paneMs }) => lengthMs + paneMs)));
  }

  save(): RollingState {
    const windows = this.#windows;
    const series = this.series.save();
    const sizes = new Int32Array(2 * windows.length * this.series.size);
    let [at, panes, buckets] = [0, 0, 0];
    for (const { state } of this.series) {
      for (const { size } of state.panes) {
        panes += sizes[at++] = size.panes;
        buckets += sizes[at++] = size.buckets;
      }
    }
    const content: PanesState = {
      panes: new Float64Array(panes),
      sums: new Float64Array(panes * this.sums.length),
      buckets: new Float64Array(buckets),
      counts: new Float64Array(buckets),
    };
    at = panes = buckets = 0;
    for (const { state } of this.series) {
      for (const one of state.panes) {
        one.save(content, panes, buckets);
        panes += sizes[at++]!;
        buckets += sizes[at++]!;
      }
    }
    const windowsMs = windows.map(({ lengthMs }) => lengthMs);
    return { series, sums: [...this.sums], windowsMs, sizes, content };
  }

  /**
   * Takes what `save` gave, into an empty table, and returns its series in order. A window begins empty when `state` has
   * none of its length, or other sums; each takes what is of its time in `filledSinceMs`, and nothing from before.
   */
  restore(state: RollingState, filledSinceMs: ReadonlyMap<number, number>): readonly Series<Rolling<Own>>[] {
    const windows = this.#windows;
    windows.forEach(({ lengthMs, paneMs }, i) => {
      this.#filledFrom[i] = Math.ceil(filledSinceMs.get(lengthMs)! / paneMs);
    });
    const isSame = state.sums.join() === this.sums.join();
    const all = this.series.restore(state.series);
    const targets = state.windowsMs.map((ms) => windows.findIndex(({ lengthMs }) => lengthMs === ms));
    let [at, panes, buckets] = [0, 0, 0];
    for (const { state: own } of isSame ? all : []) {
      for (const target of targets) {
        const size = { panes: state.sizes[at++]!, buckets: state.sizes[at++]! };
        own.panes[target]?.restore(state.content, panes, size.panes, buckets, size.buckets);
        panes += size.panes;
        buckets += size.buckets;
      }
    }
    return all;
  }

  /** Whether the window of `lengthMs` takes from `state` what it holds. */
  takes(state: RollingState, lengthMs: number): boolean {
    return state.sums.join() === this.sums.join() && state.windowsMs.includes(lengthMs);
  }
}
