import { pairsAt, type Deployment } from './deployment.ts';
import { detectableDrop } from './detectable-drop.ts';
import { eValueText } from './e-value.ts';
import { idleMs } from './idle.ts';
import { baseOf, type KpiEvidence, type Test } from './kpi-evidence.ts';
import { isAll, unannounced, unannouncedText } from './membership.ts';
import { logEvidence } from './mixture.ts';
import { isEnvironment, kpisOf, spentMs, splitFaultOf, thresholdsOf, timesAfter, type Pair } from './pair.ts';
import { dispersion } from './split.ts';
import type { Action, ArmUnits, Standing, TestName, TestStanding, Verdict } from './standing.ts';

/** What is said of a pair, and why. */
interface Ruling {
  readonly verdict: Verdict;
  readonly action: Action;
  readonly reason: string;
}

/** When a test decided to roll back, or to pause. */
type Latch = 'failedMs' | 'pausedMs';

/** Where the judgement of the candidate of `pair` stands at `nowMs`. */
export function standingOf(deployment: Deployment, pair: Pair, nowMs: number): Standing {
  const { agent, environment, releases, tickMs } = deployment;
  const lastMs = releases.get(pair.candidate)?.lastMs ?? Number.NEGATIVE_INFINITY;
  const { rules, arms, split, isConcurrent } = pair;
  const ruling = rule(pair, pairsAt(deployment, tickMs), nowMs);
  return {
    agent,
    environment,
    release: pair.candidate,
    policy: rules.policy,
    revision: rules.revision,
    baseline: isConcurrent ? pair.baseline : undefined,
    isRunning: lastMs > nowMs - idleMs,
    ...ruling,
    reason: withDoubt(pair, ruling.reason),
    startedMs: pair.startedMs,
    decidedMs: pair.failedMs ?? pair.passedMs,
    starts: pair.starts,
    units: { candidate: unitsOf(arms.candidate), baseline: unitsOf(arms.baseline) },
    tests: kpisOf(pair).flatMap((kpi) => testsOf(pair, kpi, nowMs)),
    splitDispersion: isConcurrent ? dispersion(split, rules.share) : undefined,
    splitLogEvidence: split.log,
  };
}

/** `reason`, and how many runs are not known when they begin, where some are and it does not say so itself. */
function withDoubt({ membership }: Pair, reason: string): string {
  const share = unannounced(membership);
  if (share === undefined || isAll(share) || reason.includes(unannouncedText(share))) return reason;
  return `${reason}; ${unannouncedText(share)}`;
}

function unitsOf({ joined, settled }: Pair['arms']['candidate']): ArmUnits {
  return { open: joined - settled, settled };
}

/** The verdict: total, whatever is or is not known. What once failed stays failed. */
function rule(pair: Pair, company: readonly Pair[], nowMs: number): Ruling {
  const { rules, passedMs, isConcurrent, unjudged } = pair;
  const failed = latched(pair, 'failedMs');
  if (failed) return { verdict: 'fail', action: 'rollback', reason: failed };
  if (isEnvironment(pair, nowMs, company))
    return {
      verdict: 'environment',
      action: 'pause',
      reason: `${pair.candidate} and ${pair.baseline ?? 'what runs beside it'} do badly at the same time: look for what they share`,
    };
  const paused = latched(pair, 'pausedMs');
  const isOverdue = isConcurrent && passedMs === undefined && spentMs(pair, nowMs) >= rules.maxMs;
  const open = (action: Action, reason: string): Ruling => ({
    verdict: 'inconclusive',
    action: isOverdue ? rules.onTimeout : action,
    reason: isOverdue ? `the time to decide is over, and ${reason}` : reason,
  });
  const fault = splitFaultOf(pair);
  if (fault !== undefined) return open(paused ? 'pause' : 'none', fault);
  if (paused) return open('pause', paused);
  if (passedMs !== undefined)
    return {
      verdict: 'pass',
      action: 'promote',
      reason: `no KPI is worse than that of ${String(pair.baseline)} by ${rules.margin} or more: ${unitsText(pair)}`,
    };
  const unknown =
    unjudged.length === 0
      ? ''
      : `; nothing says how much ${unjudged.join(' and ')} may be: state an objective`;
  return open('none', `the evidence says neither: ${unitsText(pair)}${unknown}`);
}

