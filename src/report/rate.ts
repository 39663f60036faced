import { shareDifference, shareInterval } from '../core/share-interval.ts';

/** Of fewer cases than these nothing is said but the interval. */
export const fewest = 20;

/** A share of cases with Wilson's interval of 95 %; null where there are none. */
export interface Rate {
  readonly count: number;
  readonly of: number;
  readonly rate: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** Whether there are enough cases to speak of a rate. */
  readonly isEnough: boolean;
}

/**
 * How a figure moved: it surely got better or worse (at 95 %), it may be chance, there are too few cases to tell, or it is
 * another figure than before.
 */
export type Change = 'better' | 'worse' | 'unclear' | 'too_few' | 'redefined';

/** `count` of `of` cases. */
export function rateOf(count: number, of: number): Rate {
  const {
    estimate = null,
    low = null,
    high = null,
  } = of > 0 ? shareInterval({ good: count, cases: of }) : {};
  return { count, of, rate: estimate, low, high, isEnough: of >= fewest };
}

/** How `now` differs from `before`; `isMoreBetter` says which way is better. */
export function changeOf(now: Rate, before: Rate, isMoreBetter: boolean): Change {
  if (!now.isEnough || !before.isEnough) return 'too_few';
  const { low, high } = shareDifference(
    { good: now.count, cases: now.of },
    { good: before.count, cases: before.of },
  );
  if (low > 0) return isMoreBetter ? 'better' : 'worse';
  if (high < 0) return isMoreBetter ? 'worse' : 'better';
  return 'unclear';
}
