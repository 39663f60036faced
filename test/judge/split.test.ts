import { expect, test } from 'vitest';
import { flow, randomOf, releasesWith, type Releases } from './releases.ts';

/** As many runs a minute as it says, in bunches of `size` that go to one release together. */
function bunches(
  releases: Releases,
  perMinute: number,
  size: number,
  { share = 0.1, bad = 0.08, from = 0, until = 120 },
): void {
  const random = randomOf(7 + from);
  for (let minute = from; minute < until; minute++)
    for (let i = 0; i < perMinute / size; i++) {
      const isCandidate = random() < share;
      for (let j = 0; j < size; j++)
        releases.add({
          at: minute + random() * 0.5 + j / 100,
          release: isCandidate ? '2' : '1',
          isBad: random() < (isCandidate ? bad : 0.08),
        });
    }
}

test('a router that sends each run on its own is not found at fault', () => {
  const releases = releasesWith();
  flow(releases, [-5, 0], [['1', 10, 0.08]]);
  bunches(releases, 12, 1, { bad: 0.5 });
  expect(releases.until(130).standing()).toMatchObject({ verdict: 'fail' });
  expect(releases.standing().splitDispersion).toBeGreaterThan(0.7);
  expect(releases.standing().splitDispersion).toBeLessThan(1.4);
  expect(releases.standing().splitLogEvidence).toBeLessThan(1);
});

test('a router that keeps runs together which are judged one by one leaves the verdict open, with the way out', () => {
  const releases = releasesWith();
  flow(releases, [-5, 0], [['1', 10, 0.08]]);
  bunches(releases, 12, 4, { bad: 0.5 });
  releases.until(130);
  expect(releases.standing()).toMatchObject({
    verdict: 'inconclusive',
    action: 'pause',
    decidedMs: undefined,
  });
  expect(releases.standing().splitDispersion).toBeGreaterThan(2);
  expect(releases.test('worse').logEvidence).toBeGreaterThan(Math.log(100));
  expect(releases.standing().reason).toMatch(/set gates::canary::unit to session or user$/);
});

test('a candidate that does not get the share that the policy states leaves the verdict open', () => {
  const releases = releasesWith();
  flow(releases, [-5, 0], [['1', 10, 0.08]]);
  bunches(releases, 24, 1, { share: 0.04, bad: 0.02 });
  releases.until(130);
  expect(releases.standing()).toMatchObject({ verdict: 'inconclusive', action: 'none' });
  expect(releases.standing().splitLogEvidence).toBeGreaterThan(Math.log(100));
  expect(releases.standing().reason).toMatch(
    /^the policy says that the candidate gets 10 % of the units, and it gets 3\.\d %$/,
  );
});

test('a split at fault takes back no verdict', () => {
  const releases = releasesWith();
  flow(releases, [-5, 0], [['1', 10, 0.08]]);
  flow(
    releases,
    [0, 60],
    [
      ['1', 18, 0.08],
      ['2', 2, 0.6],
    ],
  );
  expect(releases.until(60).standing().verdict).toBe('fail');
  flow(
    releases,
    [60, 180],
    [
      ['1', 10, 0.08],
      ['2', 10, 0.08],
    ],
  );
  expect(releases.until(180).standing().verdict).toBe('fail');
  expect(releases.standing().splitLogEvidence).toBeGreaterThan(Math.log(100));
});

test('a release that does badly whatever others do is rolled back by its floor, however units are split', () => {
  const releases = releasesWith({
    kpis: [{ kpi: 'run_success', weight: 1, reference: 0.08, floor: 0.3 }],
  });
  flow(releases, [-5, 0], [['1', 10, 0.08]]);
  bunches(releases, 12, 4, { until: 60 });
  bunches(releases, 12, 4, { bad: 0.8, from: 60 });
  expect(releases.until(130).standing()).toMatchObject({ verdict: 'fail', action: 'rollback' });
  expect(releases.standing().reason).toMatch(/^run_success is worse than the policy ever allows/);
});

test('a canary that was paused for hours is decided once it goes on', () => {
  const releases = releasesWith();
  flow(releases, [-5, 0], [['1', 20, 0.08]]);
  const canary = [
    ['1', 18, 0.08],
    ['2', 2, 0.08],
  ] as const;
  flow(releases, [0, 25], canary);
  flow(releases, [25, 145], [['1', 20, 0.08]]);
  expect(releases.until(145).standing().splitLogEvidence).toBeLessThan(1);
  flow(releases, [145, 160], canary);
  flow(
    releases,
    [160, 260],
    [
      ['1', 18, 0.08],
      ['2', 2, 0.6],
    ],
  );
  expect(releases.until(160).standing().splitLogEvidence).toBeLessThan(1);
  expect(releases.until(260).standing()).toMatchObject({ verdict: 'fail', action: 'rollback' });
});

test('a canary of little traffic is not found at fault for the time between its units', () => {
  const releases = releasesWith();
  releases.add({ at: -2 }, { at: -1 });
  for (let i = 0; i < 500; i++) releases.add({ at: 12 * i, release: i % 10 === 0 ? '2' : '1' });
  releases.until(6010);
  expect(Math.abs(releases.standing().splitLogEvidence)).toBeLessThan(2);
});

test('the share of a candidate is that of all units, whatever other candidates there are', () => {
  const releases = releasesWith({ share: 0.25 });
  flow(releases, [-5, 0], [['1', 40, 0.08]]);
  flow(
    releases,
    [0, 40],
    [
      ['1', 20, 0.08],
      ['2', 10, 0.08],
      ['3', 10, 0.08],
    ],
  );
  releases.until(40);
  for (const release of ['2', '3']) expect(releases.standing(release).splitLogEvidence).toBeLessThan(0);
});

test('a canary that begins in the midst of a minute, beside much traffic, is judged from its second minute on', () => {
  const releases = releasesWith();
  flow(releases, [-5, 0], [['1', 540, 0.08]]);
  const random = randomOf(11);
  for (let i = 0; i < 6 * 600; i++) {
    const at = i / 600;
    const isCandidate = at > 0.6 && random() < 0.1;
    releases.add({ at, release: isCandidate ? '2' : '1', isBad: random() < (isCandidate ? 0.6 : 0.08) });
  }
  expect(releases.until(6).standing()).toMatchObject({ verdict: 'fail', action: 'rollback' });
  expect(releases.standing().splitDispersion).toBeLessThan(2);
  expect(releases.standing().splitLogEvidence).toBeLessThan(1);
});

test('a candidate that only has a batch of its own, once an hour, is told that it does not get its share', () => {
  const releases = releasesWith();
  flow(releases, [-60, 0], [['1', 5, 0.04]]);
  const random = randomOf(3);
  // Tasks of the batch are harder for every release, so that what they say of the candidate is no evidence against it.
  for (let minute = 0; minute < 20 * 60; minute++) {
    for (let i = 0; i < 5; i++) releases.add({ at: minute + i / 10, release: '1', isBad: random() < 0.04 });
    if (minute % 60 !== 30) continue;
    for (let i = 0; i < 20; i++) releases.add({ at: minute + i / 40, release: '2', isBad: random() < 0.4 });
  }
  expect(releases.until(20 * 60).standing()).toMatchObject({ verdict: 'inconclusive', decidedMs: undefined });
  expect(releases.standing().reason).toMatch(/^the policy says that the candidate gets 10 % of the units/);
});
