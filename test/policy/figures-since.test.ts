import { expect, test } from 'vitest';
import * as fc from 'fast-check';
import { FiguresSince, lookbackMs } from '../../src/policy/figures-since.ts';
import type { MetricFamily } from '../../src/policy/kpi-figures.ts';

const minuteMs = 60_000;
const noon = Date.UTC(2026, 10, 26, 12);
const windows = [
  { label: '5m', ms: 5 * minuteMs },
  { label: '1h', ms: 60 * minuteMs },
];
const period = { period: '30d', min_events: 20, severity: 'sev2' } as const;
const success = { kpi: 'run_success', objective: { at_least: 0.9, ...period } } as const;
const v1 = { agent: 'refund', release: 'v1', environment: 'production' };

const of = (window: string, value: number) => ({ labels: Object.entries({ ...v1, window }), value });

/** Gauges of v1 over 5m and 1h, at a watermark. */
function gauges(watermarkMs: number, good: number, all: number, isComplete = 1): readonly MetricFamily[] {
  return [
    {
      name: 'plimsoll_kpi_watermark_timestamp_seconds',
      samples: [{ labels: [], value: watermarkMs / 1000 }],
    },
    {
      name: 'plimsoll_kpi_window_complete',
      samples: windows.map(({ label }) => ({ labels: [['window', label]], value: isComplete })),
    },
    { name: 'plimsoll_kpi_run_success_numerator', samples: [of('5m', good), of('1h', 1)] },
    { name: 'plimsoll_kpi_run_success_denominator', samples: [of('5m', all), of('1h', 1000)] },
  ];
}

test('nothing is known until a whole window lies after the moment', () => {
  const figures = new FiguresSince(windows);
  expect(figures.of(success, v1, noon, gauges(noon + 4 * minuteMs, 10, 10))).toBeUndefined();
  expect(figures.of(success, v1, noon, gauges(noon + 5 * minuteMs, 9, 10))).toEqual({
    meets: true,
    events: 10,
  });
});

test('the lookback is long enough for the shortest window, however long that is and however late data come', () => {
  const minutes = fc.integer({ min: 1, max: 1500 });
  fc.assert(
    fc.property(
      fc.array(minutes, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 0, max: 60 }),
      (all, late) => {
        const lengths = all.map((each) => each * minuteMs);
        const figures = new FiguresSince(lengths.map((ms) => ({ label: `${ms}`, ms })));
        const complete = lengths.map((ms) => ({ labels: [['window', `${ms}`] as const], value: 1 }));
        const families = [
          ...gauges(noon - late * minuteMs - Math.min(...lengths) / 60, 1, 1).slice(0, 1),
          { name: 'plimsoll_kpi_window_complete', samples: complete },
        ];
        expect(figures.of(success, v1, noon - lookbackMs(lengths, late * minuteMs), families)).toBeDefined();
      },
    ),
  );
});

test('windows that follow each other add up, and no event counts twice', () => {
  const figures = new FiguresSince(windows);
  const at = (minutes: number, good: number, all: number) =>
    figures.of(success, v1, noon, gauges(noon + minutes * minuteMs, good, all));
  expect(at(5, 10, 10)).toEqual({ meets: true, events: 10 });
  for (const minutes of [5, 6, 7, 9.9]) expect(at(minutes, 10, 10)).toEqual({ meets: true, events: 10 });
  expect(at(10, 6, 10)).toEqual({ meets: false, events: 20 });
  expect(at(15, 20, 20)).toEqual({ meets: true, events: 40 });
});

test('a window that is not complete says nothing, for it may hide what it does not have', () => {
  const figures = new FiguresSince(windows);
  expect(figures.of(success, v1, noon, gauges(noon + 6 * minuteMs, 10, 10, 0))).toBeUndefined();
});

test('a release of which there is nothing has no events and meets nothing', () => {
  const figures = new FiguresSince(windows);
  const none = { ...v1, release: 'v9' };
  expect(figures.of(success, none, noon, gauges(noon + 6 * minuteMs, 10, 10))).toEqual({
    meets: false,
    events: 0,
  });
});

test('costs are to stay below', () => {
  const figures = new FiguresSince(windows);
  const cost = { at_most: 0.5, window: '1h', min_events: 1, severity: 'sev3' } as const;
  const families = gauges(noon + 6 * minuteMs, 4, 10).map(({ name, samples }) => ({
    name: name.replace('run_success', 'cost_usd_per_run'),
    samples,
  }));
  const costs = (limitUsd: number) =>
    figures.of(
      { kpi: 'cost_usd_per_run', objective: { ...cost, at_most: limitUsd } },
      v1,
      noon + limitUsd,
      families,
    );
  expect(costs(0.5)).toEqual({ meets: true, events: 10 });
  expect(costs(0.3)).toEqual({ meets: false, events: 10 });
});

test('durations add up where the objective is on their mean, and quantiles never', () => {
  const figures = new FiguresSince(windows);
  const families = gauges(noon + 6 * minuteMs, 400, 10).map(({ name, samples }) => ({
    name: name.replace('run_success', 'run_duration'),
    samples,
  }));
  const lasting = (stat: 'mean' | 'p95', seconds: number) => {
    const objective = { stat, at_most: seconds, window: '1h', min_events: 1, severity: 'sev3' } as const;
    return figures.of({ kpi: 'run_duration', objective }, v1, noon + seconds, families);
  };
  expect(lasting('mean', 40)).toEqual({ meets: true, events: 10 });
  expect(lasting('mean', 39)).toEqual({ meets: false, events: 10 });
  expect(lasting('p95', 41)).toBeUndefined();
});
