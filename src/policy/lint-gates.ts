import { error, warning, type Finding } from './finding.ts';
import { gateNames, judgedKpis, type CanaryGate, type JudgedKpi } from './gate-schema.ts';
import { isBetterHigher } from './kpi-direction.ts';
import { metricsOf, type KpiName } from './kpi-metrics.ts';
import { kpiName, meanBoundOf } from './objective-schema.ts';
import type { Policy } from './policy-schema.ts';
import { durationSeconds } from './policy-values.ts';
import { onlyOf } from './scope.ts';

type Gates = NonNullable<Policy['gates']>;

/** A release that is worse by more is no candidate, whatever it is compared with. */
const mostMargin = 0.2;

/** What is wrong with the gates of a policy. */
export function* gateFindings(policy: Policy): Generator<Finding> {
  const { gates = {}, tests = [] } = policy;
  for (const gate of gateNames) {
    if (gates[gate] !== undefined && !tests.some((test) => test.gate === gate && test.verdict === 'fail'))
      yield error(
        `gates::${gate}`,
        'no test makes it block, so nobody knows that it can',
        `add a test with gate: ${gate} and verdict: fail`,
      );
  }
  if (gates.offline) yield* offlineFindings(gates.offline);
  if (gates.staging) yield* stagingFindings(policy, gates.staging);
  if (gates.canary) {
    yield* canaryFindings(gates.canary);
    yield* weightFindings(policy, gates.canary);
    yield* floorFindings(policy, gates.canary);
  }
}

/** As many pairs that all end alike show that a release is not worse by more than the margin. */
function* offlineFindings({
  min_cases: minCases,
  margin,
}: NonNullable<Gates['offline']>): Generator<Finding> {
  const path = 'gates::offline';
  yield* marginFindings(path, margin);
  if (margin <= 0) {
    yield warning(
      `${path}::margin`,
      'lets only a release pass that is surely better',
      'allow some, such as 0.02, unless that is meant',
    );
    return;
  }
  const enough = Math.floor((1.96 ** 2 * (1 - margin)) / margin) + 1;
  if (minCases < enough)
    yield warning(
      `${path}::min_cases`,
      `with ${minCases} cases even a release that ends each of them alike may be worse by ${margin}`,
      `write ${enough} or more, or a wider margin`,
    );
}

function* marginFindings(path: string, margin: number): Generator<Finding> {
  if (margin > mostMargin)
    yield error(
      `${path}::margin`,
      `lets a release pass that is worse by ${Number((100 * margin).toPrecision(3))} of 100 events`,
      `write ${mostMargin} or less, such as 0.02`,
    );
}

function* stagingFindings(policy: Policy, staging: NonNullable<Gates['staging']>): Generator<Finding> {
  const path = 'gates::staging';
  const { at_least: least = {}, at_most: most = {} } = staging;
  if (Object.keys({ ...least, ...most }).length === 0)
    yield error(path, 'demands nothing', 'set at_least or at_most of a KPI');
  const only = onlyOf(policy.scope.environments);
  if (only !== undefined && policy.gates?.canary)
    yield warning(
      path,
      `the policy is about ${only} alone, where the canary is, so staging has no runs of its own`,
      'add its environment to scope::environments',
    );
  for (const kpi of kpiName.options) {
    const [low, high] = [least[kpi], most[kpi]];
    if (low !== undefined && !isBetterHigher(kpi))
      yield error(`${path}::at_least::${kpi}`, 'is no better for being more', `write at_most::${kpi}`);
    else if (low !== undefined && low <= 0)
      yield error(`${path}::at_least::${kpi}`, `${low} is always met`, 'ask for more, or remove it');
    if (high !== undefined && isBetterHigher(kpi))
      yield error(`${path}::at_most::${kpi}`, 'is no worse for being more', `write at_least::${kpi}`);
    else if (high !== undefined && metricsOf(kpi).unit === 'ratio' && high >= 1)
      yield error(`${path}::at_most::${kpi}`, `${high} is always met`, 'write a share below 1');
    if ((low ?? high) !== undefined) yield* evaluatorFindings(policy, path, kpi);
  }
}

