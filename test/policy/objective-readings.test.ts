import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { windowOf } from '../../src/kpi/window.ts';
import { readingsOf, severitiesOf, type ObjectiveReading } from '../../src/policy/objective-readings.ts';
import type { MetricFamily } from '../../src/policy/kpi-figures.ts';
import type { PolicyFile } from '../../src/policy/read-policy.ts';
import { seriesOf } from '../../src/policy/rule.ts';
import { requires } from '../requires.ts';
import { everyObjective, policyFile, rendered, runWith, type Mapping } from './policies.ts';

const promtool = requires('promtool', { version: '--version', from: 'prometheus' });

type Labels = Readonly<Record<string, string>>;

const release = { agent: 'search-agent', release: '7', environment: 'production' };

function family(name: string, ...samples: readonly (readonly [Labels, number])[]): MetricFamily {
  return {
    name: `plimsoll_kpi_${name}`,
    samples: samples.map(([labels, value]) => ({ labels: Object.entries(labels), value })),
  };
}

/** Windows that hold everything of their time. */
const complete = (...windows: readonly string[]): MetricFamily =>
  family('window_complete', ...windows.map((window) => [{ window }, 1] as const));

/** The gauges of a KPI: numerator and denominator by window. */
function gauges(
  kpi: string,
  windows: Readonly<Record<string, readonly [number, number]>>,
  labels: Labels = {},
): readonly MetricFamily[] {
  const samples = (part: 0 | 1) =>
    Object.entries(windows).map(([window, of]) => [{ ...release, window, ...labels }, of[part]] as const);
  return [family(`${kpi}_numerator`, ...samples(0)), family(`${kpi}_denominator`, ...samples(1))];
}

/** A day, as the gauges over one are labelled. */
const day = windowOf(24 * 3_600_000).label;

const withObjectives = (objectives: Mapping): PolicyFile =>
  policyFile({ objectives: { run_success: null, ...objectives } });

const windowed = { window: '1h', min_events: 20, severity: 'sev3' };
const containment = withObjectives({ run_containment: { at_least: 0.7, ...windowed } });

const containing = (labels: Labels) => gauges('run_containment', { '1h': [0, 20] }, labels);

const calling = (tool: string, ok: number) =>
  gauges('tool_call_success', { '1h': [ok, 100], '5m': [ok, 100] }, { tool });

/** Calls of a tool of which only the p95 is `seconds`. */
const lasting = (tool: string, seconds: number, calls: number) => [
  ...gauges('tool_call_duration', { '1h': [0, calls] }, { tool }),
  family(
    'tool_call_duration_seconds',
    [{ ...release, tool, window: '1h', stat: 'p50' }, 100],
    [{ ...release, tool, window: '1h', stat: 'p95' }, seconds],
  ),
];

/** What is said of an objective on `stat` of what runs take, of which tools are slow, too. */
const slowRuns = (stat: string) =>
  readingsOf(
    [withObjectives({ run_duration: { stat, at_most: 60, ...windowed } })],
    [
      complete('1h'),
      ...gauges('run_duration', { '1h': [1000, 20] }),
      family(
        'run_duration_seconds',
        [{ ...release, window: '1h', stat: 'mean' }, 50],
        [{ ...release, window: '1h', stat: 'p95' }, 90.25],
      ),
      ...lasting('pay', 999, 20),
    ],
  );

const brief = (readings: readonly ObjectiveReading[]) =>
  readings.map(({ part, severity, violation }) => [part || severity, violation]);

