import type { Family } from '../../src/kpi/family.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { sqlKpis, sqlOf, type SqlKpi } from './kpi-sql.ts';

/** A window as its label says it. */
export interface OracleWindow {
  readonly label: string;
  readonly lengthMs: number;
}

/** A row of the SQL: a series, and of each KPI numerator, denominator and the values its quantiles are of. */
type SqlRow = Readonly<Record<string, string>> & {
  readonly sums: readonly (readonly [number, number, readonly number[]])[];
};

/** What SQL says that one series is, and within what share of it the gauge must be. */
interface Expected {
  readonly name: string;
  readonly key: string;
  readonly value: number;
  readonly within: number;
}

const quantiles = { p50: 0.5, p95: 0.95, p99: 0.99 };
/** Sums of the same numbers in another order. */
const rounding = 1e-9;
/** Of statistics of durations; and a millisecond, because the tables know no less. */
const sketched = 0.01;
const millisecond = 0.001001;

const keyOf = (labels: Iterable<readonly [string, string]>): string =>
  [...labels]
    .map(([name, text]) => `${name}=${text}`)
    .toSorted()
    .join(' ');

/** Values of gauges by name, and by labels. */
type Gauges = ReadonlyMap<string, ReadonlyMap<string, number>>;

function gaugesOf(families: readonly Family[]): Gauges {
  return new Map(
    families.map(({ name, samples }) => [
      name,
      new Map(samples.map(({ labels, value }) => [keyOf(labels), value])),
    ]),
  );
}

function expectedOf(
  kpi: SqlKpi,
  labels: readonly (readonly [string, string])[],
  sums: SqlRow['sums'][number],
): readonly Expected[] {
  const { stem, suffix, quantilesOf } = kpi;
  const [numerator, denominator, values] = sums;
  const key = keyOf(labels);
  const within = quantilesOf === undefined ? rounding : sketched;
  const parts = [
    { name: `${stem}_numerator`, key, value: numerator, within },
    { name: `${stem}_denominator`, key, value: denominator, within: rounding },
  ];
  if (denominator === 0) return parts; // and the gauge is absent
  const name = stem + suffix;
  if (quantilesOf === undefined) return [...parts, { name, key, value: numerator / denominator, within }];
  const sorted = values.toSorted((a, b) => a - b);
  const valueAt = (quantile: number): number => sorted[Math.floor(quantile * (sorted.length - 1))]!;
  const stats = Object.entries(quantiles).map(([stat, quantile]) => [stat, valueAt(quantile)] as const);
  const withMean = [...stats, ['mean', numerator / denominator] as const];
  return [
    ...parts,
    ...withMean.map(([stat, value]) => ({ name, key: keyOf([...labels, ['stat', stat]]), value, within })),
  ];
}

function isAs(gauge: number | undefined, { value, within }: Expected): boolean {
  if (gauge === undefined) return false;
  if (within === sketched) return Math.abs(gauge - value) <= sketched * value + millisecond;
  return Math.abs(gauge - value) <= within * Math.max(1, Math.abs(value));
}

/** All gauges of one window beside what SQL says of it. */
export class Comparison {
  /** Each that differs, as a sentence. */
  readonly wrong: string[] = [];
  /** Series that SQL tells of. */
  compared = 0;
  readonly #gauges: Gauges;
  readonly #window: OracleWindow;
  /** Series that SQL tells of, by name and labels. */
  readonly #told = new Set<string>();

  constructor(families: readonly Family[], window: OracleWindow) {
    this.#gauges = gaugesOf(families);
    this.#window = window;
    const known = new Set(sqlKpis.map(({ stem }) => `${stem}_denominator`));
    const exported = families.filter(
      ({ name, samples }) => name.endsWith('_denominator') && samples.length > 0,
    );
    for (const { name } of exported) if (!known.delete(name)) this.wrong.push(`${name} has no SQL`);
    for (const name of known) this.wrong.push(`${name} is not exported`);
  }

  /** Asks `clickhouse`, whose tables hold what the gauges were made of, as of `watermarkMs`. */
  async ask(clickhouse: Pick<ClickHouse, 'query'>, watermarkMs: number): Promise<void> {
    for (const source of new Set(sqlKpis.map((kpi) => kpi.source))) {
      const kpis = sqlKpis.filter((kpi) => kpi.source === source);
      const { lengthMs } = this.#window;
      const rows = await clickhouse.query<SqlRow>(sqlOf(source, kpis), { watermarkMs, lengthMs });
      for (const [at, kpi] of kpis.entries()) this.#compare(kpi, rows, at);
    }
    const names = sqlKpis.flatMap(({ stem, suffix }) => [
      `${stem}_numerator`,
      `${stem}_denominator`,
      stem + suffix,
    ]);
    for (const name of new Set(names)) this.#refuseOthers(name);
  }

  #compare(kpi: SqlKpi, rows: readonly SqlRow[], at: number): void {
    const more = [...(kpi.by ? [kpi.by] : []), ['window', this.#window.label] as const];
    const expected = rows.flatMap((row) => {
      const labels = Object.keys(kpi.source.labels).map((label) => [label, row[label]!] as const);
      return expectedOf(kpi, [...labels, ...more], row.sums[at]!);
    });
    this.compared += expected.length;
    for (const one of expected) {
      const gauge = this.#gauges.get(one.name)?.get(one.key);
      this.#told.add(`${one.name} ${one.key}`);
      if (!isAs(gauge, one)) this.wrong.push(`${one.name}{${one.key}} is ${gauge}, by SQL ${one.value}`);
    }
  }

  /** A series that SQL does not know is of what has left the window: nothing. */
  #refuseOthers(name: string): void {
    for (const [key, gauge] of this.#gauges.get(name) ?? []) {
      if (!key.endsWith(`window=${this.#window.label}`) || this.#told.has(`${name} ${key}`)) continue;
      if (Math.abs(gauge) > rounding)
        this.wrong.push(`${name}{${key}} is ${gauge}, and SQL has no such series`);
    }
  }
}
