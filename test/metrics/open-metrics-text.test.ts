import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Telemetry } from '../../src/core/telemetry.ts';
import type { Family } from '../../src/kpi/family.ts';
import { openMetricsText } from '../../src/metrics/open-metrics-text.ts';
import { ProcessMeter } from '../../src/metrics/process-families.ts';
import { registryFamilies } from '../../src/metrics/registry-families.ts';
import { runs } from '../property-runs.ts';
import { anyFamilies } from './arbitrary-families.ts';
import { someKpis } from './some-kpis.ts';

const exemplar = { traceId: '0af7651916cd43dd8448eb211c80319c', value: 0.67, timeMs: 1_795_000_000_123 };

test('a document reads like this', () => {
  const families: readonly Family[] = [
    {
      name: 'plimsoll_cost_usd_total',
      help: 'What "it" cost.',
      kind: 'counter',
      samples: [{ labels: [['agent', 'a"b']], value: 1.25, exemplar }],
    },
    { name: 'plimsoll_empty', help: 'No series.', kind: 'gauge', samples: [] },
    {
      name: 'plimsoll_kpi_run_success_ratio',
      help: 'Share.',
      kind: 'gauge',
      samples: [{ labels: [], value: 1, exemplar }],
    },
    {
      name: 'plimsoll_run_duration_seconds',
      help: 'Time.',
      kind: 'histogram',
      samples: [
        { suffix: '_bucket', labels: [['le', '0.5']], value: 0 },
        { suffix: '_bucket', labels: [['le', '1']], value: 1, exemplar },
        { suffix: '_bucket', labels: [['le', '+Inf']], value: 1 },
        { suffix: '_sum', labels: [], value: 0.67, exemplar },
        { suffix: '_count', labels: [], value: 1 },
      ],
    },
  ];
  expect(openMetricsText(families)).toBe(
    [
      '# TYPE plimsoll_cost_usd counter',
      '# UNIT plimsoll_cost_usd usd',
      String.raw`# HELP plimsoll_cost_usd What \"it\" cost.`,
      String.raw`plimsoll_cost_usd_total{agent="a\"b"} 1.25 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 0.67 1795000000.123`,
      '# TYPE plimsoll_kpi_run_success_ratio gauge',
      '# UNIT plimsoll_kpi_run_success_ratio ratio',
      '# HELP plimsoll_kpi_run_success_ratio Share.',
      'plimsoll_kpi_run_success_ratio 1',
      '# TYPE plimsoll_run_duration_seconds histogram',
      '# UNIT plimsoll_run_duration_seconds seconds',
      '# HELP plimsoll_run_duration_seconds Time.',
      'plimsoll_run_duration_seconds_bucket{le="0.5"} 0',
      'plimsoll_run_duration_seconds_bucket{le="1.0"} 1 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 0.67 1795000000.123',
      'plimsoll_run_duration_seconds_bucket{le="+Inf"} 1',
      'plimsoll_run_duration_seconds_sum 0.67',
      'plimsoll_run_duration_seconds_count 1',
      '# EOF',
      '',
    ].join('\n'),
  );
});

test('nothing to show is a document, too', () => {
  expect(openMetricsText([])).toBe('# EOF\n');
});

/** The line of a counter with an exemplar whose trace id has so many digits. */
function lineWith(digits: number): string | undefined {
  const sample = { labels: [], value: 1, exemplar: { ...exemplar, traceId: 'f'.repeat(digits) } };
  return openMetricsText([{ name: 'a_total', help: 'h', kind: 'counter', samples: [sample] }]).split('\n')[2];
}

test('an exemplar too long for one is left out, and its value stands', () => {
  expect(lineWith(120)).toContain(`# {trace_id="${'f'.repeat(120)}"}`);
  expect(lineWith(121)).toBe('a_total 1');
});

/** All that one family takes: its own name and those of its samples. */
function namesOf({ name, kind }: Family): readonly string[] {
  const family = kind === 'counter' ? name.replace(/_total$/, '') : name;
  const suffixes = {
    counter: ['_total', '_created'],
    gauge: [],
    histogram: ['_bucket', '_sum', '_count', '_created'],
  };
  return [family, ...suffixes[kind].map((suffix) => family + suffix)];
}

test('no two families of /metrics take the same name, and every counter is called one', async () => {
  const telemetry = new Telemetry();
  const families = [
    ...someKpis(),
    ...new ProcessMeter().families(),
    ...(await registryFamilies(telemetry.registry)),
  ];
  expect(families.length).toBeGreaterThan(80);
  const names = families.flatMap(namesOf);
  expect(names.filter((name, n) => names.indexOf(name) !== n)).toEqual([]);
  for (const { name, kind } of families) expect(name.endsWith('_total')).toBe(kind === 'counter');
});

test('property: each series is one line after the type of its family, families do not mix, and the end is told once', () => {
  fc.assert(
    fc.property(anyFamilies, (families) => {
      const text = openMetricsText(families);
      const lines = text.split('\n');
      expect(lines.splice(-2)).toEqual(['# EOF', '']);
      const shown = families.filter(({ samples }) => samples.length > 0);
      const types = lines
        .filter((line) => line.startsWith('# TYPE '))
        .map((line) => line.split(' ')[2] ?? '');
      expect(types).toEqual(shown.map((family) => namesOf(family)[0]));
      for (const family of shown) {
        const [name = '', ...rest] = namesOf(family);
        const from = lines.indexOf(`# TYPE ${name} ${family.kind}`);
        const end = lines.findIndex((line, n) => n > from && line.startsWith('# TYPE '));
        const samples = lines
          .slice(from + 1, end === -1 ? undefined : end)
          .filter((line) => !line.startsWith('# '));
        expect(samples).toHaveLength(family.samples.length);
        for (const line of samples) {
          expect(family.kind === 'gauge' ? [name] : rest).toContain(/^\w+/.exec(line)?.[0]);
          const isExemplary = family.kind === 'counter' || line.startsWith(`${name}_bucket`);
          expect(isExemplary || !/ # \{/.test(line.replace(/\{.*\}/, ''))).toBe(true);
        }
      }
    }),
    { numRuns: runs },
  );
});