function* canaryFindings(canary: CanaryGate): Generator<Finding> {
  const path = 'gates::canary';
  const { pause_at: pauseAt, rollback_at: rollbackAt, margin, tolerance = 0, max, deadline, tick } = canary;
  if (pauseAt > rollbackAt)
    yield error(`${path}::pause_at`, 'is above rollback_at, so it would never pause', 'lower it');
  if (pauseAt < 20)
    yield warning(
      `${path}::pause_at`,
      `a healthy release pauses with a chance of up to 1 in ${pauseAt}`,
      'write 20 or more',
    );
  if (canary.share <= 0 || canary.share >= 1)
    yield error(
      `${path}::share`,
      'leaves one of the two releases without traffic',
      'write a share between 0 and 1',
    );
  if (margin <= tolerance)
    yield error(
      `${path}::margin`,
      `is not above the tolerance of ${tolerance}, so a release that is tolerated never passes`,
      'raise it',
    );
  yield* marginFindings(path, margin);
  if (durationSeconds(deadline) >= durationSeconds(max))
    yield error(
      `${path}::deadline`,
      `the time to decide, ${max}, is over before a run must have ended`,
      'shorten it, or raise max',
    );
  if (tick !== undefined && durationSeconds(tick) > durationSeconds(deadline))
    yield error(`${path}::tick`, `is longer than the deadline of ${deadline}`, 'write 1m, or remove it');
}

function* weightFindings(policy: Policy, { weights }: CanaryGate): Generator<Finding> {
  const path = 'gates::canary::weights';
  const sum = Object.values(weights).reduce((total, weight) => total + weight, 0);
  if (Math.abs(sum - 1) > 1e-9)
    yield error(path, `sum up to ${Number(sum.toFixed(4))}`, 'let them sum up to 1');
  for (const kpi of judgedKpis) {
    const weight = weights[kpi];
    if (weight === undefined) continue;
    if (weight <= 0)
      yield error(`${path}::${kpi}`, 'has no weight, so it decides nothing', 'give it some, or remove it');
    yield* evaluatorFindings(policy, path, kpi);
    const unstated = unweighable[metricsOf(kpi).unit];
    if (unstated !== undefined && !policy.objectives[kpi])
      yield error(`${path}::${kpi}`, unstated, `add objectives::${kpi}`);
  }
}

/** Why a KPI in such a unit cannot be weighed without an objective. */
const unweighable: Readonly<Partial<Record<ReturnType<typeof metricsOf>['unit'], string>>> = {
  USD: 'nothing says what is dear, so costs cannot be weighed',
  seconds: 'nothing says what is slow, so durations cannot be weighed',
};

/** Scores are those of an evaluator, which only an objective names. */
function* evaluatorFindings({ objectives }: Policy, path: string, kpi: KpiName): Generator<Finding> {
  if (kpi === 'quality_score' && !objectives.quality_score)
    yield error(
      `${path}::quality_score`,
      'nothing says whose scores',
      'add objectives::quality_score, which names the evaluator',
    );
}

/** A floor is what no release may fall below; it is laxer than the objective, which good releases meet now and then by luck. */
function* floorFindings({ objectives }: Policy, canary: CanaryGate): Generator<Finding> {
  const { floor = {}, weights, deadline } = canary;
  for (const kpi of judgedKpis) {
    const bound = floor[kpi];
    if (bound === undefined) continue;
    const path = `gates::canary::floor::${kpi}`;
    if (!((weights[kpi] ?? 0) > 0))
      yield error(path, 'has no weight, so nothing comes of it', `add gates::canary::weights::${kpi}`);
    if (metricsOf(kpi).unit === 'ratio' && bound >= 1) {
      const how = isBetterHigher(kpi) ? 'never' : 'always';
      yield error(path, `${bound} is ${how} met`, 'write a share below 1');
      continue;
    }
    if (kpi === 'run_duration' && bound >= durationSeconds(deadline)) {
      const what = `no run counts as longer than the deadline of ${deadline}, so it is never missed`;
      yield error(path, what, `write less than ${durationSeconds(deadline)}, or raise deadline`);
      continue;
    }
    const stated = objectives[kpi];
    const limit = stated && meanBoundOf(stated);
    if (limit !== undefined && (isBetterHigher(kpi) ? bound > limit : bound < limit))
      yield error(
        path,
        `${bound} is stricter than the objective of ${limit}, so releases that meet the objective are rolled back`,
        `write ${limit} or ${laxer(kpi)}`,
      );
  }
}

function laxer(kpi: JudgedKpi): string {
  return isBetterHigher(kpi) ? 'less' : 'more';
}
