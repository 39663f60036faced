/**
 * The judge once more, straight from its definition: everything is computed anew from the runs whenever it is asked, and
 * nothing is shared with the code that it checks.
 */

/** A run of one of two releases, in milliseconds of stream time; one that never ended ends at Infinity. */
export interface OracleRun {
  readonly isCandidate: boolean;
  readonly seenMs: number;
  readonly endedMs: number;
  readonly isBad: boolean;
}

/** What may be got wrong. */
export type Fault =
  | 'base includes the block'
  | 'alternative is fitted to the block'
  | 'best alternative instead of the mean'
  | 'measured against the baseline'
  | 'measured against the unweighted mean'
  | 'alternatives clamped at 1'
  | 'begins anew after the second block'
  | 'base of all blocks is the latest'
  | 'hanging runs are left out'
  | 'fitted anew at each look'
  | 'ticks without both releases are skipped'
  | 'blocks settle as they come';

export interface OracleSettings {
  readonly prior: number;
  readonly tickMs: number;
  readonly holdMs: number;
  readonly deadlineMs: number;
  readonly fault?: Fault | undefined;
}

interface OracleBlock {
  readonly candidate: readonly OracleRun[];
  readonly baseline: readonly OracleRun[];
  readonly base: number;
}

const shifts = [0.25, 0.5, 1, 2, 4];
const weights = [1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9];
const clipped = (x: number): number => Math.max(1e-4, Math.min(1 - 1e-4, x));

/** The evidence (natural logarithm) that the candidate is worse, as each tick closes that begins at `firstMs` or later. */
export function oracleTrajectory(
  runs: readonly OracleRun[],
  firstMs: number,
  ticks: number,
  settings: OracleSettings,
): number[] {
  const { tickMs, holdMs, deadlineMs, fault } = settings;
  const isBad = (run: OracleRun): boolean => run.isBad || run.endedMs > run.seenMs + deadlineMs;
  const isFinal = (run: OracleRun, nowMs: number): boolean =>
    run.endedMs < nowMs || run.seenMs + deadlineMs < nowMs;
  const counted =
    fault === 'hanging runs are left out'
      ? runs.filter((run) => run.endedMs <= run.seenMs + deadlineMs)
      : runs;
  const blocks: OracleBlock[] = [];
  const trajectory: number[] = [];
  let open: OracleRun[] = [];
  let age = 0;
  for (let tick = 0; tick < ticks; tick++) {
    const startMs = firstMs + tick * tickMs;
    const nowMs = startMs + tickMs + holdMs;
    open.push(...counted.filter(({ seenMs }) => seenMs >= startMs && seenMs < startMs + tickMs));
    age++;
    const settledBlocks = (): OracleBlock[] => {
      const settled = blocks.map(({ candidate, baseline }) =>
        [...candidate, ...baseline].every((run) => isFinal(run, nowMs)),
      );
      if (fault === 'blocks settle as they come') return blocks.filter((_, i) => settled[i]);
      const first = settled.indexOf(false);
      return first === -1 ? [...blocks] : blocks.slice(0, first);
    };
    const candidate = open.filter((run) => run.isCandidate);
    const baseline = open.filter((run) => !run.isCandidate);
    const skips = fault === 'ticks without both releases are skipped';
    const isFull = skips
      ? candidate.length > 0 && baseline.length > 0
      : candidate.length >= 2 && baseline.length >= 2;
    if (isFull || age >= 60 || skips) {
      const known = settledBlocks().map((block) => block.baseline);
      if (fault === 'base includes the block') known.push(baseline);
      blocks.push({ candidate, baseline, base: baseOf(known, settings.prior, isBad) });
      open = [];
      age = 0;
    }
    trajectory.push(evidence(settledBlocks(), settings, isBad));
  }
  return trajectory;
}

function baseOf(
  known: readonly (readonly OracleRun[])[],
  prior: number,
  isBad: (run: OracleRun) => boolean,
): number {
  let bad = 20 * prior;
  let units = 20;
  for (const block of known) {
    bad += block.filter(isBad).length;
    units += block.length;
    if (units > 500) {
      bad = (bad * 500) / units;
      units = 500;
    }
  }
  return clipped(bad / units);
}

function evidence(
  blocks: readonly OracleBlock[],
  { prior, fault }: OracleSettings,
  isBad: (run: OracleRun) => boolean,
): number {
  // Worth of each alternative and of the reserve: products of odds, scaled so that they stay in range.
  let worths = weights.map((weight) => weight * 0.75);
  let reserve = 0.25;
  let scale = 0;
  let bets = 0;
  const latest = baseOf(
    blocks.map(({ baseline }) => baseline),
    prior,
    isBad,
  );
  for (const block of blocks) {
    const n = block.candidate.length;
    const m = block.baseline.length;
    if (n === 0 || m === 0) continue;
    const f = block.candidate.filter(isBad).length;
    const g = block.baseline.filter(isBad).length;
    const again = fault === 'base of all blocks is the latest' || fault === 'fitted anew at each look';
    const base = again ? latest : block.base;
    bets++;
    const spent = reserve / (120 + bets);
    reserve -= spent;
    worths = worths.map((worth, k) => worth + spent * weights[k]!);
    worths = worths.map((worth, k) => {
      const odds = (base / (1 - base)) * Math.exp(shifts[k]!);
      const fitted = clipped((f + base) / (n + 1));
      const fits = fault === 'alternative is fitted to the block' || fault === 'fitted anew at each look';
      const worse = fits ? Math.max(fitted, base + 1e-6) : Math.min(odds / (1 + odds), 1 - 1e-4);
      if (worse <= base) return worth;
      let nothing = (n * worse + m * base) / (n + m);
      if (fault === 'measured against the baseline') nothing = base;
      if (fault === 'measured against the unweighted mean') nothing = (worse + base) / 2;
      const grown =
        worth *
        (worse / nothing) ** f *
        ((1 - worse) / (1 - nothing)) ** (n - f) *
        (base / nothing) ** g *
        ((1 - base) / (1 - nothing)) ** (m - g);
      return fault === 'alternatives clamped at 1' ? Math.max(grown, weights[k]! * Math.exp(-scale)) : grown;
    });
    if (fault === 'begins anew after the second block' && bets === 2) {
      worths = weights.map((weight) => weight * 0.75);
      reserve = 0.25;
      scale = 0;
    }
    const most = Math.max(...worths, reserve);
    worths = worths.map((worth) => worth / most);
    reserve /= most;
    scale += Math.log(most);
  }
  const total =
    fault === 'best alternative instead of the mean'
      ? Math.max(...worths.map((worth, k) => worth / weights[k]!))
      : worths.reduce((sum, worth) => sum + worth, reserve);
  return Math.log(total) + scale;
}
