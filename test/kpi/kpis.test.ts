import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Kpis } from '../../src/kpi/kpis.ts';
import type { Outcome } from '../../src/semconv/vocabulary.ts';
import { widest } from '../../src/kpi/counter-columns.ts';
import { runs } from '../property-runs.ts';
import { call, flat, kpisOf, published, run, settings, value } from './events.ts';

const noon = Date.UTC(2026, 10, 23, 12);
const minute = 60_000;
const five = { window: '5m' };

/** Moves event time of `partition` to `atMs`, as if a record written then had been read then. */
function advance(kpis: Kpis, atMs: number, partition = 0): void {
  kpis.watermark.advance(partition, atMs, atMs, atMs);
}

describe('the worked example of ten runs', () => {
  const kpis = kpisOf();
  const review = (12 / 60) * 60;
  const outcomes = [
    ...Array<'success'>(6).fill('success'),
    'failure',
    'failure',
    'escalated',
    'abandoned',
  ] as const;
  outcomes.forEach((outcome, i) => {
    const asked = outcome === 'escalated' || i === 0;
    const costUsd = i === 0 ? { llm: 0.8, tool: 0.1, review } : { llm: 0, tool: 0, review: 0 };
    const reviewSeconds = i === 0 ? 720 : 0;
    const evidence = outcome === 'escalated' ? 'none' : 'app';
    kpis.finished(
      run(noon + i * 1000, {
        outcome,
        evidence,
        costUsd,
        reviewSeconds,
        escalationReason: asked ? 'approval' : undefined,
      }),
    );
  });
  for (let i = 0; i < 40; i++) {
    const attempts = i < 5 ? 2 : 1;
    kpis.toolCall(call(noon + i * 100, { attempts, result: i < 35 ? 'ok' : i < 38 ? 'error' : 'rejected' }));
  }
  kpis.incident({
    agent: 'refund',
    release: '1.4.0',
    environment: 'production',
    severity: 'sev2',
    timeMs: noon,
  });
  advance(kpis, noon + 10_000);
  const families = published(kpis, noon + 10_000);

  test.each([
    ['plimsoll_kpi_run_success_ratio', 0.6],
    ['plimsoll_kpi_run_success_numerator', 6],
    ['plimsoll_kpi_run_success_denominator', 10],
    ['plimsoll_kpi_run_escalation_ratio', 0.2],
    ['plimsoll_kpi_tool_call_success_ratio', 35 / 38],
    ['plimsoll_kpi_tool_call_success_denominator', 38],
    ['plimsoll_kpi_cost_usd_per_run', 1.29],
    ['plimsoll_kpi_cost_usd_per_success', 2.15],
    ['plimsoll_kpi_outcome_evidence_ratio', 0.9],
    ['plimsoll_kpi_run_failure_ratio', 0.2],
    ['plimsoll_kpi_run_containment_ratio', 0.7],
    ['plimsoll_kpi_run_abandonment_ratio', 0.1],
    ['plimsoll_kpi_run_escalation_by_reason_ratio{reason="approval"}', 0.2],
    ['plimsoll_kpi_run_escalation_by_reason_numerator{reason="approval"}', 2],
    ['plimsoll_kpi_run_escalation_by_reason_ratio{reason="budget"}', 0],
    ['plimsoll_kpi_run_duration_seconds{stat="mean"}', 2],
    ['plimsoll_kpi_incidents_per_run', 0.1],
    ['plimsoll_kpi_cost_by_category_usd_per_run{category="llm"}', 0.08],
    ['plimsoll_kpi_cost_by_category_usd_per_run{category="review"}', 1.2],
    ['plimsoll_kpi_review_cost_usd_per_run', 1.2],
    ['plimsoll_kpi_review_seconds_per_run', 72],
    ['plimsoll_kpi_run_unpriced_ratio', 0],
    ['plimsoll_kpi_run_unattributed_ratio', 0],
    ['plimsoll_kpi_tool_call_attempt_success_ratio', 35 / 43],
    ['plimsoll_kpi_tool_call_retry_ratio', 5 / 38],
    ['plimsoll_kpi_tool_call_duration_seconds{stat="mean"}', 0.1],
  ])('%s is %d', (series, expected) => {
    const [, name = '', label, one = ''] = /^(\w+)(?:\{(\w+)="(\w+)"\})?$/.exec(series) ?? [];
    for (const window of ['5m', '1h']) {
      const labels = label === undefined ? { window } : { window, [label]: one };
      expect(value(families, name, labels)).toBeCloseTo(expected, 10);
    }
  });

  test('counts runs by outcome, escalated runs by reason, and cost by what it was for', () => {
    expect(value(families, 'plimsoll_runs_total', { outcome: 'success', evidence: 'app' })).toBe(6);
    expect(value(families, 'plimsoll_run_escalations_total', { reason: 'approval' })).toBe(2);
    expect(value(families, 'plimsoll_cost_usd_total', { category: 'review' })).toBe(12);
    expect(value(families, 'plimsoll_tool_calls_total', { result: 'rejected' })).toBe(2);
    expect(value(families, 'plimsoll_incidents_opened_total', { severity: 'sev2' })).toBe(1);
    expect(value(families, 'plimsoll_incidents_opened_total', { severity: 'sev1' })).toBe(0);
  });
});

