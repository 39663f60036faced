import { expect, test } from 'vitest';
import { judgeFamilies } from '../../src/judge/judge-families.ts';
import { flow, releasesWith, runSuccess } from './releases.ts';

test('every number of the judgement is a series, told apart by release, KPI, test and action', () => {
  const releases = releasesWith({ kpis: [{ ...runSuccess, floor: 0.5 }] });
  flow(releases, [0, 60], [['1', 10, 0.08]]);
  flow(
    releases,
    [60, 90],
    [
      ['1', 18, 0.08],
      ['2\n', 2, 0.6],
    ],
  );
  const { judge } = releases.until(110);
  const families = judgeFamilies(judge.standings(), judge.ignored);
  const lines = families.flatMap(({ name, samples }) =>
    samples.map(({ labels }) => `${name}{${labels.map(([label, value]) => `${label}=${value}`).join(',')}}`),
  );
  expect(new Set(lines).size).toBe(lines.length);
  const of = 'agent=refund-agent,release=2 ,environment=production,baseline=1';
  const own = lines.filter((line) => line.includes(of)).map((line) => line.replace(of, ''));
  expect(own).toEqual([
    'plimsoll_release_log_evidence{,kpi=run_success,test=worse}',
    'plimsoll_release_log_evidence{,kpi=run_success,test=not_worse}',
    'plimsoll_release_log_evidence{,kpi=run_success,test=floor}',
    'plimsoll_release_log_evidence_threshold{,kpi=run_success,test=worse,action=pause}',
    'plimsoll_release_log_evidence_threshold{,kpi=run_success,test=worse,action=rollback}',
    'plimsoll_release_log_evidence_threshold{,kpi=run_success,test=not_worse,action=pass}',
    'plimsoll_release_log_evidence_threshold{,kpi=run_success,test=floor,action=pause}',
    'plimsoll_release_log_evidence_threshold{,kpi=run_success,test=floor,action=rollback}',
    'plimsoll_release_detectable_drop_ratio{,kpi=run_success,action=pause}',
    'plimsoll_release_detectable_drop_ratio{,kpi=run_success,action=rollback}',
    'plimsoll_release_verdict{,verdict=pass}',
    'plimsoll_release_verdict{,verdict=fail}',
    'plimsoll_release_verdict{,verdict=inconclusive}',
    'plimsoll_release_verdict{,verdict=environment}',
    'plimsoll_release_action{,action=none}',
    'plimsoll_release_action{,action=pause}',
    'plimsoll_release_action{,action=rollback}',
    'plimsoll_release_action{,action=promote}',
    'plimsoll_release_started_timestamp_seconds{}',
    'plimsoll_release_units{,arm=candidate,state=open}',
    'plimsoll_release_units{,arm=candidate,state=settled}',
    'plimsoll_release_units{,arm=baseline,state=open}',
    'plimsoll_release_units{,arm=baseline,state=settled}',
    'plimsoll_release_split_dispersion{}',
    'plimsoll_release_split_log_evidence{}',
    'plimsoll_release_starts{}',
  ]);
  const verdicts = families.find(({ name }) => name === 'plimsoll_release_verdict')!.samples;
  const ones = verdicts.filter(({ value }) => value === 1).map(({ labels }) => labels.at(-1)![1]);
  expect(ones.toSorted()).toEqual(['fail', 'inconclusive']);
});

test('a release that got no unit for half an hour has no series, so that no alert goes on of it', () => {
  const releases = releasesWith({ kpis: [{ ...runSuccess, floor: 0.5 }] });
  flow(releases, [0, 60], [['1', 18, 0.08]]);
  flow(
    releases,
    [60, 90],
    [
      ['1', 18, 0.08],
      ['2', 2, 0.6],
    ],
  );
  flow(releases, [90, 130], [['1', 20, 0.08]]);
  const { judge } = releases.until(131);
  expect(judge.standings().map(({ release }) => release)).toContain('2');
  const series = judgeFamilies(judge.standings(), judge.ignored).flatMap(({ samples }) => samples);
  expect(series.filter(({ labels }) => labels.some(([, value]) => value === '2'))).toEqual([]);
  expect(series.some(({ labels }) => labels.some(([, value]) => value === '1'))).toBe(true);
});
