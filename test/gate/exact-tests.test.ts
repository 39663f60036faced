import { expect, test } from 'vitest';
import { shareDifference, type Share } from '../../src/core/share-interval.ts';
import { pairedDifference } from '../../src/gate/difference-interval.ts';
import { pairedChance, unpairedChance } from '../../src/gate/exact-tests.ts';

const share = (good: number, cases: number): Share => ({ good, cases });

test.each([
  [9, 2, 0.03271484375],
  [30, 6, 3.480084706097841e-5],
  [5, 0, 0.03125],
  [0, 0, 1],
  [3, 3, 0.65625],
  [100, 80, 0.07826573478907584],
  [700, 650, 0.0911551747333],
])('McNemar of %i worse and %i better pairs is what scipy.stats.binomtest says', (worse, better, chance) => {
  expect(pairedChance(worse, better)).toBeCloseTo(chance, 11);
});

test.each([
  [share(160, 200), share(180, 200), 0.0037096186383774607],
  [share(40, 50), share(48, 50), 0.01387312957408518],
  [share(0, 20), share(5, 20), 0.023562023562023564],
  [share(190, 200), share(190, 200), 0.5903842073237862],
  [share(50, 50), share(50, 50), 1],
  [share(900, 1000), share(930, 1000), 0.009917309871483036],
  [share(3, 10), share(90, 100), 5.607889470181045e-5],
])('Fisher of %o and %o is what scipy.stats.fisher_exact says', (candidate, baseline, chance) => {
  expect(unpairedChance(candidate, baseline)).toBeCloseTo(chance, 11);
});

test.each([
  [share(160, 200), share(180, 200), -0.16987039306092558, -0.030029022527831156],
  [share(40, 50), share(48, 50), -0.2935490895880451, -0.031094907159539192],
  [share(0, 20), share(5, 20), -0.4687008776187441, -0.03776544556663031],
  [share(190, 200), share(190, 200), -0.045584805912886626, 0.045584805912886626],
  [share(50, 50), share(50, 50), -0.07134759913335875, 0.07134759913335875],
  [share(900, 1000), share(930, 1000), -0.05466603814003191, -0.005528587736690963],
  [share(3, 10), share(90, 100), -0.7973540652066937, -0.28779214701074823],
])('Newcombe of %o and %o is what statsmodels says', (candidate, baseline, low, high) => {
  const found = shareDifference(candidate, baseline);
  expect(found.low).toBeCloseTo(low, 12);
  expect(found.high).toBeCloseTo(high, 12);
});

test.each([
  [12, 2, 50, 0.061112407, 0.344708747],
  [3, 12, 50, -0.329887766, -0.031386257],
  [0, 0, 44, -0.080295604, 0.080295604],
  [1, 0, 44, -0.059393232, 0.118077097],
  [6, 30, 240, -0.15144006, -0.054281402],
  [18, 6, 240, 0.010824218, 0.093994649],
  [0, 9, 200, -0.083296704, -0.023852543],
])(
  'Tango of %i better and %i worse of %i pairs is where the score with the likelihood maximised by scipy crosses',
  (better, worse, cases, low, high) => {
    const found = pairedDifference(better, worse, cases);
    expect(found.low).toBeCloseTo(low, 7);
    expect(found.high).toBeCloseTo(high, 7);
  },
);

test('what is better for one release is worse for the other', () => {
  const [a, b] = [pairedDifference(7, 3, 60), pairedDifference(3, 7, 60)];
  expect(a.low).toBeCloseTo(-b.high, 12);
  expect(a.high).toBeCloseTo(-b.low, 12);
});

const power = (base: number, times: number): number => (times === 0 ? 0 : times * Math.log(base));

/** Of pairs of which the shares `better` and `better + margin` change, how often the margin is called excluded. */
function falsePasses(cases: number, margin: number, better: number): number {
  const logs = [0];
  for (let n = 1; n <= cases; n++) logs.push(logs[n - 1]! + Math.log(n));
  const [p, q] = [better, better + margin];
  let chance = 0;
  for (let b = 0; b <= cases; b++)
    for (let w = 0; b + w <= cases; w++) {
      if (pairedDifference(b, w, cases).low <= -margin) break; // more that are worse make it no better
      const same = cases - b - w;
      chance += Math.exp(
        logs[cases]! - logs[b]! - logs[w]! - logs[same]! + power(p, b) + power(q, w) + power(1 - p - q, same),
      );
    }
  return chance;
}

test.each([
  [200, 0.02],
  [200, 0.05],
  [100, 0.02],
])(
  'of %i pairs, a release that is worse by the margin of %f passes in less than 3 % of trials, counted out',
  (cases, margin) => {
    for (const better of [0, 0.01, 0.05, 0.2]) expect(falsePasses(cases, margin, better)).toBeLessThan(0.03);
  },
);