describe('a gauge', () => {
  test('is absent while nothing is in its window, and its denominator says 0', () => {
    const kpis = kpisOf();
    kpis.finished(run(noon));
    advance(kpis, noon);
    advance(kpis, noon + 6 * minute);
    const families = published(kpis, noon + 6 * minute);
    expect(value(families, 'plimsoll_kpi_run_success_ratio', five)).toBeUndefined();
    expect(value(families, 'plimsoll_kpi_run_success_denominator', five)).toBe(0);
    expect(value(families, 'plimsoll_kpi_run_success_ratio', { window: '1h' })).toBe(1);
  });

  test('of cost is absent while no run has a known price, and is not drawn down by one of unknown price', () => {
    const kpis = kpisOf();
    advance(kpis, noon);
    kpis.finished(run(noon, { priced: false, costUsd: { llm: 3, tool: 0, review: 0 } }));
    expect(value(published(kpis, noon), 'plimsoll_kpi_cost_usd_per_run', five)).toBeUndefined();
    kpis.finished(run(noon, { costUsd: { llm: 5, tool: 0, review: 0 } }));
    expect(value(published(kpis, noon), 'plimsoll_kpi_cost_usd_per_run', five)).toBe(5);
  });

  test('of success counts what the policy of the agent calls good, from the moment it does', () => {
    const good = new Map([['strict', new Set<Outcome>(['success'])]]);
    const goodOutcomes = (agent: string) => good.get(agent) ?? new Set<Outcome>(['success', 'completed']);
    const kpis = kpisOf(1, { goodOutcomes });
    for (const agent of ['strict', 'plain'])
      for (const outcome of ['success', 'completed', 'abandoned', 'failure'] as const)
        kpis.finished(run(noon, { agent, outcome, costUsd: { llm: 3, tool: 0, review: 0 } }));
    advance(kpis, noon);
    const shown = (agent: string): (number | undefined)[] =>
      ['plimsoll_kpi_run_success_ratio', 'plimsoll_kpi_cost_usd_per_success'].map((name) =>
        value(published(kpis, noon), name, { ...five, agent }),
      );
    expect(shown('strict')).toEqual([1 / 4, 12]);
    expect(shown('plain')).toEqual([2 / 4, 6]);
    good.set('strict', new Set(['success', 'abandoned', 'completed']));
    expect(shown('strict')).toEqual([3 / 4, 4]);
  });

  test('of runs that nobody says whose they are is one for an environment', () => {
    const kpis = kpisOf();
    for (const agent of ['unknown', 'a', 'b', 'c']) kpis.finished(run(noon, { agent }));
    kpis.finished(run(noon, { release: 'unknown' }));
    kpis.finished(run(noon, { environment: 'staging' }));
    advance(kpis, noon);
    const shown = (environment: string): number | undefined =>
      value(published(kpis, noon), 'plimsoll_kpi_run_unattributed_ratio', { ...five, environment });
    expect([shown('production'), shown('staging')]).toEqual([2 / 5, 0]);
  });

  test('moves with the run that ended, before event time has moved on', () => {
    const kpis = kpisOf(2);
    advance(kpis, noon, 0);
    advance(kpis, noon, 1);
    kpis.finished(run(noon + 30_000));
    expect(value(published(kpis, noon), 'plimsoll_kpi_run_success_denominator', five)).toBe(1);
  });

  test('of duration is within 1 % of the exact quantile', () => {
    const kpis = kpisOf();
    advance(kpis, noon);
    for (let ms = 1; ms <= 1000; ms++) kpis.toolCall(call(noon - ms * 100, { durationMs: ms }));
    const families = published(kpis, noon);
    const p95 =
      value(families, 'plimsoll_kpi_tool_call_duration_seconds', { stat: 'p95', window: '1h' }) ?? 0;
    expect(Math.abs(p95 / 0.95 - 1)).toBeLessThan(0.011);
  });
});