describe('an objective on a rolling window', () => {
  const judge = (numerator: number, denominator: number, windows = complete('1h')) =>
    readingsOf([containment], [windows, ...gauges('run_containment', { '1h': [numerator, denominator] })]);

  test('is not met below its limit, which is said as its alert says it', () => {
    expect(judge(13, 20)).toEqual([
      {
        ...release,
        policy: 'search-agent',
        revision: containment.revision,
        kpi: 'run_containment',
        part: '',
        severity: 'sev3',
        owner: 'team-search',
        title: 'RunContainmentBelowLimit',
        holdMs: 300_000,
        violation: 'search-agent 7 in production: 65%; run_containment must be at least 70 % over 1h.',
      },
    ]);
  });

  test('is met at its limit', () => {
    expect(judge(14, 20)).toMatchObject([{ violation: undefined }]);
  });

  test.each([
    ['there are too few events', judge(0, 19)],
    ['the window lacks some', judge(0, 100, family('window_complete', [{ window: '1h' }, 0]))],
    ['nobody computes the window', judge(0, 100, complete('5m'))],
    ['nothing happened', judge(0, 0)],
  ])('says nothing where %s', (_, readings) => {
    expect(readings).toEqual([]);
  });

  test('is judged of each release that the policy claims, and of no other', () => {
    const others = [
      { release: '8' },
      { environment: 'staging' },
      { environment: 'drill:production' },
      { agent: 'refund-agent' },
    ];
    const readings = readingsOf(
      [containment],
      [complete('1h'), ...containing({}), ...others.flatMap(containing)],
    );
    expect(readings.map((each) => each.release)).toEqual(['7', '8']);
  });

  test('on cost is one on the mean', () => {
    const policy = withObjectives({ cost_usd_per_run: { at_most: 0.05, ...windowed } });
    const cost = (usd: number) =>
      readingsOf([policy], [complete('1h'), ...gauges('cost_usd_per_run', { '1h': [usd, 20] })]);
    expect(brief(cost(1))).toEqual([['sev3', undefined]]);
    expect(brief(cost(1.2))).toEqual([
      [
        'sev3',
        'search-agent 7 in production: 0.0600 USD; cost_usd_per_run must be at most 0.05 USD over 1h.',
      ],
    ]);
  });

  test('on a quality score is one on that of its evaluator', () => {
    const policy = withObjectives({ quality_score: { evaluator: 'helpful', at_least: 0.8, ...windowed } });
    const readings = readingsOf(
      [policy],
      [
        complete('1h'),
        ...gauges('quality_score', { '1h': [15, 20] }, { evaluator: 'helpful' }),
        ...gauges('quality_score', { '1h': [20, 20] }, { evaluator: 'correct' }),
      ],
    );
    expect(readings.map(({ violation }) => violation)).toEqual([
      'search-agent 7 in production: 75%; quality_score (helpful) must be at least 80 % over 1h.',
    ]);
  });

  test('on the duration of runs is one on what its stat says, of runs alone', () => {
    expect(slowRuns('mean')).toMatchObject([{ part: '', violation: undefined }]);
    expect(slowRuns('p95')).toMatchObject([
      {
        part: '',
        violation: 'search-agent 7 in production: 90.25 s; run_duration (p95) must be at most 60 s over 1h.',
      },
    ]);
  });

  test('on incidents is one on how many opened for each run', () => {
    const policy = withObjectives({ incidents_per_run: { at_most: 0.05, ...windowed } });
    const after = (incidents: number) =>
      readingsOf([policy], [complete('1h'), ...gauges('incidents_per_run', { '1h': [incidents, 20] })]);
    expect(brief(after(1))).toEqual([['sev3', undefined]]);
    expect(brief(after(2))).toEqual([
      [
        'sev3',
        'search-agent 7 in production: 0.1000 incidents a run; incidents_per_run must be at most 0.05 over 1h.',
      ],
    ]);
  });

  test('on durations is one on each tool', () => {
    const policy = withObjectives({ tool_call_duration: { stat: 'p95', at_most: 2, ...windowed } });
    const readings = readingsOf(
      [policy],
      [complete('1h'), ...lasting('pay', 2.5, 20), ...lasting('search', 2, 20), ...lasting('rare', 9, 19)],
    );
    expect(brief(readings)).toEqual([
      [
        'pay',
        'search-agent 7 in production, tool pay: 2.50 s; tool_call_duration (p95) must be at most 2 s over 1h.',
      ],
      ['search', undefined],
    ]);
  });
});

