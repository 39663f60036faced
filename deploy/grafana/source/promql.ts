import { metric, rollingKpi } from './metric.ts';

/** Which series a panel takes, as matchers of PromQL: what the variables of its dashboard say, and no rehearsals. */
export type Scope = string;

const noRehearsals = 'environment!~"drill:.*"';

/** The environments that the variable `environment` says. */
export const environments: Scope = `environment=~"$environment",${noRehearsals}`;

/** By `agent`, too, of which several may be chosen. */
export const agents: Scope = `agent=~"$agent",${environments}`;

/** By `release`, too. */
export const releases: Scope = `${agents},release=~"$release"`;

/** The one agent that `agent` says: one value is no pattern. */
export const oneAgent: Scope = `agent="$agent",${environments}`;

/** The releases of one agent that `release` says. */
export const ofOneAgent: Scope = `${oneAgent},release=~"$release"`;

const windowed = (scope: Scope, window: string): string => `{${scope},window="${window}"}`;
const sumBy = (by: string, of: string): string => (by === '' ? `sum(${of})` : `sum by (${by}) (${of})`);

/** Which series of a KPI are added up, and over which of its windows. */
export interface Sides {
  readonly scope: Scope;
  /** Labels, with commas between them; none where all series are one. */
  readonly by?: string;
  readonly window?: string;
}

/** A rolling KPI over all series of `by`: the sum of its numerators by that of its denominators, never a mean of ratios. */
export function quotient(stem: string, { scope, by = '', window = '$window' }: Sides): string {
  const name = rollingKpi(stem).stem;
  const [above, below] = ['numerator', 'denominator'].map((side) =>
    sumBy(by, `${name}_${side}${windowed(scope, window)}`),
  );
  return `${above} / (${below} > 0)`;
}

/** How many events a rolling KPI is made of. */
export function denominator(stem: string, { scope, by = '', window = '$window' }: Sides): string {
  return sumBy(by, `${rollingKpi(stem).stem}_denominator${windowed(scope, window)}`);
}

/** A quantile of a rolling KPI: of several series the greatest, because quantiles do not add up. */
export function greatest(stem: string, stat: string, { scope, by = '', window = '$window' }: Sides): string {
  const { stem: name, suffix } = rollingKpi(stem);
  return `max by (${by}) (${name}${suffix}${windowed(`${scope},stat="${stat}"`, window)})`;
}

/** What a counter grows by a second. */
export function rate(name: string, by: string, scope: Scope = ''): string {
  return sumBy(by, `rate(${metric(name).name}{${scope}}[$__rate_interval])`);
}

/** What a counter grew by in `over`, all that is shown unless said. */
export function increase(name: string, by: string, scope: Scope = '', over = '$__range'): string {
  return sumBy(by, `increase(${metric(name).name}{${scope}}[${over}])`);
}

/** A quantile of a histogram, of all series of `by` together. */
export function quantile(level: number, name: string, by: string, scope: Scope = ''): string {
  const buckets = `rate(${metric(name).name}_bucket{${scope}}[$__rate_interval])`;
  return `histogram_quantile(${level}, ${sumBy(by === '' ? 'le' : `le, ${by}`, buckets)})`;
}

/** A gauge, added up. */
export function total(name: string, by = '', scope: Scope = ''): string {
  return sumBy(by, `${metric(name).name}{${scope}}`);
}

/** A gauge of which the greatest series counts. */
export function most(name: string, by = '', scope: Scope = ''): string {
  return `max${by === '' ? '' : ` by (${by}) `}(${metric(name).name}{${scope}})`;
}

/** The series of a counter that are new or grew within a minute. */
export function grewInAMinute(name: string, by: string, scope: Scope = ''): string {
  const now = total(name, by, scope);
  const before = sumBy(by, `${metric(name).name}{${scope}} offset 1m`);
  return `${now} - (${before} or ${now} * 0) > 0`;
}