describe('an event', () => {
  test('that comes later than allowed is in no window, but in the counters, and is counted as late', () => {
    const kpis = kpisOf();
    advance(kpis, noon);
    kpis.finished(run(noon - minute, { behindMs: settings.latenessMs + 1 }));
    kpis.finished(run(noon - minute, { behindMs: settings.latenessMs }));
    kpis.toolCall(call(noon - minute, { behindMs: settings.latenessMs + 1 }));
    const families = published(kpis, noon);
    expect(value(families, 'plimsoll_kpi_run_success_denominator', five)).toBe(1);
    expect(value(families, 'plimsoll_runs_total', { outcome: 'completed', evidence: 'none' })).toBe(2);
    expect(value(families, 'plimsoll_tool_calls_total', { result: 'ok' })).toBe(1);
    expect(value(families, 'plimsoll_kpi_late_events_total', { unit: 'run' })).toBe(1);
    expect(value(families, 'plimsoll_kpi_late_events_total', { unit: 'tool_call' })).toBe(1);
  });

  test('that every window has passed is counted as late, too', () => {
    const kpis = kpisOf();
    advance(kpis, noon);
    kpis.finished(run(noon));
    published(kpis, noon);
    kpis.finished(run(noon - 61 * minute));
    expect(value(published(kpis, noon), 'plimsoll_kpi_late_events_total', { unit: 'run' })).toBe(1);
  });

  test('that is in no window is counted as late, although the oldest pane began no longer ago than the window is long', () => {
    const kpis = kpisOf();
    const nowMs = noon + 30_000;
    advance(kpis, nowMs);
    const late = (): (number | undefined)[] =>
      ['run', 'tool_call', 'incident'].map((unit) =>
        value(published(kpis, nowMs), 'plimsoll_kpi_late_events_total', { unit }),
      );
    expect(late()).toEqual([0, 0, 0]);
    const firstMs = noon - 59 * minute;
    const incident = {
      agent: 'refund',
      release: '1.4.0',
      environment: 'production',
      severity: 'sev2',
    } as const;
    for (const timeMs of [firstMs, firstMs - 1]) {
      kpis.finished(run(timeMs));
      kpis.toolCall(call(timeMs));
      kpis.incident({ ...incident, timeMs });
    }
    expect(late()).toEqual([1, 1, 1]);
    const families = published(kpis, nowMs);
    const hour = { window: '1h' };
    expect(value(families, 'plimsoll_kpi_run_success_denominator', hour)).toBe(1);
    expect(value(families, 'plimsoll_kpi_tool_call_success_denominator', hour)).toBe(1);
    expect(value(families, 'plimsoll_kpi_incidents_per_run_numerator', hour)).toBe(1);
  });

  test('that is revised replaces itself, and takes nothing away when no window had it', () => {
    const kpis = kpisOf();
    advance(kpis, noon);
    const before = run(noon - minute);
    const late = run(noon - minute, { behindMs: settings.latenessMs + 1 });
    kpis.finished(before);
    kpis.finished(late);
    const costUsd = { llm: 1, tool: 0, review: 0 };
    kpis.revised(before, { ...before, outcome: 'failure', costUsd, peakUsd: costUsd });
    kpis.revised(late, { ...late, outcome: 'failure' });
    const families = published(kpis, noon);
    for (const window of ['5m', '1h']) {
      expect(value(families, 'plimsoll_kpi_run_success_ratio', { window })).toBe(0);
      expect(value(families, 'plimsoll_kpi_run_success_denominator', { window })).toBe(1);
      expect(value(families, 'plimsoll_kpi_cost_usd_per_run', { window })).toBe(1);
    }
    expect(value(families, 'plimsoll_cost_usd_total', { category: 'llm' })).toBe(1);
  });
});

