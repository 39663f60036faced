import type { Sum } from './kpi-sums.ts';
import { PanesReader, PanesWriter, type PanesState } from './panes-state.ts';
import { Addition, Panes } from './panes.ts';
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
  /** Of each series and, within it, each window: how many panes. */
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
  readonly #addition: Addition;
  readonly #writer = new PanesWriter();
  /** Of each window, the first pane that is filled. */
  readonly #filledFrom: number[];
  readonly series: SeriesTable<Rolling<Own>>;

  constructor({ windows, limit, depth, sums, own }: RollingSettings<Event, Name, Own>) {
    const entries = Object.entries<Sum<Event>>(sums);
    const width = entries.length;
    this.sums = entries.map(([name]) => name);
    this.#of = entries.map(([, sum]) => sum.of);
    this.#addition = new Addition(width);
    this.#windows = windows;
    this.#filledFrom = windows.map(() => Number.NEGATIVE_INFINITY);
    this.series = new SeriesTable(limit, depth, () => ({
      panes: windows.map((window) => new Panes(window, width)),
      own: own(),
    }));
  }

  /** Counts `event` in `series` at `timeMs`, and a value in `bucket` unless that is negative. False when every window has passed it. */
  add(series: Series<Rolling<Own>>, event: Event, timeMs: number, bucket = -1): boolean {
    this.#prepare(event, bucket);
    return this.#add(series, timeMs);
  }

  /** Adds `amount` to one sum alone. */
  addTo(series: Series<Rolling<Own>>, sum: Name, amount: number, timeMs: number): boolean {
    const addition = this.#addition;
    const column = this.sums.indexOf(sum);
    addition.values[column] = amount;
    addition.columns[0] = column;
    addition.count = 1;
    addition.bucket = -1;
    return this.#add(series, timeMs);
  }

  #prepare(event: Event, bucket: number): void {
    const addition = this.#addition;
    let count = 0;
    for (let i = 0; i < this.#of.length; i++) {
      const value = this.#of[i]!(event);
      if (value === 0) continue;
      addition.values[i] = value;
      addition.columns[count++] = i;
    }
    addition.count = count;
    addition.bucket = bucket;
  }

  #add({ state: { panes } }: Series<Rolling<Own>>, timeMs: number): boolean {
    const windows = this.#windows;
    let kept = false;
    for (let i = 0; i < windows.length; i++) {
      const pane = paneAt(windows[i]!, timeMs);
      if (pane >= this.#filledFrom[i]! && panes[i]!.add(pane, this.#addition)) kept = true;
    }
    return kept;
  }

  /** Takes back what `add` was given. */
  takeBack({ state: { panes } }: Series<Rolling<Own>>, event: Event, timeMs: number, bucket = -1): void {
    const windows = this.#windows;
    this.#prepare(event, bucket);
    for (let i = 0; i < windows.length; i++) panes[i]!.takeBack(paneAt(windows[i]!, timeMs), this.#addition);
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
    const writer = this.#writer;
    const series = this.series.save();
    const sizes = new Int32Array(windows.length * this.series.size);
    let at = 0;
    writer.clear();
    for (const { state } of this.series) {
      for (const panes of state.panes) {
        sizes[at++] = panes.size;
        panes.save(writer);
      }
    }
    const windowsMs = windows.map(({ lengthMs }) => lengthMs);
    return { series, sums: [...this.sums], windowsMs, sizes, content: writer.take() };
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
    const reader = new PanesReader(state.content);
    let at = 0;
    for (const { state: own } of isSame ? all : []) {
      for (const target of targets) {
        const size = state.sizes[at++]!;
        const panes = own.panes[target];
        if (panes) panes.restore(reader, size);
        else reader.skip(size);
      }
    }
    return all;
  }

  /** Whether the window of `lengthMs` takes from `state` what it holds. */
  takes(state: RollingState, lengthMs: number): boolean {
    return state.sums.join() === this.sums.join() && state.windowsMs.includes(lengthMs);
  }
}