describe('an error budget', () => {
  // 90 % over 30d: more than 30 % bad over 1h and 5m is sev2
  const policy = policyFile();
  const judge = (
    hour: readonly [number, number],
    minutes: readonly [number, number],
    windows = complete('5m', '1h'),
  ) => brief(readingsOf([policy], [windows, ...gauges('run_success', { '1h': hour, '5m': minutes })]));

  test('is spent too fast where both windows of a burn rate say so', () => {
    expect(judge([60, 100], [6, 10])).toEqual([
      [
        'sev2',
        'search-agent 7 in production: 40% of runs ended badly; run_success must be at least 90 % over 30d.',
      ],
    ]);
    expect(readingsOf([policy], [])).toEqual([]);
  });

  test.each([
    ['the long one does not', judge([70, 100], [0, 10])],
    ['the short one does not any more', judge([0, 100], [7, 10])],
  ])('is not where %s', (_, readings) => {
    expect(readings).toEqual([['sev2', undefined]]);
  });

  test.each([
    ['there are too few events in the long window', judge([0, 49], [0, 10])],
    ['there are none in the short one, and the long one is bad', judge([0, 100], [0, 0])],
    ['one of the windows lacks some', judge([0, 100], [0, 10], complete('1h'))],
  ])('says nothing where %s', (_, readings) => {
    expect(readings).toEqual([]);
  });

  test('has a reading of each severity whose windows there are', () => {
    const of = { '1h': [100, 100], '5m': [10, 10], [day]: [700, 1000], '2h': [70, 100] } as const;
    const readings = readingsOf([policy], [complete('5m', '1h', '2h', day), ...gauges('run_success', of)]);
    expect(brief(readings)).toEqual([
      ['sev2', undefined],
      [
        'sev3',
        'search-agent 7 in production: 30% of runs ended badly; run_success must be at least 90 % over 30d.',
      ],
    ]);
  });

  test('is judged by the windows of its burn rates, however the policy writes them', () => {
    const rate = { factor: 3, long_window: '60m', short_window: '300s', severity: 'sev2' };
    const written = policyFile({ objectives: { run_success: { burn_rates: [rate], slow_severity: null } } });
    const of = { '1h': [60, 100], '5m': [6, 10] } as const;
    expect(readingsOf([written], [complete('5m', '1h'), ...gauges('run_success', of)])).toMatchObject([
      { severity: 'sev2', violation: expect.stringContaining('40% of runs ended badly') },
    ]);
  });

  test('on tool calls is one of all tools together', () => {
    const calls = withObjectives({
      tool_call_success: { ...everyObjective['tool_call_success'], at_least: 0.9 },
    });
    const readings = readingsOf(
      [calls],
      [complete('5m', '1h'), ...calling('pay', 0), ...calling('search', 90)],
    );
    expect(readings[0]?.violation).toContain('55% of tool calls failed');
  });

  test('that allows so many is judged by those', () => {
    const escalation = withObjectives({
      run_escalation: { at_most: 0.2, period: '30d', min_events: 10, severity: 'sev4' },
    });
    const judged = (bad: number) =>
      readingsOf(
        [
          policyFile({
            ...escalation.policy,
            severities: { sev4: { page: false, acknowledge_within: '1d' } },
          }),
        ],
        [complete('5m', '1h'), ...gauges('run_escalation', { '1h': [bad, 100], '5m': [bad, 100] })],
      );
    expect(judged(20)).toMatchObject([{ violation: undefined }]);
    expect(judged(60)).toMatchObject([{ title: 'RunEscalationSpendsBudget', severity: 'sev4' }]);
    expect(judged(60)[0]?.violation).toContain('60% of runs passed control to a human');
  });
});