describe('a counter', () => {
  const dayMs = 24 * 60 * minute;
  const done = { outcome: 'completed', evidence: 'none' };

  test('takes events of long ago, and is exported for as long as any other', () => {
    const kpis = kpisOf();
    kpis.finished(run(0));
    kpis.toolCall(call(noon - 3 * dayMs));
    advance(kpis, noon);
    kpis.finished(run(5000));
    for (const atMs of [noon, noon + dayMs]) {
      advance(kpis, atMs);
      const families = published(kpis, atMs);
      expect(value(families, 'plimsoll_runs_total', done)).toBe(2);
      expect(value(families, 'plimsoll_run_duration_seconds', { le: '+Inf' })).toBe(2);
      expect(value(families, 'plimsoll_tool_calls_total', { result: 'ok' })).toBe(1);
      expect(value(families, 'plimsoll_tool_call_duration_seconds', { le: '+Inf' })).toBe(1);
    }
    advance(kpis, noon + dayMs + 1);
    const families = published(kpis, noon + dayMs + 1);
    expect(value(families, 'plimsoll_runs_total', done)).toBeUndefined();
    expect(value(families, 'plimsoll_tool_calls_total', { result: 'ok' })).toBeUndefined();
  });

  test('of escalations says what the gauge does of runs that say no reason: they are there under other, once', () => {
    const kpis = kpisOf();
    const escalated = run(noon, { outcome: 'escalated', evidence: 'app' });
    const later = run(noon);
    const asked = run(noon, { escalationReason: 'approval' });
    for (const one of [escalated, later, asked, run(noon)]) kpis.finished(one);
    kpis.revised(later, { ...later, outcome: 'escalated', evidence: 'human' });
    kpis.revised(escalated, { ...escalated, escalationReason: 'human_handoff' });
    kpis.revised(asked, { ...asked, outcome: 'escalated', evidence: 'human' });
    advance(kpis, noon);
    const families = published(kpis, noon);
    const counted = (reason: string) => value(families, 'plimsoll_run_escalations_total', { reason });
    expect(['other', 'approval', 'human_handoff'].map(counted)).toEqual([2, 1, 0]);
    expect(value(families, 'plimsoll_kpi_run_escalation_numerator', five)).toBe(3);
  });

  test('that counted a run takes what becomes known of it, also under other labels', () => {
    const kpis = kpisOf();
    advance(kpis, noon);
    const before = run(noon, { agent: 'unknown' });
    const costUsd = { llm: 2, tool: 0, review: 0 };
    kpis.finished(before);
    kpis.revised(before, { ...before, agent: 'refund', costUsd, peakUsd: costUsd });
    const families = published(kpis, noon);
    expect(value(families, 'plimsoll_runs_total', done)).toBe(1);
    expect(value(families, 'plimsoll_cost_usd_total', { agent: 'unknown', category: 'llm' })).toBe(2);
    expect(value(families, 'plimsoll_kpi_cost_usd_per_run', { ...five, agent: 'refund' })).toBe(2);
    expect(value(families, 'plimsoll_kpi_run_success_denominator', { ...five, agent: 'unknown' })).toBe(0);
  });
});

test('a run counted under overflow is revised there, although its own series has room by then', () => {
  const kpis = kpisOf(1, { maxSeries: 5 * widest.runs, expireAfterMs: 100 * minute });
  for (const agent of ['one', 'two']) kpis.finished(run(noon, { agent }));
  advance(kpis, noon);
  const before = run(noon + 90 * minute);
  published(kpis, noon);
  kpis.finished(before);
  advance(kpis, noon + 121 * minute);
  published(kpis, noon + 121 * minute);
  const costUsd = { llm: 3, tool: 0, review: 0 };
  const after = { ...before, outcome: 'failure' as const, costUsd, peakUsd: costUsd };
  kpis.revised(before, after);
  const families = published(kpis, noon + 121 * minute);
  const hour = { window: '1h' };
  expect(value(families, 'plimsoll_kpi_run_failure_denominator', hour)).toBe(1);
  expect(value(families, 'plimsoll_kpi_run_failure_numerator', hour)).toBe(1);
  expect(value(families, 'plimsoll_kpi_cost_usd_per_run', { ...hour, agent: 'overflow' })).toBe(3);
  expect(value(families, 'plimsoll_cost_usd_total', { category: 'llm' })).toBe(3);
  expect(value(families, 'plimsoll_cost_usd_total', { agent: 'overflow', category: 'llm' })).toBe(3);
});

