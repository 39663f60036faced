import type { Family, Labels, Sample } from './family.ts';
import type { Kpi } from './kpi-table.ts';
import { Panes, type PanesState } from './panes.ts';
import { SeriesTable, type Series, type SeriesState } from './series-table.ts';
import { Merged } from './sketch.ts';
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
export interface RollingSettings<Event, Sum extends string, Own> {
  readonly windows: readonly Window[];
  /** Label sets. */
  readonly limit: number;
  readonly labels: readonly string[];
  readonly sums: Readonly<Record<Sum, (event: Event) => number>>;
  readonly kpis: readonly Kpi<Sum>[];
  /** Made once a series. */
  readonly own: () => Own;
}

/** The rolling KPIs of one kind of event: sums per series, window and pane, and the gauges they give. */
export class RollingTable<Event, Sum extends string, Own = undefined> {
  readonly #settings: RollingSettings<Event, Sum, Own>;
  readonly #names: readonly string[];
  readonly #sums: readonly ((event: Event) => number)[];
  readonly #values: Float64Array;
  readonly #total: Float64Array;
  readonly #merged = new Merged();
  /** Of each window, the first pane that is filled. */
  readonly #filledFrom: number[];
  readonly series: SeriesTable<Rolling<Own>>;

  constructor(settings: RollingSettings<Event, Sum, Own>) {
    this.#settings = settings;
    const entries = Object.entries<(event: Event) => number>(settings.sums);
    this.#names = entries.map(([name]) => name);
    this.#sums = entries.map(([, sum]) => sum);
    this.#values = new Float64Array(this.#names.length);
    this.#total = new Float64Array(this.#names.length);
    const { windows, limit, labels, own } = settings;
    this.#filledFrom = windows.map(() => Number.NEGATIVE_INFINITY);
    const width = this.#names.length;
    const depth = labels.length === 3 ? 3 : 4;
    this.series = new SeriesTable(limit, depth, () => ({
      panes: windows.map((window) => new Panes(window, width)),
      own: own(),
    }));
  }

  /** Counts `event` in `series` at `timeMs`, and a value in `bucket` unless that is negative. False when every window has passed it. */
  add(series: Series<Rolling<Own>>, event: Event, timeMs: number, bucket = -1): boolean {
    for (let i = 0; i < this.#sums.length; i++) this.#values[i] = this.#sums[i]!(event);
    return this.#add(series, timeMs, bucket);
  }

  /** Adds `amount` to one sum alone. */
  addTo(series: Series<Rolling<Own>>, sum: Sum, amount: number, timeMs: number): boolean {
    this.#values.fill(0);
    this.#values[this.#names.indexOf(sum)] = amount;
    return this.#add(series, timeMs, -1);
  }

  #add({ state: { panes } }: Series<Rolling<Own>>, timeMs: number, bucket: number): boolean {
    const { windows } = this.#settings;
    let kept = false;
    for (let i = 0; i < windows.length; i++) {
      const pane = paneAt(windows[i]!, timeMs);
      if (pane >= this.#filledFrom[i]! && panes[i]!.add(pane, this.#values, bucket)) kept = true;
    }
    return kept;
  }

  /** Takes back what `add` was given. */
  takeBack({ state: { panes } }: Series<Rolling<Own>>, event: Event, timeMs: number, bucket = -1): void {
    const { windows } = this.#settings;
    for (let i = 0; i < this.#sums.length; i++) this.#values[i] = this.#sums[i]!(event);
    for (let i = 0; i < windows.length; i++) {
      const pane = paneAt(windows[i]!, timeMs);
      if (pane >= this.#filledFrom[i]!) panes[i]!.takeBack(pane, this.#values, bucket);
    }
  }

  /** Forgets panes that every window has passed, and series that have none. */
  sweep(watermarkMs: number): void {
    const { windows } = this.#settings;
    const firsts = windows.map((window) => firstPane(window, watermarkMs));
    for (const { state } of this.series)
      for (let i = 0; i < windows.length; i++) state.panes[i]!.forget(firsts[i]!);
    this.series.expire(watermarkMs, Math.max(...windows.map(({ lengthMs, paneMs }) => lengthMs + paneMs)));
  }

  save(): RollingState {
    const { windows } = this.#settings;
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
      sums: new Float64Array(panes * this.#names.length),
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
    return { series, sums: this.#names, windowsMs, sizes, content };
  }

  /**
   * Takes what `save` gave, into an empty table, and returns its series in order. A window begins empty when `state` has
   * none of its length, or other sums; each takes what is of its time in `filledSinceMs`, and nothing from before.
   */
  restore(state: RollingState, filledSinceMs: ReadonlyMap<number, number>): readonly Series<Rolling<Own>>[] {
    const { windows } = this.#settings;
    windows.forEach(({ lengthMs, paneMs }, i) => {
      this.#filledFrom[i] = Math.ceil(filledSinceMs.get(lengthMs)! / paneMs);
    });
    const isSame = state.sums.join() === this.#names.join();
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
    return state.sums.join() === this.#names.join() && state.windowsMs.includes(lengthMs);
  }

  /** The gauges as of `watermarkMs`. A gauge without a denominator is absent. */
  families(watermarkMs: number): readonly Family[] {
    const { windows, labels: names, kpis } = this.#settings;
    const gauges = kpis.map((kpi) => ({
      kpi,
      value: new Array<Sample>(),
      parts: [new Array<Sample>(), new Array<Sample>()] as const,
    }));
    for (const { values, state } of this.series) {
      const own = values.map((value, i) => [names[i]!, value] as const);
      for (const [i, window] of windows.entries()) {
        const labels: Labels = [...own, ['window', window.label]];
        const from = firstPane(window, watermarkMs);
        state.panes[i]!.total(from, this.#total);
        for (const one of gauges) this.#sample(one, labels, state.panes[i]!, from);
      }
    }
    return gauges.flatMap(({ kpi: { stem, suffix, help }, value, parts: [numerator, denominator] }) => [
      gauge(stem + suffix, help, value),
      gauge(`${stem}_numerator`, `Numerator of ${stem}${suffix}.`, numerator),
      gauge(`${stem}_denominator`, `Denominator of ${stem}${suffix}.`, denominator),
    ]);
  }

  #sample(
    into: { kpi: Kpi<Sum>; value: Sample[]; parts: readonly [Sample[], Sample[]] },
    labels: Labels,
    panes: Panes,
    from: number,
  ): void {
    const { kpi } = into;
    const numerator = this.#total[this.#names.indexOf(kpi.numerator)]!;
    const denominator = this.#total[this.#names.indexOf(kpi.denominator)]!;
    into.parts[0].push({ labels, value: numerator });
    into.parts[1].push({ labels, value: denominator });
    if (denominator <= 0) return;
    if (!kpi.stats) into.value.push({ labels, value: numerator / denominator });
    else {
      this.#merged.clear();
      panes.merge(from, this.#merged);
      const values = this.#merged.quantiles(Object.values(kpi.stats));
      const names = Object.keys(kpi.stats);
      values.forEach((value, i) => into.value.push({ labels: [...labels, ['stat', names[i]!]], value }));
    }
  }
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, kind: 'gauge', samples };
}