describe('what policies judge', () => {
  const of = { policy: 'search-agent', kpi: 'run_success', agent: 'search-agent', environment: 'production' };

  test('is judged with the severities of its alerts, the gravest first', () => {
    const judged = severitiesOf([containment, policyFile({ metadata: { name: 'other' } })]);
    expect(judged({ ...of, kpi: 'run_containment' })).toEqual(['sev3']);
    expect(judged({ ...of, policy: 'other' })).toEqual(['sev2', 'sev3']);
  });

  test('are the severities of all that can be read', () => {
    const files = [withObjectives(everyObjective)];
    for (const [kpi, objective] of Object.entries(everyObjective))
      expect(severitiesOf(files)({ ...of, kpi })).toEqual(
        'period' in objective ? ['sev2', 'sev3'] : ['sev3'],
      );
  });

  test.each([
    ['deleted', []],
    ['without the objective', [containment]],
    ['of other agents', [policyFile({ scope: { agents: ['search-agent-*'] } })]],
    ['of other environments', [policyFile({ scope: { environments: ['staging'] } })]],
  ])('is not judged any more when the policy is %s', (_, files) => {
    expect(severitiesOf([policyFile()])(of)).toEqual(['sev2', 'sev3']);
    expect(severitiesOf(files)(of)).toEqual([]);
  });

  test('has another severity when the policy is edited', () => {
    const edited = policyFile({ objectives: { run_success: { severity: 'sev3', slow_severity: null } } });
    expect(severitiesOf([edited])(of)).toEqual(['sev3']);
  });
});

/** Gauges near what the objectives ask for, of two releases and two tools. */
const windowedKpis = Object.entries(everyObjective).filter(([, objective]) => 'window' in objective);
const windowedPolicy = withObjectives(Object.fromEntries(windowedKpis));

const someGauges = fc
  .record({
    isComplete: fc.constantFrom(true, true, true, false),
    figures: fc.array(
      fc.record({
        kpi: fc.constantFrom(...windowedKpis),
        release: fc.constantFrom('7', '8'),
        tool: fc.constantFrom('pay', 'search'),
        events: fc.constantFrom(0, 10, 19, 20, 100),
        nearness: fc.constantFrom(0.5, 0.99, 1, 1.01, 2),
      }),
      { minLength: 4, maxLength: 12 },
    ),
  })
  .map(({ isComplete, figures }): readonly MetricFamily[] => [
    family('window_complete', [{ window: '1h' }, Number(isComplete)]),
    ...new Map(
      figures.flatMap(({ kpi: [kpi, objective], tool, events, nearness, ...of }) => {
        const bound = Number(objective['at_least'] ?? objective['at_most']);
        const labels = { ...release, ...of, window: '1h' };
        const own = kpi.startsWith('tool')
          ? { ...labels, tool }
          : 'evaluator' in objective
            ? { ...labels, evaluator: String(objective['evaluator']) }
            : labels;
        const parts: readonly (readonly [string, Labels, number])[] = [
          [`${kpi}_numerator`, own, events * bound * nearness],
          [`${kpi}_denominator`, own, events],
          ...('stat' in objective && events > 0
            ? [[`${kpi}_seconds`, { ...own, stat: 'p95' }, bound * nearness] as const]
            : []),
        ];
        return parts.map(([name, at, value]) => [seriesOf(name, at), family(name, [at, value])] as const);
      }),
    ).values(),
  ]);

test.skipIf(promtool)(
  'property: alerts on rolling windows fire where readings say that an objective is not met',
  () => {
    const cases = fc.sample(someGauges, 100);
    const fired = cases.map((families) =>
      readingsOf([windowedPolicy], families).filter(({ violation }) => violation !== undefined),
    );
    expect(fired.flat().length).toBeGreaterThan(20);
    const files = new Map(rendered(windowedPolicy));
    const rules = 'search-agent.rules.yaml';
    const tests = cases.map((families, i) => ({
      interval: '1m',
      input_series: families.flatMap(({ name, samples }) =>
        samples.map(({ labels, value }) => ({
          series: seriesOf(name, Object.fromEntries(labels)),
          values: `${value}x10`,
        })),
      ),
      promql_expr_test: [
        {
          expr: 'count by (alertname, release, tool) (ALERTS{alertstate="firing"})',
          eval_time: '8m',
          exp_samples: fired[i]!.map((reading) => ({
            labels: seriesOf('', {
              alertname: reading.title,
              release: reading.release,
              ...(reading.part === '' ? {} : { tool: reading.part }),
            }),
            value: 1,
          })),
        },
      ],
    }));
    files.set('readings.test.yaml', stringify({ rule_files: [rules], evaluation_interval: '1m', tests }));
    expect(runWith(files, 'promtool', 'test', 'rules', 'readings.test.yaml')).toMatchObject({ status: 0 });
  },
);