describe('a window', () => {
  test('is slid by the slowest partition, and by the clock once all are idle', () => {
    const kpis = kpisOf(2);
    kpis.finished(run(noon));
    advance(kpis, noon, 0);
    advance(kpis, noon + 20 * minute, 1);
    const denominator = (nowMs: number): number | undefined =>
      value(published(kpis, nowMs), 'plimsoll_kpi_run_success_denominator', five);
    expect(denominator(noon)).toBe(1);
    const idle = (nowMs: number): void => [0, 1].forEach((one) => kpis.watermark.exhaust(one, nowMs));
    idle(noon + 900);
    expect(denominator(noon + 900)).toBe(1);
    idle(noon + 30 * minute);
    expect(denominator(noon + 30 * minute)).toBe(0);
  });

  test('is not complete while one partition is further ahead of another than it is long, for that one finds no pane', () => {
    const kpis = kpisOf(2);
    advance(kpis, noon, 0);
    advance(kpis, noon + 20 * minute, 1);
    for (const partition of [0, 1]) {
      kpis.watermark.cover(partition, Number.NEGATIVE_INFINITY);
      kpis.watermark.catchUp(partition);
    }
    const complete = (window: object): number | undefined =>
      value(published(kpis, noon), 'plimsoll_kpi_window_complete', { ...window });
    kpis.sweep(noon);
    expect(complete(five)).toBe(0);
    expect(complete({ window: '1h' })).toBe(1);
    advance(kpis, noon + 21 * minute, 0);
    kpis.sweep(noon);
    expect(complete(five)).toBe(0);
    advance(kpis, noon + 30 * minute, 0);
    advance(kpis, noon + 30 * minute, 1);
    kpis.sweep(noon);
    expect(complete(five)).toBe(1);
  });

  test('never slides back when a partition begins to read old records', () => {
    const kpis = kpisOf();
    advance(kpis, noon);
    const watermark = (): number | undefined =>
      value(published(kpis, noon), 'plimsoll_kpi_watermark_timestamp_seconds');
    expect(watermark()).toBe(noon / 1000);
    kpis.watermark.claim(1);
    advance(kpis, noon - 30 * minute, 1);
    expect(watermark()).toBe(noon / 1000);
  });

  test('is complete once everything since its beginning has been read', () => {
    const kpis = kpisOf(0);
    const complete = (window: string): number | undefined =>
      value(published(kpis, noon), 'plimsoll_kpi_window_complete', { window });
    kpis.watermark.claim(0);
    kpis.watermark.cover(0, noon - 10 * minute);
    advance(kpis, noon);
    expect(complete('5m')).toBe(0);
    kpis.watermark.catchUp(0);
    expect(complete('5m')).toBe(1);
    expect(complete('1h')).toBe(0);
    advance(kpis, noon + 50 * minute);
    expect(complete('1h')).toBe(1);
  });
});

test('before anything was read the windows are said to be incomplete', () => {
  const kpis = kpisOf(0);
  kpis.watermark.claim(0);
  expect(value(published(kpis, noon), 'plimsoll_kpi_window_complete', five)).toBe(0);
});

test('without ownership nothing is exported but that', () => {
  const kpis = kpisOf();
  kpis.finished(run(noon));
  advance(kpis, noon);
  expect(flat(kpis.families(noon, false))).toEqual(new Map([['plimsoll_kpi_active{}', 0]]));
});

test('however many agents report, no metric has more series than allowed, and totals stay right', () => {
  const maxSeries = 100;
  const kpis = kpisOf(1, { maxSeries });
  advance(kpis, noon);
  for (let i = 0; i < 500; i++) {
    const agent = `agent ${i}`;
    kpis.finished(
      run(noon, { agent, evidence: i % 2 ? 'app' : 'human', outcome: i % 3 ? 'success' : 'failure' }),
    );
    kpis.toolCall(call(noon, { agent }));
  }
  const families = published(kpis, noon);
  for (const { name, samples } of families) {
    if (name.endsWith('_run_duration_seconds')) continue;
    expect(samples.length, name).toBeLessThanOrEqual(maxSeries);
  }
  const counted = families.find(({ name }) => name === 'plimsoll_runs_total')?.samples ?? [];
  expect(counted.reduce((sum, sample) => sum + sample.value, 0)).toBe(500);
  expect(value(families, 'plimsoll_kpi_overflow_events_total', { unit: 'run' })).toBeGreaterThan(400);
  expect(
    value(families, 'plimsoll_kpi_run_failure_denominator', { ...five, agent: 'overflow' }),
  ).toBeGreaterThan(400);
});

