import type { KpiRun, KpiScore, KpiToolCall } from './facts.ts';
import type { Family, Labels, Sample } from './family.ts';
import { runKpis, runSums, scoreKpis, scoreSums, toolKpis, toolSums, type Kpi } from './kpi-table.ts';
import { PaneRing, SketchRing } from './pane-ring.ts';
import { SeriesTable, type Series } from './series-table.ts';
import { firstPane, paneAt, type Window } from './window.ts';

/** What is kept of one series and one window. */
interface Panes {
  readonly sums: PaneRing;
  readonly sketches: SketchRing | undefined;
}

/** The rolling KPIs of one kind of event: sums per series, window and pane, and the gauges they give. */
class RollingTable<Event, Sum extends string> {
  readonly table: SeriesTable<readonly Panes[]>;
  readonly #windows: readonly Window[];
  readonly #labelNames: readonly string[];
  readonly #names: readonly string[];
  readonly #sums: readonly ((event: Event) => number)[];
  readonly #kpis: readonly Kpi<Sum>[];
  readonly #values: Float64Array;

  constructor(
    windows: readonly Window[],
    limit: number,
    labelNames: readonly string[],
    sums: Readonly<Record<Sum, (event: Event) => number>>,
    kpis: readonly Kpi<Sum>[],
  ) {
    this.#windows = windows;
    this.#labelNames = labelNames;
    const entries = Object.entries<(event: Event) => number>(sums);
    this.#names = entries.map(([name]) => name);
    this.#sums = entries.map(([, sum]) => sum);
    this.#kpis = kpis;
    this.#values = new Float64Array(this.#names.length);
    const sketched = kpis.some((kpi) => kpi.stats);
    this.table = new SeriesTable(limit, () =>
      windows.map((window) => ({
        sums: new PaneRing(window, this.#names.length),
        sketches: sketched ? new SketchRing(window) : undefined,
      })),
    );
  }

  /** Counts `event` in `series` at `timeMs`, or takes it back with sign -1; `sample` goes into the quantiles. False when every window has passed it. */
  add(series: readonly Panes[], event: Event, timeMs: number, sign: 1 | -1, sample?: number): boolean {
    for (let i = 0; i < this.#sums.length; i++) this.#values[i] = this.#sums[i]!(event);
    let kept = false;
    for (let i = 0; i < this.#windows.length; i++) {
      const { sums, sketches } = series[i]!;
      const pane = paneAt(this.#windows[i]!, timeMs);
      if (!sums.add(pane, this.#values, sign)) continue;
      kept = true;
      if (sample !== undefined) sketches?.add(pane, sample);
    }
    return kept;
  }

  families(watermarkMs: number): readonly Family[] {
    const gauges = this.#kpis.map((kpi) => ({
      kpi,
      value: [] as Sample[],
      numerator: [] as Sample[],
      denominator: [] as Sample[],
    }));
    for (const { values, state: series } of this.table) {
      const own = values.map((value, i) => [this.#labelNames[i]!, value] as const);
      this.#windows.forEach((window, i) => {
        const labels: Labels = [...own, ['window', window.label]];
        const from = firstPane(window, watermarkMs);
        const { sums, sketches } = series[i]!;
        const total = sums.total(from);
        for (const gauge of gauges)
          this.#sample(gauge, labels, total, (stats) => sketches?.quantiles(from, stats) ?? []);
      });
    }
    return gauges.flatMap(({ kpi: { stem, suffix, help }, value, numerator, denominator }) => [
      { name: stem + suffix, help, kind: 'gauge' as const, samples: value },
      {
        name: `${stem}_numerator`,
        help: `Numerator of ${stem}${suffix}.`,
        kind: 'gauge' as const,
        samples: numerator,
      },
      {
        name: `${stem}_denominator`,
        help: `Denominator of ${stem}${suffix}.`,
        kind: 'gauge' as const,
        samples: denominator,
      },
    ]);
  }

  #sample(
    into: { kpi: Kpi<Sum>; value: Sample[]; numerator: Sample[]; denominator: Sample[] },
    labels: Labels,
    total: Float64Array,
    quantiles: (stats: readonly number[]) => readonly number[],
  ): void {
    const { kpi } = into;
    const numerator = total[this.#names.indexOf(kpi.numerator)]!;
    const denominator = total[this.#names.indexOf(kpi.denominator)]!;
    into.numerator.push({ labels, value: numerator });
    into.denominator.push({ labels, value: denominator });
    if (denominator <= 0) return;
    if (!kpi.stats) into.value.push({ labels, value: numerator / denominator });
    else {
      const values = quantiles(Object.values(kpi.stats));
      const names = Object.keys(kpi.stats);
      values.forEach((value, i) => into.value.push({ labels: [...labels, ['stat', names[i]!]], value }));
    }
  }
}

/** Where a run is counted, by which it can be taken back. */
export interface RunSeries {
  readonly run: Series<readonly Panes[]>;
  /** By evaluator; undefined when there is no score. */
  readonly scores: ReadonlyMap<string, Series<readonly Panes[]>> | undefined;
}

const labelsOf = (run: KpiRun): readonly string[] => [run.agent, run.release, run.environment];

/** Rolling KPIs over event-time windows. Everything outside the windows is forgotten by `expire`. */
export class RollingKpis {
  readonly #windows: readonly Window[];
  readonly #runs: RollingTable<KpiRun, keyof typeof runSums>;
  readonly #scores: RollingTable<KpiScore, keyof typeof scoreSums>;
  readonly #tools: RollingTable<KpiToolCall, keyof typeof toolSums>;

  /** `limits` are label sets, of runs (and of scores) and of tools. */
  constructor(windows: readonly Window[], limits: { readonly runs: number; readonly tools: number }) {
    const labels = ['agent', 'release', 'environment'];
    this.#windows = windows;
    this.#runs = new RollingTable(windows, limits.runs, labels, runSums, runKpis);
    this.#scores = new RollingTable(windows, limits.runs, [...labels, 'evaluator'], scoreSums, scoreKpis);
    this.#tools = new RollingTable(windows, limits.tools, [...labels, 'tool'], toolSums, toolKpis);
  }

  /** Events that went to the overflow series. */
  get overflowed(): { readonly runs: number; readonly scores: number; readonly tools: number } {
    return {
      runs: this.#runs.table.overflowed,
      scores: this.#scores.table.overflowed,
      tools: this.#tools.table.overflowed,
    };
  }

  /** Counts a run and returns where; undefined when every window has passed it. */
  addRun(run: KpiRun): RunSeries | undefined {
    const series = this.#runs.table.at(labelsOf(run), run.closedMs);
    if (!this.#runs.add(series.state, run, run.closedMs, 1)) return undefined;
    return { run: series, scores: this.#addScores(run, undefined, false) };
  }

  /** Counts `after` in place of `before`, which `series` holds. A run that keeps its labels keeps its series. */
  replaceRun(before: KpiRun, { run: series, scores }: RunSeries, after: KpiRun): RunSeries | undefined {
    this.#runs.add(series.state, before, before.closedMs, -1);
    for (const [evaluator, scored] of scores ?? []) {
      const score = before.scores.get(evaluator);
      if (score !== undefined) this.#scores.add(scored.state, { evaluator, score }, before.closedMs, -1);
    }
    const { table } = this.#runs;
    const [was, is] = [labelsOf(before), labelsOf(after)];
    const moved = is.some((value, i) => value !== was[i]);
    const next = moved ? table.at(is, after.closedMs) : table.again(series, is, after.closedMs);
    if (!this.#runs.add(next.state, after, after.closedMs, 1)) return undefined;
    return { run: next, scores: this.#addScores(after, scores, moved) };
  }

  #addScores(run: KpiRun, before: RunSeries['scores'], moved: boolean): RunSeries['scores'] {
    if (run.scores.size === 0) return undefined;
    const { table } = this.#scores;
    const held = new Map<string, Series<readonly Panes[]>>();
    for (const [evaluator, score] of run.scores) {
      const labels = [...labelsOf(run), evaluator];
      const known = moved ? undefined : before?.get(evaluator);
      const series = known ? table.again(known, labels, run.closedMs) : table.at(labels, run.closedMs);
      this.#scores.add(series.state, { evaluator, score }, run.closedMs, 1);
      held.set(evaluator, series);
    }
    return held;
  }

  /** Counts a tool call. False when every window has passed it. */
  addCall(call: KpiToolCall): boolean {
    const ran = call.result === 'ok' || call.result === 'error';
    const labels = [call.agent, call.release, call.environment, call.tool];
    const { state } = this.#tools.table.at(labels, call.endMs);
    return this.#tools.add(state, call, call.endMs, 1, ran ? call.durationMs / 1000 : undefined);
  }

  /** Forgets series without an event in the longest window. */
  expire(watermarkMs: number): void {
    const keepMs = 2 * Math.max(...this.#windows.map(({ lengthMs }) => lengthMs));
    this.#runs.table.expire(watermarkMs, keepMs);
    this.#scores.table.expire(watermarkMs, keepMs);
    this.#tools.table.expire(watermarkMs, keepMs);
  }

  /** The gauges as of `watermarkMs`. A gauge without a denominator is absent. */
  families(watermarkMs: number): readonly Family[] {
    return [this.#runs, this.#scores, this.#tools].flatMap((table) => table.families(watermarkMs));
  }
}
