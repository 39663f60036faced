import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { burnRatesOf, chanceOfAlert, thresholdOf } from '../../src/policy/burn-rate.ts';
import type { BudgetedObjective } from '../../src/policy/objective-schema.ts';
import { runs } from '../property-runs.ts';

const objective = (at_least: number, period = '30d'): BudgetedObjective => ({
  at_least,
  period,
  min_events: 50,
  severity: 'sev2',
  slow_severity: 'sev3',
});

const factors = (at_least: number, period?: string): readonly number[] =>
  burnRatesOf(objective(at_least, period)).map(({ factor }) => factor);

test('from 99 % on the factors are those of the SRE workbook, and below such that they can fire', () => {
  expect(factors(0.999)).toEqual([14.4, 6, 3, 1]);
  expect(factors(0.99)).toEqual([14.4, 6, 3, 1]);
  expect(factors(0.95)).toEqual([5.22, 3.11, 2.06, 1]);
  expect(factors(0.9)).toEqual([3, 2, 1.5, 1]);
  expect(factors(0.5)).toEqual([1.22, 1.11, 1.06, 1]);
  expect(factors(0.999, '7d')).toEqual([3.36, 1.4, 1, 1]);
});

test('an alert at the speed of an incident and one at the speed of decay: the fast ones are told as graver', () => {
  expect(burnRatesOf(objective(0.9)).map(({ severity, longWindow }) => `${severity} ${longWindow}`)).toEqual([
    'sev2 1h',
    'sev2 6h',
    'sev3 1d',
    'sev3 3d',
  ]);
  const { slow_severity: _, ...fastOnly } = objective(0.9);
  expect(burnRatesOf(fastOnly).map(({ longWindow }) => longWindow)).toEqual(['1h', '6h']);
});

test('whatever the objective and its period, every alert can fire, none fires while the objective is met, and faster ones need more', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 7, max: 90 }), (basisPoints, days) => {
      const stated = objective(basisPoints / 10_000, `${days}d`);
      const thresholds = burnRatesOf(stated).map((rate) => thresholdOf(rate, stated));
      for (const threshold of thresholds) {
        expect(threshold).toBeLessThan(1);
        expect(threshold).toBeGreaterThanOrEqual(Number((1 - basisPoints / 10_000).toFixed(10)));
      }
      expect(thresholds).toEqual(thresholds.toSorted((a, b) => b - a));
    }),
    { numRuns: runs },
  );
});

test('the chance of an alert is that of the binomial distribution', () => {
  expect(chanceOfAlert(20, 0.1, 0.2)).toBeCloseTo(0.0432, 4); // 1 - pbinom(4, 20, 0.1)
  expect(chanceOfAlert(10, 0.5, 0)).toBeCloseTo(1 - 2 ** -10, 12);
  expect(chanceOfAlert(10, 0.5, 0.9)).toBeCloseTo(2 ** -10, 12);
  expect(chanceOfAlert(100_000, 0.1, 0.11)).toBeLessThan(1e-20);
});