/** Of KPIs with room for `labelSets`, after runs of nine releases that all ended as the policy wants: what is told of their overflow. */
function toldOfOverflow(labelSets: number) {
  const kpis = kpisOf(1, {
    maxSeries: labelSets * widest.runs,
    goodOutcomes: (agent, environment) =>
      new Set(agent === 'refund' && environment === 'production' ? ['abandoned'] : ['success']),
  });
  advance(kpis, noon);
  for (let release = 1; release <= 9; release++)
    kpis.finished(run(noon, { outcome: 'abandoned', release: `${release}` }));
  const families = published(kpis, noon);
  const gauges = families
    .filter(({ samples }) =>
      samples.some(({ labels }) =>
        labels.some(([label, text]) => label === 'release' && text === 'overflow'),
      ),
    )
    .map(({ name }) => name)
    .filter((name) => name.startsWith('plimsoll_kpi_'));
  const rest = { ...five, agent: 'refund', release: 'overflow' };
  return { gauges, success: value(families, 'plimsoll_kpi_run_success_ratio', rest) };
}

function isJudged(gauge: string): boolean {
  return /_run_success_|_cost_usd_per_success/.test(gauge);
}

test('what policies judge is told of an overflow where that is of one environment, and else left out', () => {
  const [roomy, crowded] = [toldOfOverflow(6), toldOfOverflow(4)];
  expect(roomy.success).toBe(1);
  expect(crowded.success).toBeUndefined();
  expect(roomy.gauges.filter(isJudged).length).toBeGreaterThan(4);
  expect(crowded.gauges).toEqual(roomy.gauges.filter((name) => !isJudged(name)));
});

test('100,000 hostile names: no metric has more series than allowed, totals are right, and others keep their own', () => {
  const [names, maxSeries] = [100_000, 1000];
  const kpis = kpisOf(1, { maxSeries });
  advance(kpis, noon);
  const before = [run(noon), call(noon)] as const;
  const heapBefore = process.memoryUsage().heapUsed;
  kpis.finished(before[0]);
  kpis.toolCall(before[1]);
  for (let i = 0; i < names; i++) {
    const name = `${'x'.repeat(100)} ${i}\n\u202E`;
    const labels = i % 2 ? { agent: name } : { agent: 'hostile', release: name };
    kpis.finished(
      run(noon, { ...labels, scores: new Map([[name, 1]]), outcome: 'failure', evidence: 'app' }),
    );
    kpis.toolCall(call(noon, { ...labels, tool: name }));
  }
  kpis.finished(run(noon));
  kpis.toolCall(call(noon));
  const families = published(kpis, noon);
  for (const { name, samples } of families) {
    const series = name.endsWith('_run_duration_seconds')
      ? samples.filter(({ suffix }) => suffix === '_count')
      : samples;
    expect(series.length, name).toBeLessThanOrEqual(maxSeries);
  }
  const sumOf = (metric: string, suffix?: string): number =>
    families
      .filter(({ name }) => name === metric)
      .flatMap(({ samples }) => samples.filter((sample) => sample.suffix === suffix))
      .filter((sample) => !sample.labels.some(([name, text]) => name === 'window' && text !== '1h'))
      .reduce((sum, sample) => sum + sample.value, 0);
  expect(sumOf('plimsoll_runs_total')).toBe(names + 2);
  expect(sumOf('plimsoll_run_duration_seconds', '_count')).toBe(names + 2);
  expect(sumOf('plimsoll_tool_calls_total')).toBe(names + 2);
  expect(sumOf('plimsoll_tool_call_duration_seconds', '_count')).toBe(names + 2);
  expect(sumOf('plimsoll_kpi_run_failure_denominator')).toBe(names + 2);
  expect(sumOf('plimsoll_kpi_quality_score_denominator')).toBe(names);
  expect(sumOf('plimsoll_kpi_tool_call_success_denominator')).toBe(names + 2);
  const own = { agent: 'refund', release: '1.4.0', window: '1h' };
  expect(value(families, 'plimsoll_kpi_run_success_ratio', own)).toBe(1);
  expect(value(families, 'plimsoll_kpi_run_success_denominator', own)).toBe(2);
  for (const unit of ['run', 'score', 'tool_call'])
    expect(value(families, 'plimsoll_kpi_overflow_events_total', { unit })).toBeGreaterThan(0.9 * names);
  const ofHostile = { agent: 'hostile', release: 'overflow', window: '1h' };
  expect(value(families, 'plimsoll_kpi_run_failure_ratio', ofHostile)).toBe(1);
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(200e6);
});

