import { metricsOf, type KpiName } from './kpi-metrics.ts';

/** A metric with its series, as `/metrics` shows it. */
export interface MetricFamily {
  readonly name: string;
  readonly samples: readonly {
    readonly labels: readonly (readonly [name: string, value: string])[];
    readonly value: number;
  }[];
}

/** A release of an agent in an environment. */
export interface Release {
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
}

/** What the gauges of a KPI say of a window. */
export interface Figure {
  numerator: number;
  denominator: number;
  /** By the label `stat`. */
  readonly stats: Map<string, number>;
}

/** The gauges of a KPI of one release. */
export interface ReleaseFigures extends Release {
  /** By window, then by what the gauge is about beside the release: an evaluator, or a tool whose durations differ; else ''. */
  readonly windows: Map<string, Map<string, Figure>>;
}

/** The windows that hold everything of their time. */
export function completeWindows(families: readonly MetricFamily[]): ReadonlySet<string> {
  const complete = families.find(({ name }) => name === 'plimsoll_kpi_window_complete');
  return new Set(
    (complete?.samples ?? []).flatMap(({ labels, value }) => (value === 1 ? (labels[0]?.[1] ?? []) : [])),
  );
}

/**
 * The gauges of `kpi` by release. What tools have in common is summed up, as alerts do; only the quantiles of durations
 * cannot be.
 */
export function figuresOf(kpi: KpiName, families: readonly MetricFamily[]): readonly ReleaseFigures[] {
  const releases = new Map<string, ReleaseFigures>();
  const stem = `plimsoll_kpi_${kpi}`;
  for (const { name, samples } of families) {
    if (!name.startsWith(stem)) continue;
    const suffix = name.slice(stem.length);
    if (suffix !== '_numerator' && suffix !== '_denominator' && suffix !== '_seconds') continue;
    for (const { labels, value } of samples) {
      const said = saidBy(labels);
      const figure = figureAt(releases, said, metricsOf(kpi).byTool ? said.tool : said.evaluator);
      if (suffix === '_numerator') figure.numerator += value;
      else if (suffix === '_denominator') figure.denominator += value;
      else figure.stats.set(said.stat, value);
    }
  }
  return [...releases.values()];
}

/** The gauges of `kpi` of one release; undefined where there are none. */
export function figuresOfRelease(
  kpi: KpiName,
  { agent, release, environment }: Release,
  families: readonly MetricFamily[],
): ReleaseFigures | undefined {
  return figuresOf(kpi, families).find(
    (each) => each.agent === agent && each.release === release && each.environment === environment,
  );
}

interface Said extends Release {
  window: string;
  evaluator: string;
  tool: string;
  stat: string;
}

function saidBy(labels: MetricFamily['samples'][number]['labels']): Said {
  const said = { agent: '', release: '', environment: '', window: '', evaluator: '', tool: '', stat: '' };
  return Object.assign(said, Object.fromEntries(labels));
}

function figureAt(
  releases: Map<string, ReleaseFigures>,
  { agent, release, environment, window }: Said,
  part: string,
): Figure {
  const place = JSON.stringify([agent, release, environment]);
  const figures = releases.get(place) ?? { agent, release, environment, windows: new Map() };
  releases.set(place, figures);
  const parts = figures.windows.get(window) ?? new Map<string, Figure>();
  figures.windows.set(window, parts);
  const figure = parts.get(part) ?? { numerator: 0, denominator: 0, stats: new Map() };
  parts.set(part, figure);
  return figure;
}