/** Why a test decided, in words; undefined when none has. */
function latched(pair: Pair, when: Latch): string | undefined {
  for (const kpi of kpisOf(pair)) {
    const name = pair.rules.kpis[kpi.index]!.kpi;
    const against: readonly (readonly [Test | undefined, string])[] = [
      [kpi.worse, `is worse than that of ${String(pair.baseline)}`],
      [kpi.floor?.candidate, 'is worse than the policy ever allows'],
      [kpi.before?.candidate, `is worse than that of ${String(pair.baseline)} was before`],
    ];
    for (const [test, text] of against) {
      if (test?.[when] === undefined) continue;
      const thresholds = thresholdsOf(pair, kpi);
      const wanted = when === 'failedMs' ? thresholds.rollback : thresholds.pause;
      return `${name} ${text}: evidence ${eValueText(logEvidence(test.mixture))} now, ${eValueText(wanted)} is enough to ${when === 'failedMs' ? 'roll back' : 'pause'}${shareText(pair, kpi, when)}; ${unitsText(pair)}`;
    }
  }
  return undefined;
}

/** How what is enough follows from what the policy says, in words; '' where it is the same. */
function shareText({ rules, starts }: Pair, { index, floor }: KpiEvidence, when: Latch): string {
  const said = when === 'failedMs' ? rules.rollbackAt : rules.pauseAt;
  const { weight } = rules.kpis[index]!;
  const shares = [
    ...(floor ? ['half of '] : []),
    ...(weight < 1 || floor ? [`the weight ${Number(weight.toPrecision(3))} of this KPI`] : []),
  ].join('');
  const by = shares === '' ? '' : ` by ${shares}${floor ? ', which has a floor' : ''}`;
  const times = timesAfter(starts) > 1 ? `, ${timesAfter(starts)} times as evidence began anew` : '';
  return by + times === '' ? '' : ` (${said}${by}${times})`;
}

function unitsText({ arms, rules, baseline }: Pair): string {
  const { candidate, baseline: other } = arms;
  const beside = baseline === undefined ? '' : ` against ${other.settled}`;
  return `${candidate.settled} ${rules.unit}s${beside}`;
}

function testsOf(pair: Pair, kpi: KpiEvidence, nowMs: number): readonly TestStanding[] {
  const { pause, rollback, pass } = thresholdsOf(pair, kpi);
  const name = pair.rules.kpis[kpi.index]!.kpi;
  const test = (is: TestName, { mixture }: Test, at: Partial<TestStanding>): TestStanding => ({
    kpi: name,
    test: is,
    logEvidence: logEvidence(mixture),
    ...at,
  });
  const tests: TestStanding[] = [];
  if (pair.baseline !== undefined) {
    const detectable = pair.isConcurrent ? dropOf(pair, kpi, nowMs) : undefined;
    tests.push(
      test('worse', kpi.worse, {
        pauseAt: pause,
        rollbackAt: rollback,
        ...(detectable && { detectableDrop: detectable }),
      }),
      test('not_worse', kpi.notWorse, { passAt: pass }),
    );
  }
  if (kpi.floor) tests.push(test('floor', kpi.floor.candidate, { pauseAt: pause, rollbackAt: rollback }));
  if (kpi.before && !pair.isConcurrent) tests.push(test('before', kpi.before.candidate, { pauseAt: pause }));
  return tests;
}

/** What would be found in all the time there is, at the rate of units so far. */
function dropOf(pair: Pair, kpi: KpiEvidence, nowMs: number): TestStanding['detectableDrop'] {
  const { arms, rules } = pair;
  const { candidate, baseline } = arms;
  const soFarMs = spentMs(pair, nowMs);
  if (candidate.settled === 0 || baseline.settled === 0 || soFarMs <= 0) return undefined;
  const times = Math.max(1, rules.maxMs / soFarMs);
  const prospect = {
    candidates: candidate.settled * times,
    baselines: baseline.settled * times,
    base: baseOf(kpi),
  };
  const thresholds = thresholdsOf(pair, kpi);
  const pause = detectableDrop(prospect, thresholds.pause);
  const rollback = detectableDrop(prospect, thresholds.rollback);
  return { ...(pause !== undefined && { pause }), ...(rollback !== undefined && { rollback }) };
}