test('a release is forgotten when its last run is a window ago, and its room is given back', () => {
  const kpis = kpisOf(1, { maxSeries: 5 * widest.runs, expireAfterMs: 60 * minute });
  const agents = (nowMs: number): readonly (string | undefined)[] => {
    advance(kpis, nowMs);
    const shown = ['plimsoll_kpi_run_failure_denominator', 'plimsoll_runs_total'].flatMap((name) =>
      published(kpis, nowMs)
        .filter((family) => family.name === name)
        .flatMap(({ samples }) => samples.map(({ labels }) => labels[0]?.[1])),
    );
    return [...new Set(shown)];
  };
  advance(kpis, noon);
  for (const agent of ['a', 'b', 'c']) kpis.finished(run(noon, { agent }));
  expect(agents(noon)).toEqual(['a', 'b', 'overflow']);
  expect(agents(noon + 61 * minute)).toEqual(['a', 'b', 'overflow']);
  expect(agents(noon + 62 * minute)).toEqual([]);
  kpis.finished(run(noon + 62 * minute, { agent: 'c' }));
  expect(agents(noon + 62 * minute)).toEqual(['c']);
});

test('a new counter is shown as 0 until a scrape has seen it, with all its outcomes, reasons and results', () => {
  const kpis = kpisOf(1, { zeroForMs: 15_000 });
  advance(kpis, noon);
  kpis.sweep(noon - 1000);
  kpis.finished(run(noon, { outcome: 'success', evidence: 'app', costUsd: { llm: 1, tool: 0, review: 0 } }));
  kpis.toolCall(call(noon));
  const counters = (nowMs: number): readonly (readonly [string, number])[] => {
    const families = published(kpis, nowMs).filter(
      ({ name, kind }) => kind !== 'gauge' && !name.includes('_kpi_'),
    );
    return [...flat(families)];
  };
  const first = counters(noon);
  expect(first.filter(([, shown]) => shown !== 0)).toEqual([]);
  expect(first.filter(([name]) => name.startsWith('plimsoll_runs_total'))).toHaveLength(widest.runs);
  expect(first.filter(([name]) => name.startsWith('plimsoll_run_escalations_total'))).toHaveLength(6);
  expect(first.filter(([name]) => name.startsWith('plimsoll_tool_calls_total'))).toHaveLength(4);
  expect(value(kpis.families(noon, true), 'plimsoll_kpi_run_success_numerator', five)).toBe(1);
  expect(counters(noon + 14_999)).toEqual(first);
  const later = new Map(counters(noon + 15_000));
  expect([...later.keys()]).toEqual(first.map(([name]) => name));
  const labels = 'agent="refund",release="1.4.0",environment="production"';
  expect(later.get(`plimsoll_runs_total{${labels},outcome="success",evidence="app"}`)).toBe(1);
  expect(later.get(`plimsoll_cost_usd_total{${labels},category="llm"}`)).toBe(1);
});

test('a counter and a bucket name the trace of the latest event in them, also after a restart', () => {
  const kpis = kpisOf();
  advance(kpis, noon);
  kpis.finished(run(noon, { traceId: 'a'.repeat(32) }));
  kpis.finished(run(noon + 1, { traceId: 'b'.repeat(32), costUsd: { llm: 0.5, tool: 0, review: 0 } }));
  kpis.finished(run(noon + 2, { traceId: 'c'.repeat(32), startMs: noon - 58_000 }));
  const exemplar = (name: string, labels: Record<string, string>) =>
    published(kpis, noon)
      .filter((family) => family.name === name)
      .flatMap(({ samples }) => samples)
      .filter(({ labels: own }) =>
        Object.entries(labels).every(([key, text]) => own.some(([k, v]) => k === key && v === text)),
      )
      .map((sample) => sample.exemplar)[0];
  const shown = () => [
    exemplar('plimsoll_runs_total', { outcome: 'completed', evidence: 'none' }),
    exemplar('plimsoll_runs_total', { outcome: 'failure' }),
    exemplar('plimsoll_cost_usd_total', { category: 'llm' }),
    exemplar('plimsoll_run_duration_seconds', { le: '2.5' }),
    exemplar('plimsoll_run_duration_seconds', { le: '60' }),
  ];
  const expected = [
    { traceId: 'c'.repeat(32), value: 1, timeMs: noon + 2 },
    undefined,
    { traceId: 'b'.repeat(32), value: 0.5, timeMs: noon + 1 },
    { traceId: 'b'.repeat(32), value: 2, timeMs: noon + 1 },
    { traceId: 'c'.repeat(32), value: 58.002, timeMs: noon + 2 },
  ];
  expect(shown()).toEqual(expected);
  kpis.restore(kpis.save([], noon));
  expect(shown()).toEqual(expected);
});

