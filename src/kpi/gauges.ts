import { outcomes, type Outcome } from '../semconv/vocabulary.ts';
import type { Family, Labels, Sample } from './family.ts';
import type { Amount, Kpi } from './kpi-table.ts';
import type { RollingTable } from './rolling-table.ts';
import { overflow } from '../semconv/label-value.ts';
import { Merged, shareBucketFrom } from './sketch.ts';
import { firstPane, type Window } from './window.ts';

/** What is good, as the policies of now say; asked anew at each exposition. */
export interface Judgement {
  /** The outcomes that are good of runs of `agent` in `environment`. */
  readonly goodOutcomes: (agent: string, environment: string) => ReadonlySet<Outcome>;
  /** What scores of `evaluator` should not be below, 0 to 1; undefined where nothing is said. */
  readonly qualityTarget: (agent: string, environment: string, evaluator: string) => number | undefined;
}

/** The samples of a KPI. */
class KpiSamples<Name extends string> {
  readonly kpi: Kpi<Name>;
  readonly value: Sample[] = [];
  readonly numerator: Sample[] = [];
  readonly denominator: Sample[] = [];
  readonly #names: readonly string[];

  constructor(kpi: Kpi<Name>, names: readonly string[]) {
    this.kpi = kpi;
    this.#names = names;
  }

  /** Adds the samples of one series and window, of which `total` holds the sums and `merged` the buckets. */
  add(
    labels: Labels,
    total: Float64Array,
    merged: Merged,
    good: ReadonlySet<Outcome>,
    target?: number,
  ): void {
    const { numerator, denominator, by } = this.kpi;
    const below = this.#amount(denominator, total, good);
    if (by) {
      for (const [value, sum] of Object.entries(by.sums))
        this.#divide([...labels, [by.label, value]], total[this.#names.indexOf(sum)]!, below, merged);
    } else if ('belowTarget' in numerator) {
      if (target !== undefined) this.#divide(labels, merged.below(shareBucketFrom(target)), below, merged);
    } else this.#divide(labels, this.#amount(numerator, total, good), below, merged);
  }

  #amount({ sums, only }: Amount<Name>, total: Float64Array, good: ReadonlySet<Outcome>): number {
    let amount = 0;
    for (let i = 0; i < sums.length; i++)
      if (!only || good.has(outcomes[i]!)) amount += total[this.#names.indexOf(sums[i]!)]!;
    return amount;
  }

  #divide(labels: Labels, above: number, below: number, merged: Merged): void {
    const { stats } = this.kpi;
    this.numerator.push({ labels, value: above });
    this.denominator.push({ labels, value: below });
    if (below <= 0) return;
    if (!stats) this.value.push({ labels, value: above / below });
    else {
      const values = merged.quantiles(Object.values(stats));
      for (const [i, stat] of Object.keys(stats).entries())
        this.value.push({ labels: [...labels, ['stat', stat]], value: values[i]! });
      this.value.push({ labels: [...labels, ['stat', 'mean']], value: above / below });
    }
  }

  families(): readonly Family[] {
    const { stem, suffix, help } = this.kpi;
    return [
      gauge(stem + suffix, help, this.value),
      gauge(`${stem}_numerator`, `Numerator of ${stem}${suffix}.`, this.numerator),
      gauge(`${stem}_denominator`, `Denominator of ${stem}${suffix}.`, this.denominator),
    ];
  }
}

/** What the gauges of a table are made of. */
export interface GaugeSettings<Name extends string> {
  readonly kpis: readonly Kpi<Name>[];
  /** `agent`, `release`, `environment`, and one more where there are four. */
  readonly labels: readonly string[];
  readonly windows: readonly Window[];
  readonly judgement: Judgement;
}

/** Whether policies say what counts in `kpi`. */
function isJudged({ numerator, denominator }: Kpi<string>): boolean {
  return 'belowTarget' in numerator || numerator.only !== undefined || denominator.only !== undefined;
}

/**
 * The gauges of `table` as of `watermarkMs`. A gauge without a denominator is absent, and so is one on which policies have
 * a say where it is of environments together: each of them may be judged in its own way.
 */
export function gaugeFamilies<Event, Name extends string, Own>(
  table: RollingTable<Event, Name, Own>,
  { kpis, labels: names, windows, judgement }: GaugeSettings<Name>,
  watermarkMs: number,
): readonly Family[] {
  const all = kpis.map((kpi) => new KpiSamples(kpi, table.sums));
  const [own, whole] = [all.filter(({ kpi }) => !kpi.whole), all.filter(({ kpi }) => kpi.whole)];
  const unjudged = own.filter(({ kpi }) => !isJudged(kpi));
  const environments = new Map<string, readonly Float64Array[]>();
  const total = new Float64Array(table.sums.length);
  const merged = new Merged();
  const inWindow = windows.map(({ label }) => ['window', label] as const);
  for (const { values, state } of table.series) {
    const [agent = '', , environment = '', evaluator = ''] = values;
    const good = judgement.goodOutcomes(agent, environment);
    const target = judgement.qualityTarget(agent, environment, evaluator);
    const pairs = values.map((value, i) => [names[i]!, value] as const);
    for (const [i, window] of windows.entries()) {
      const from = firstPane(window, watermarkMs);
      state.panes[i]!.total(from, total);
      merged.clear();
      state.panes[i]!.merge(from, merged);
      const labels = [...pairs, inWindow[i]!];
      for (const samples of environment === overflow ? unjudged : own)
        samples.add(labels, total, merged, good, target);
      if (whole.length > 0) addUp(environments, environment, windows.length, i, total);
    }
  }
  for (const [environment, totals] of environments)
    for (const [i, sums] of totals.entries())
      for (const samples of whole)
        samples.add([['environment', environment], inWindow[i]!], sums, merged, new Set());
  return all.flatMap((samples) => samples.families());
}

function addUp(
  into: Map<string, readonly Float64Array[]>,
  key: string,
  count: number,
  index: number,
  total: Float64Array,
): void {
  let totals = into.get(key);
  if (!totals) {
    totals = Array.from({ length: count }, () => new Float64Array(total.length));
    into.set(key, totals);
  }
  const sums = totals[index]!;
  for (let i = 0; i < total.length; i++) sums[i]! += total[i]!;
}

/** A gauge of this moment. */
export function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, kind: 'gauge', samples };
}
