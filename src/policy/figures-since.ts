import { completeWindows, figuresOfRelease, type MetricFamily, type Release } from './kpi-figures.ts';
import type { KpiName } from './kpi-metrics.ts';
import { meanBoundOf, type Objective } from './objective-schema.ts';

/** What a KPI of a release was, of the events since a moment. */
export interface FigureSince {
  /** Whether the objective is met by them. */
  readonly meets: boolean;
  readonly events: number;
}

/** Windows that do not overlap, put together. */
interface Sum {
  /** The end of the last one, or the moment itself. */
  untilMs: number;
  numerator: number;
  denominator: number;
}

const limitSums = 500;
const leastLookbackMs = 600_000;

/** How long ago a moment is to be, at least, for the shortest of `windowsMs` to lie after it when data come `latenessMs` late. */
export function lookbackMs(windowsMs: readonly number[], latenessMs: number): number {
  return Math.max(leastLookbackMs, 2 * (Math.min(...windowsMs) + latenessMs));
}

/**
 * Tells what a KPI was of the events since a moment, which no rolling window says: one that begins after that moment is
 * taken, and then each that begins where the one before ended. What happened while nobody asked, and in the last part of
 * the window that is not over, is left out; so after a restart it begins again.
 */
export class FiguresSince {
  readonly #windows: readonly { readonly label: string; readonly ms: number }[];
  readonly #sums = new Map<string, Sum>();

  /** `windows` are the rolling ones. */
  constructor(windows: readonly { readonly label: string; readonly ms: number }[]) {
    this.#windows = windows.toSorted((a, b) => a.ms - b.ms);
  }

  /**
   * By the gauges in `families`, which are of one moment; undefined while no window lies after `sinceMs`, and of
   * quantiles, which cannot be put together.
   */
  of(
    { kpi, objective }: { readonly kpi: KpiName; readonly objective: Objective },
    { agent, release, environment }: Release,
    sinceMs: number,
    families: readonly MetricFamily[],
  ): FigureSince | undefined {
    const bound = meanBoundOf(objective);
    if (bound === undefined) return undefined;
    const key = JSON.stringify([kpi, agent, release, environment, sinceMs]);
    const sum = this.#sums.get(key) ?? { untilMs: sinceMs, numerator: 0, denominator: 0 };
    const endMs = watermarkMs(families);
    const complete = completeWindows(families);
    const window = this.#windows.find(({ label, ms }) => complete.has(label) && endMs - ms >= sum.untilMs);
    if (window) {
      const figures = figuresOfRelease(kpi, { agent, release, environment }, families);
      const part = 'evaluator' in objective ? objective.evaluator : '';
      const figure = figures?.windows.get(window.label)?.get(part);
      sum.numerator += figure?.numerator ?? 0;
      sum.denominator += figure?.denominator ?? 0;
      sum.untilMs = endMs;
      this.#keep(key, sum);
    }
    if (sum.untilMs === sinceMs) return undefined;
    const value = sum.numerator / sum.denominator; // no number without events, which meets nothing
    const meets = 'at_least' in objective ? value >= bound : value <= bound;
    return { meets, events: sum.denominator };
  }

  #keep(key: string, sum: Sum): void {
    this.#sums.set(key, sum);
    for (const oldest of this.#sums.keys()) {
      if (this.#sums.size <= limitSums) break;
      this.#sums.delete(oldest);
    }
  }
}

/** Up to when the windows have slid. */
function watermarkMs(families: readonly MetricFamily[]): number {
  const family = families.find(({ name }) => name === 'plimsoll_kpi_watermark_timestamp_seconds');
  return 1000 * (family?.samples[0]?.value ?? Number.NEGATIVE_INFINITY);
}