test('label values that differ only beyond the length limit, or in control characters, share a series', () => {
  const kpis = kpisOf();
  advance(kpis, noon);
  for (const agent of [`${'a'.repeat(128)}b`, `${'a'.repeat(128)}c`, 'x\ny', 'x\u0000y', 'x y']) {
    kpis.finished(run(noon, { agent }));
  }
  const agents = published(kpis, noon)
    .filter(({ name }) => name === 'plimsoll_kpi_cost_usd_per_run')
    .flatMap(({ samples }) => samples.map(({ labels }) => labels[0]?.[1]));
  expect(new Set(agents)).toEqual(new Set(['a'.repeat(128), 'x y']));
  expect(agents).toHaveLength(4);
});

const arbitraryEvent = fc.record({
  agoMs: fc.integer({ min: 0, max: settings.latenessMs }),
  agent: fc.constantFrom('a', 'b'),
  good: fc.boolean(),
  eighths: fc.integer({ min: 0, max: 8 }),
});
type Event = typeof arbitraryEvent extends fc.Arbitrary<infer T> ? T : never;

function count(kpis: Kpis, { agoMs, agent, good, eighths }: Event): void {
  const outcome = good ? 'success' : 'failure';
  kpis.finished(run(noon - agoMs, { agent, outcome, costUsd: { llm: eighths / 8, tool: 0, review: 0 } }));
  kpis.toolCall(call(noon - agoMs, { agent, result: good ? 'ok' : 'error', durationMs: 125 * eighths }));
}

test('property: windows do not depend on the order of events within the lateness', () => {
  fc.assert(
    fc.property(
      fc
        .array(arbitraryEvent, { maxLength: 30 })
        .chain((events) =>
          fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })),
        ),
      ([events, shuffled]) => {
        const [one, other] = [events, shuffled].map((order) => {
          const kpis = kpisOf();
          advance(kpis, noon);
          for (const event of order) count(kpis, event);
          return flat(published(kpis, noon));
        });
        expect(other).toEqual(one);
      },
    ),
    { numRuns: runs },
  );
});

test('property: the panes of a window add up to one big window', () => {
  const paneMs = minute;
  fc.assert(
    fc.property(
      fc.array(fc.record({ agoMs: fc.integer({ min: 0, max: 100 * minute }), good: fc.boolean() }), {
        maxLength: 40,
      }),
      (events) => {
        const kpis = kpisOf();
        const inOrder = events.toSorted((a, b) => b.agoMs - a.agoMs);
        for (const { agoMs, good } of inOrder) {
          kpis.finished(run(noon - agoMs, { outcome: good ? 'success' : 'failure' }));
          advance(kpis, noon - agoMs);
        }
        advance(kpis, noon);
        const first = Math.floor(noon / paneMs) - 59;
        const within = events.filter(({ agoMs }) => Math.floor((noon - agoMs) / paneMs) >= first);
        const families = published(kpis, noon);
        const hour = { window: '1h' };
        expect(value(families, 'plimsoll_kpi_run_success_denominator', hour) ?? 0).toBe(within.length);
        expect(value(families, 'plimsoll_kpi_run_success_numerator', hour) ?? 0).toBe(
          within.filter(({ good }) => good).length,
        );
        const total = [...flat(families)].filter(([name]) => name.startsWith('plimsoll_runs_total'));
        expect(total.reduce((sum, [, counted]) => sum + counted, 0)).toBe(events.length);
      },
    ),
    { numRuns: runs },
  );
});

test('property: a partition with a skewed clock or a replay empties nobody else’s window', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -86_400_000, max: 5000 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 10 }),
      (skewsMs, healthy) => {
        const kpis = kpisOf(2);
        for (let i = 0; i < healthy; i++) {
          kpis.finished(run(noon + i));
          advance(kpis, noon + i, 0);
        }
        for (const skewMs of skewsMs) {
          const atMs = noon + skewMs;
          kpis.finished(run(atMs, { agent: 'skewed' }));
          kpis.watermark.advance(1, atMs, noon, noon);
        }
        const mine = { ...five, agent: 'refund' };
        expect(value(published(kpis, noon), 'plimsoll_kpi_run_success_denominator', mine)).toBe(healthy);
      },
    ),
    { numRuns: runs },
  );
});
