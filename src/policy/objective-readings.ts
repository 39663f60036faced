import { isRehearsal } from '../semconv/rehearsal.ts';
import { severities as tiers, type Severity } from '../semconv/vocabulary.ts';
import { burnRatesOf, isBudgeted, thresholdOf, type BurnRate } from './burn-rate.ts';
import {
  completeWindows,
  figuresOf,
  type Figure,
  type MetricFamily,
  type Release,
  type ReleaseFigures,
} from './kpi-figures.ts';
import { metricsOf, type KpiName } from './kpi-metrics.ts';
import { alertNameOf, demandOf, heldFor } from './objective-rules.ts';
import {
  objectivesOf,
  type BudgetedObjective,
  type Objective,
  type WindowedObjective,
} from './objective-schema.ts';
import type { Policy } from './policy-schema.ts';
import { durationSeconds, rollingWindow } from './policy-values.ts';
import type { PolicyFile } from './read-policy.ts';
import { covers } from './scope.ts';

/** What the gauges say of an objective of a release; there is none where they say too little. */
export interface ObjectiveReading extends Release {
  readonly policy: string;
  readonly revision: string;
  readonly kpi: KpiName;
  /** The tool, of an objective on each of them; else ''. */
  readonly part: string;
  readonly severity: Severity;
  readonly owner: string;
  /** The name of the alert on the objective. */
  readonly title: string;
  /** For so long the alert waits. */
  readonly holdMs: number;
  /** What is wrong, as a sentence; undefined while the objective is met. */
  readonly violation: string | undefined;
}

/** What is judged at once: an objective of a release, and the gauges of its KPI. */
interface Case {
  readonly file: PolicyFile;
  readonly kpi: KpiName;
  readonly figures: ReleaseFigures;
  /** The windows that hold everything of their time. */
  readonly complete: ReadonlySet<string>;
}

/**
 * Judges the objectives of `files` by the rolling gauges in `families`, which are of one moment, as the rendered alerts
 * do: of what is no rehearsal, from `min_events` on, over windows that are complete. A burn rate is judged where both its windows are among the
 * rolling ones. Where an alert is silent for want of events there is no reading; there is one of each tool of an
 * objective on tools, and one of each severity of an error budget.
 */
export function readingsOf(
  files: readonly PolicyFile[],
  families: readonly MetricFamily[],
): readonly ObjectiveReading[] {
  const complete = completeWindows(families);
  const known = new Map<KpiName, readonly ReleaseFigures[]>();
  return files.flatMap((file) =>
    objectivesOf(file.policy.objectives).flatMap(([kpi, objective]) => {
      const releases = known.get(kpi) ?? figuresOf(kpi, families);
      known.set(kpi, releases);
      return releases
        .filter(({ agent, environment }) => isJudged(file.policy.scope, agent, environment))
        .flatMap((figures) => {
          const each: Case = { file, kpi, figures, complete };
          return isBudgeted(objective) ? budgetReadings(each, objective) : windowReadings(each, objective);
        });
    }),
  );
}

/**
 * With which severities objectives of `files` are judged, the gravest first, by what a reading says of itself; none where
 * there is no such policy, objective or scope any more.
 */
export function severitiesOf(
  files: readonly PolicyFile[],
): (of: { readonly policy: string; readonly kpi: string } & Omit<Release, 'release'>) => readonly Severity[] {
  const judged = new Map<string, Judged>(
    files.flatMap(({ policy: { metadata, scope, objectives } }) =>
      objectivesOf(objectives).map(([kpi, objective]) => {
        const said = isBudgeted(objective) ? burnRatesOf(objective) : [objective];
        const severities = tiers.filter((tier) => said.some(({ severity }) => severity === tier));
        return [`${metadata.name}/${kpi}`, { scope, severities }] as const;
      }),
    ),
  );
  return ({ policy, kpi, agent, environment }) => {
    const found = judged.get(`${policy}/${kpi}`);
    return found && isJudged(found.scope, agent, environment) ? found.severities : [];
  };
}

/** Of whom something is judged, and how grave it is. */
interface Judged {
  readonly scope: Policy['scope'];
  readonly severities: readonly Severity[];
}

/** Objectives are for what is real: nobody is told of a rehearsal. */
function isJudged(scope: Policy['scope'], agent: string, environment: string): boolean {
  return !isRehearsal(environment) && covers(scope, agent, environment);
}

