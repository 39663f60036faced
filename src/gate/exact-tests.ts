import type { Share } from '../core/share-interval.ts';

/**
 * The chance that of `changed` cases at least `worse` became worse, when a case that changes becomes worse or better alike:
 * McNemar's exact test, of one side. 1 where nothing changed.
 */
export function pairedChance(worse: number, better: number): number {
  const changed = worse + better;
  const logs = logFactorials(changed);
  let chance = 0;
  for (let k = worse; k <= changed; k++) chance += Math.exp(logChoose(logs, changed, k) - changed * Math.LN2);
  return Math.min(1, chance);
}

/**
 * The chance that as few cases of `candidate` are good, or fewer, when both are alike and so many are good in all: Fisher's
 * exact test, of one side. It is exact whatever the share of good ones, and asks for somewhat more than tests that search
 * over that share: then a gate says that it cannot tell, which does not let the release on either.
 */
export function unpairedChance(candidate: Share, baseline: Share): number {
  const cases = candidate.cases + baseline.cases;
  const good = candidate.good + baseline.good;
  const logs = logFactorials(cases);
  const logAll = logChoose(logs, cases, good);
  let chance = 0;
  for (let k = Math.max(0, good - baseline.cases); k <= candidate.good; k++)
    chance += Math.exp(
      logChoose(logs, candidate.cases, k) + logChoose(logs, baseline.cases, good - k) - logAll,
    );
  return Math.min(1, chance);
}

/** ln n! of every n up to `most`. */
function logFactorials(most: number): Float64Array {
  const logs = new Float64Array(most + 1);
  for (let n = 2; n <= most; n++) logs[n] = logs[n - 1]! + Math.log(n);
  return logs;
}

function logChoose(logs: Float64Array, n: number, k: number): number {
  return logs[n]! - logs[k]! - logs[n - k]!;
}
