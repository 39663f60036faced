import type { Family, Labels } from '../kpi/family.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import { amounts } from './tile-table.ts';

/** What a rolling window says of one release of an agent in an environment. */
export interface ReleaseFigures {
  readonly agent: string;
  readonly environment: string;
  readonly release: string;
  /** One for each of `amounts`, those of its tools added up. */
  readonly sums: number[];
  durationP95Seconds: number | null;
  /** Runs that escalated, by the reason of the first time. */
  readonly escalations: Map<string, number>;
}

/** What a rolling window says of one agent in an environment. */
export interface PlaceFigures {
  readonly agent: string;
  readonly environment: string;
  /** Those of its releases, added up. */
  readonly sums: number[];
  readonly releases: readonly ReleaseFigures[];
}

/** What one rolling window says. */
export interface WindowFigures {
  /** False while it may lack events that were there. */
  isComplete: boolean;
  /** By `placeKey`. */
  readonly places: ReadonlyMap<string, PlaceFigures>;
  /** Those of all places that are no rehearsals, added up. */
  readonly sums: number[];
}

/** A place where no run ended. */
export function noFigures(agent: string, environment: string): PlaceFigures {
  return { agent, environment, sums: noAmounts(), releases: [] };
}

/** What tells agents in environments apart. */
export function placeKey(agent: string, environment: string): string {
  return JSON.stringify([agent, environment]);
}

/** What tells releases of agents in environments apart. */
function releaseKey(agent: string, environment: string, release: string): string {
  return JSON.stringify([agent, environment, release]);
}

/** Amounts of nothing. No typed array: small ones cost more than what they hold. */
export function noAmounts(): number[] {
  return amounts.map(() => 0);
}

const escalationsFamily = 'plimsoll_kpi_run_escalation_by_reason_numerator';
const durationFamily = 'plimsoll_kpi_run_duration_seconds';
const completeFamily = 'plimsoll_kpi_window_complete';

/** What `families`, the KPIs of one moment, say of each window, by its label. Ratios are not read: what they divide is. */
export function figuresIn(families: readonly Family[]): ReadonlyMap<string, WindowFigures> {
  const releases = new ReleasesByWindow();
  const columns = new Map(amounts.map((name, column) => [name, column]));
  for (const { name, samples } of families) {
    const column = columns.get(name);
    if (column !== undefined)
      for (const { labels, value } of samples) releases.of(labels).sums[column]! += value;
    else if (name === durationFamily)
      for (const { labels, value } of samples) {
        if (valueOf(labels, 'stat') === 'p95') releases.of(labels).durationP95Seconds = value;
      }
    else if (name === escalationsFamily)
      for (const { labels, value } of samples)
        if (value > 0) releases.of(labels).escalations.set(valueOf(labels, 'reason'), value);
  }
  const complete = families.find(({ name }) => name === completeFamily)?.samples ?? [];
  return new Map(
    complete.map(({ labels, value }) => {
      const window = valueOf(labels, 'window');
      return [window, together(releases.in(window), value === 1)];
    }),
  );
}

function together(releases: readonly ReleaseFigures[], isComplete: boolean): WindowFigures {
  const places = new Map<string, PlaceFigures & { readonly releases: ReleaseFigures[] }>();
  const sums = noAmounts();
  for (const figures of releases) {
    const { agent, environment } = figures;
    const key = placeKey(agent, environment);
    let place = places.get(key);
    if (!place) {
      place = { agent, environment, sums: noAmounts(), releases: [] };
      places.set(key, place);
    }
    place.releases.push(figures);
    add(place.sums, figures.sums);
    if (!isRehearsal(environment)) add(sums, figures.sums);
  }
  return { isComplete, places, sums };
}

function add(into: number[], more: readonly number[]): void {
  for (let i = 0; i < into.length; i++) into[i]! += more[i]!;
}

/** Releases in windows, found by the labels of samples. */
class ReleasesByWindow {
  /** Samples of one release and window share their labels, mostly. */
  readonly #known = new Map<Labels, ReleaseFigures>();
  readonly #windows = new Map<string, Map<string, ReleaseFigures>>();

  of(labels: Labels): ReleaseFigures {
    const known = this.#known.get(labels);
    if (known) return known;
    const figures = this.#find(labels);
    this.#known.set(labels, figures);
    return figures;
  }

  in(window: string): readonly ReleaseFigures[] {
    return [...(this.#windows.get(window)?.values() ?? [])];
  }

  #find(labels: Labels): ReleaseFigures {
    const [agent, environment, release] = [
      valueOf(labels, 'agent'),
      valueOf(labels, 'environment'),
      valueOf(labels, 'release'),
    ];
    const window = valueOf(labels, 'window');
    const releases = this.#windows.get(window) ?? new Map<string, ReleaseFigures>();
    this.#windows.set(window, releases);
    const key = releaseKey(agent, environment, release);
    const known = releases.get(key);
    if (known) return known;
    const sums = noAmounts();
    const figures = { agent, environment, release, sums, durationP95Seconds: null, escalations: new Map() };
    releases.set(key, figures);
    return figures;
  }
}

function valueOf(labels: Labels, name: string): string {
  for (const [key, value] of labels) if (key === name) return value;
  return '';
}