/** One of the value over a window, or one of each tool. */
function windowReadings(each: Case, objective: WindowedObjective): readonly ObjectiveReading[] {
  const { kpi, figures, complete } = each;
  const { window, severity, min_events: leastEvents } = objective;
  if (!complete.has(window)) return [];
  const evaluator = 'evaluator' in objective ? objective.evaluator : undefined;
  return [...(figures.windows.get(window) ?? [])].flatMap(([part, figure]) => {
    if (evaluator !== undefined && part !== evaluator) return [];
    const value = 'stat' in objective ? figure.stats.get(objective.stat) : shareOf(figure);
    if (value === undefined || figure.denominator < leastEvents) return [];
    const isMet = 'at_least' in objective ? value >= objective.at_least : value <= objective.at_most;
    const tool = metricsOf(kpi).byTool ? part : '';
    const what = `${tool && `, tool ${tool}`}: ${valueText(kpi, value)}`;
    const holdMs = 1000 * durationSeconds(heldFor);
    return [readingOf(each, objective, { severity, part: tool, holdMs, fault: isMet ? undefined : what })];
  });
}

/** One of each severity with which the budget is watched. */
function budgetReadings(each: Case, objective: BudgetedObjective): readonly ObjectiveReading[] {
  const { badEvents } = metricsOf(each.kpi).share ?? {};
  const rates = burnRatesOf(objective).filter(({ shortWindow, longWindow }) =>
    [shortWindow, longWindow].every((window) => each.complete.has(rollingWindow(window))),
  );
  return tiers.flatMap((severity) => {
    const judged = rates
      .filter((rate) => rate.severity === severity)
      .map((rate) => burning(each.figures, objective, rate));
    const worst = judged.find((share) => share !== undefined && share > 0);
    if (worst === undefined && (judged.length === 0 || judged.includes(undefined))) return [];
    const fault = worst === undefined ? undefined : `: ${valueText(each.kpi, worst)} of ${badEvents}`;
    return [readingOf(each, objective, { severity, part: '', holdMs: 0, fault })];
  });
}

/**
 * The share of bad events over the long window where a burn rate is exceeded, and 0 where it is not; undefined where
 * there are too few events to say.
 */
function burning(
  { windows }: ReleaseFigures,
  objective: BudgetedObjective,
  rate: BurnRate,
): number | undefined {
  const bad = (window: string) => badShareOf(windows.get(rollingWindow(window))?.get(''), objective);
  const [long, short] = [bad(rate.longWindow), bad(rate.shortWindow)];
  const threshold = thresholdOf(rate, objective);
  if (long === undefined || long.events < objective.min_events) return undefined;
  if (long.share <= threshold) return 0;
  if (short === undefined) return undefined;
  return short.share > threshold ? long.share : 0;
}

function badShareOf(
  figure: Figure | undefined,
  objective: BudgetedObjective,
): { readonly share: number; readonly events: number } | undefined {
  if (figure === undefined || figure.denominator <= 0) return undefined;
  const { numerator, denominator: events } = figure;
  return { share: ('at_most' in objective ? numerator : events - numerator) / events, events };
}

function shareOf({ numerator, denominator }: Figure): number | undefined {
  return denominator > 0 ? numerator / denominator : undefined;
}

function readingOf(
  { file: { policy, revision }, kpi, figures }: Case,
  objective: Objective,
  found: {
    readonly severity: Severity;
    readonly part: string;
    readonly holdMs: number;
    /** What is wrong, after the names of the release. */
    readonly fault: string | undefined;
  },
): ObjectiveReading {
  const { agent, release, environment } = figures;
  const { severity, part, holdMs, fault } = found;
  const subject = `${agent} ${release} in ${environment}`;
  return {
    policy: policy.metadata.name,
    revision,
    kpi,
    agent,
    release,
    environment,
    part,
    severity,
    owner: policy.metadata.owner,
    title: alertNameOf(kpi, objective),
    holdMs,
    violation: fault === undefined ? undefined : `${subject}${fault}; ${demandOf(kpi, objective)}.`,
  };
}

/** As the alerts say it. */
function valueText(kpi: KpiName, value: number): string {
  const { unit } = metricsOf(kpi);
  if (unit === 'USD') return `${value.toFixed(4)} USD`;
  if (unit === 'incidents') return `${value.toFixed(4)} incidents a run`;
  return unit === 'seconds' ? `${value.toFixed(2)} s` : `${Number((100 * value).toPrecision(4))}%`;
}
