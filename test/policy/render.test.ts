import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import { readPolicy, type PolicyFile } from '../../src/policy/read-policy.ts';
import { requires } from '../requires.ts';
import { exportedFamilies } from './exported-families.ts';
import {
  canary,
  everyObjective,
  plain,
  policyFile,
  rendered,
  rollback,
  runWith,
  type Mapping,
} from './policies.ts';

const promtool = requires('promtool', { version: '--version', from: 'prometheus' });
const amtool = requires('amtool', { version: '--version', from: 'prometheus-alertmanager' });

function shipped(): PolicyFile {
  const text = readFileSync(new URL('../../config/policies/refund-agent.yaml', import.meta.url), 'utf8');
  const result = readPolicy('config/policies/refund-agent.yaml', text);
  if ('read' in result) return result.read;
  throw new Error(JSON.stringify(result.findings));
}

/** A policy with an objective on every KPI, and names that need care. */
const every = policyFile(
  {
    metadata: {
      owner: 'search@example.com',
      on_call: 'pd:P+X/1',
      runbook_url: 'https://runbooks.example.com/search',
    },
    scope: { agents: ['search.agent (v2)*', 'a"b\\c'], environments: ['prod*', 'eu'] },
    objectives: everyObjective,
  },
  'search.yaml',
);

const rate = { long_window: '30m', short_window: '5m', severity: 'sev2' };

/** Burn rates of its own, and objectives at the edge. */
const edges = policyFile({
  objectives: {
    run_success: {
      burn_rates: [
        { factor: 2.5, ...rate },
        { factor: 1.5, ...rate, severity: 'sev3' },
      ],
    },
    run_escalation: { ...everyObjective['run_escalation'], at_most: 0.99 },
    tool_call_success: { ...everyObjective['tool_call_success'], at_least: 0.9999, min_events: 1 },
  },
});

/** A file of promtool's tests with those alone that are of `subject`, and that of a healthy pipeline. */
function testsOf(text: string | undefined, subject: string): string {
  const { tests, ...rest } = z
    .looseObject({ tests: z.array(z.looseObject({ name: z.string() })) })
    .parse(parse(text ?? ''));
  const own = tests.filter(({ name }) => name.startsWith(subject) || name === 'none fires while all is well');
  expect(own.length).toBeGreaterThan(1);
  return stringify({ ...rest, tests: own });
}

/**
 * What promtool says of the rules `group` of `files` where `what` is replaced by `instead`, by the tests that are rendered
 * of `subject`.
 */
function tested(
  files: ReadonlyMap<string, string>,
  {
    group,
    subject,
    what,
    instead,
  }: Readonly<Record<'group' | 'subject' | 'instead', string>> & { what: RegExp },
) {
  const [rules, tests] = [`${group}.rules.yaml`, `${group}.rules.test.yaml`];
  const right = files.get(rules) ?? '';
  const wrong = right.replaceAll(what, instead);
  expect(wrong).not.toBe(right);
  return runWith(
    new Map([
      [rules, wrong],
      [tests, testsOf(files.get(tests), subject)],
    ]),
    'promtool',
    'test',
    'rules',
    tests,
  );
}

/** The annotations of the alerts in a file of rules. */
function annotationsOf(rules: string): readonly string[] {
  const { groups } = z
    .object({
      groups: z.array(
        z.object({
          rules: z.array(z.object({ annotations: z.record(z.string(), z.string()).optional() })),
        }),
      ),
    })
    .parse(parse(rules));
  return groups.flatMap((group) => group.rules.flatMap(({ annotations = {} }) => Object.values(annotations)));
}

/** Burn rates over windows that are all longer than the tests of them. */
const long = policyFile({
  objectives: {
    run_success: {
      min_events: 1000,
      burn_rates: [{ factor: 2, long_window: '6h', short_window: '30m', severity: 'sev2' }],
    },
  },
});

test.each([...rendered(shipped()).keys()])('%s of the shipped policy reads like this', async (name) => {
  await expect(rendered(shipped()).get(name)).toMatchFileSnapshot(`../golden/policy/${name}.txt`);
});

describe.skipIf(promtool)('promtool', () => {
  test.each([
    ['the shipped policy', shipped()],
    ['a policy with an objective on every KPI', every],
    ['a policy with burn rates of its own', edges],
    ['a policy with one burn rate over hours', long],
  ])('takes the rules of %s, and its own tests of them pass', (_, file) => {
    const files = rendered(file);
    const { name } = file.policy.metadata;
    const check = runWith(files, 'promtool', 'check', 'rules', `${name}.rules.yaml`);
    expect(check).toMatchObject({ status: 0, said: expect.stringMatching(/SUCCESS: \d+ rules found/) });
    expect(runWith(files, 'promtool', 'test', 'rules', `${name}.rules.test.yaml`)).toMatchObject({
      status: 0,
    });
  });

  test('takes the rules of the pipeline itself: each fires when it should, and none while all is well', () => {
    const files = rendered(every);
    expect(runWith(files, 'promtool', 'check', 'rules', 'plimsoll-pipeline.rules.yaml')).toMatchObject({
      status: 0,
    });
    expect(runWith(files, 'promtool', 'test', 'rules', 'plimsoll-pipeline.rules.test.yaml')).toMatchObject({
      status: 0,
    });
  });

  test.each([
    ['refused spans', /rate\(plimsoll_receiver_refused_spans_total\[5m\]\)/g],
    ['refused log records', /rate\(plimsoll_receiver_refused_log_records_total\[5m\]\)/g],
  ])('its tests of the pipeline see that %s alert nobody', (_, what) => {
    const subject = 'PlimsollSpansRefused';
    expect(
      tested(rendered(every), { group: 'plimsoll-pipeline', subject, what, instead: 'vector(0)' }),
    ).toMatchObject({ status: 1, said: expect.stringContaining(subject) });
  });

  const small = policyFile({
    objectives: {
      run_escalation: { ...everyObjective['run_escalation'], at_most: 0.1 },
      cost_usd_per_run: everyObjective['cost_usd_per_run'],
      quality_score: everyObjective['quality_score'],
    },
  });

  /** What becomes of the rendered tests when somebody gets the rules wrong. */
  const [escalation, cost, quality, success] = [
    'run_escalation',
    'cost_usd_per_run',
    'quality_score',
    'run_success',
  ];
  const faults: readonly (readonly [string, string, RegExp, string])[] = [
    [
      'the factors that everybody uses, at an objective of 90 %',
      escalation,
      /> (?:3|2) \* 0\.1/g,
      '> 14.4 * 0.1',
    ],
    ['any speed is too fast', escalation, /> [\d.]+ \* 0\.1/g, '> 0 * 0.1'],
    ['a few events are enough', cost, />= (?:50|200|20)$/gm, '>= 0'],
    ['a window that is not complete', quality, /\n *and on \(\).*/g, ''],
    ['good runs count as bad', success, /outcome=~"failure[^"]*"/g, 'outcome=~".*"'],
    ['the average of gauges', escalation, /increase\(plimsoll_runs_total\{[^}]*\}\[\w+\]\)/g, 'vector(1)'],
    ['the scores of every evaluator', quality, /,evaluator="[^}]*"/g, ''],
    ['another severity', escalation, /severity: sev2/g, 'severity: sev4'],
    ['a limit ten times as high', cost, /> 0\.05$/gm, '> 0.5'],
  ];

  test.each(faults)('its tests of a policy see this fault: %s (%s)', (_, subject, what, instead) => {
    expect(tested(rendered(small), { group: 'search-agent', subject, what, instead })).toMatchObject({
      status: 1,
      said: expect.stringContaining('FAILED'),
    });
  });

  /** Without an error budget, over whose month promtool would be long. */
  const released = policyFile({
    scope: { environments: ['production', 'eu-*'] },
    objectives: { cost_usd_per_run: everyObjective['cost_usd_per_run'] },
    gates: { canary },
    rollback,
    drill: { every: '90d', scenario: 'tools-fail' },
  });

  test('takes the rules on canaries and drills, and its own tests of them pass', () => {
    const files = rendered(released);
    expect(runWith(files, 'promtool', 'check', 'rules', 'search-agent.rules.yaml')).toMatchObject({
      status: 0,
    });
    expect(runWith(files, 'promtool', 'test', 'rules', 'search-agent.rules.test.yaml')).toMatchObject({
      status: 0,
    });
  });

  const releaseFaults: readonly (readonly [string, string, RegExp, string])[] = [
    ['ReleaseFails', 'another action', /action="rollback"\}\) == 1/g, 'action="promote"}) == 1'],
    ['ReleaseFails', 'every action', /,action="rollback"\}\) == 1/g, '}) == 1'],
    ['ReleasePauses', 'another action', /action="pause"/g, 'action="none"'],
    [
      'ReleaseUndecided',
      'releases that are decided',
      /\n *and max by \(agent, release, environment\).*/g,
      '',
    ],
    ['ReleaseUndecided', 'releases that are new', /> 86400/g, '> 0'],
    ['DrillOverdue', 'drills that passed', /> 7776000/g, '> 0'],
    [
      'DrillOverdue',
      'drills that never passed where nobody assesses',
      / and on \(\) \(max\(plimsoll_kpi_active\) == 1\)/g,
      '',
    ],
    ['PlimsollRollbackNeedsHuman', 'breakers', /\{what!="breaker"\}/g, ''],
    [
      'PlimsollRollbackStopped',
      'what is not stopped',
      /plimsoll_rollback_stopped\) == 1/g,
      'plimsoll_rollback_stopped) == 0',
    ],
  ];

  test.each(releaseFaults)('its tests see %s on %s', (alert, _, what, instead) => {
    const group = alert.startsWith('Plimsoll') ? 'plimsoll-pipeline' : 'search-agent';
    expect(tested(rendered(released), { group, subject: alert, what, instead })).toMatchObject({
      status: 1,
      said: expect.stringContaining(alert),
    });
  });

  test('counters that restart and are counted by another process do not look like a bad release', () => {
    const files = new Map(rendered(policyFile()));
    const labels = 'agent="search-agent",release="1",environment="production",evidence="none"';
    const group = (instance: string, outcome: string, values: string): string =>
      `- { series: 'plimsoll_runs_total{${labels},outcome="${outcome}",instance="${instance}"}', values: '${values}' }`;
    files.set(
      'failover.test.yaml',
      `rule_files: [search-agent.rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      ${group('a', 'completed', '0+10x60')}
      ${group('a', 'failure', '0+0.2x60')}
      ${group('b', 'completed', '_x62 0+10x60')}
      ${group('b', 'failure', '_x62 0+0.2x60')}
    alert_rule_test:
      ${['50m', '60m', '65m', '70m', '80m', '120m'].map((at) => `- { eval_time: ${at}, alertname: RunSuccessSpendsBudget, exp_alerts: [] }`).join('\n      ')}
`,
    );
    expect(runWith(files, 'promtool', 'test', 'rules', 'failover.test.yaml')).toMatchObject({ status: 0 });
  });
});

test('rules read nothing but what the pipeline exports', async () => {
  const families = await exportedFamilies();
  const files = rendered(every, shipped());
  const rules = [...files].filter(([name]) => name.endsWith('.rules.yaml')).map(([, text]) => text);
  const read = new Set(rules.join('\n').match(/(?<![\w:])plimsoll_[a-z_]+(?=[{[ )])/g));
  expect(read.size).toBeGreaterThan(25);
  expect([...read].filter((name) => !families.has(name))).toEqual([]);
});

test('a command that somebody on call copies has nothing in it that a sender wrote or a shell would run', () => {
  const rules = [...rendered(every, shipped())].filter(([name]) => name.endsWith('.rules.yaml'));
  const texts = rules.flatMap(([, text]) => annotationsOf(text));
  const commands = texts.flatMap((text) => text.match(/\bplimsoll [a-z].*/gs) ?? []);
  expect(new Set(commands).size).toBeGreaterThan(6);
  expect(commands.filter((command) => /[$`\\!]|\{\{/.test(command))).toEqual([]);
});

test('the runs that somebody on call is to look at are those which the policy counts as bad', () => {
  const files = rendered(policyFile({ good_outcomes: ['success', 'completed', 'escalated'] }));
  const texts = annotationsOf(files.get('search-agent.rules.yaml') ?? '');
  expect(texts.filter((text) => text.includes('plimsoll sql'))).toEqual(
    Array(2).fill(
      expect.stringContaining(
        " AND Outcome IN ('failure', 'abandoned', 'unknown') ORDER BY EndTime DESC LIMIT 20 BY AgentName, ",
      ),
    ),
  );
});

test('what is rendered does not depend on the order of keys in the policy', () => {
  const reversed = Object.fromEntries(Object.entries(everyObjective).toReversed());
  const [a, b] = [everyObjective, reversed].map((objectives) =>
    rendered(
      policyFile({ objectives: { run_success: null } }),
      policyFile({ metadata: { name: 'other' }, objectives }),
    ),
  );
  expect([...(a ?? [])]).toEqual([...(b ?? [])]);
});

describe.skipIf(amtool)('amtool', () => {
  test('takes the configuration, and every severity of every policy reaches who it should', () => {
    const files = rendered(shipped(), every);
    const { status, said } = runWith(files, 'sh', 'alertmanager.test.sh');
    expect(
      said
        .split('\n')
        .filter((line) => /^[a-z]+(?:-on-call|[@:].*|-payments|-operators|-rollback,.*)$/.test(line)),
    ).toEqual([
      'payments-on-call',
      'payments-on-call',
      'team-payments',
      'team-payments',
      'pd:P+X/1',
      'search@example.com',
      'plimsoll-rollback,payments-on-call',
      'plimsoll-rollback,team-payments',
      'payments-on-call',
      'team-payments',
      'team-payments',
      'team-payments',
      'team-payments',
      'plimsoll-operators',
    ]);
    expect(status).toBe(0);
  });

  test('its tests see a route that goes elsewhere', () => {
    const files = new Map(rendered(shipped()));
    const name = 'alertmanager.yaml';
    files.set(name, files.get(name)?.replace('receiver: payments-on-call', 'receiver: team-payments') ?? '');
    expect(runWith(files, 'sh', 'alertmanager.test.sh').status).not.toBe(0);
  });
});

/** Whether an alert asks for a rollback, and whether the executor is told. */
const asks = (more: Mapping): readonly boolean[] => {
  const files = rendered(policyFile({ gates: { canary }, ...more }));
  return ['search-agent.rules.yaml', 'alertmanager.yaml'].map((name) =>
    /rollback(?:: |=")auto/.test(files.get(name) ?? ''),
  );
};

test('an alert asks for a rollback where the policy has one, and only then is the executor told', () => {
  expect(asks({})).toEqual([false, false]);
  expect(asks({ rollback: { ...rollback, mode: 'off' } })).toEqual([false, false]);
  expect(asks({ rollback: { ...rollback, mode: 'dry_run' } })).toEqual([true, true]);
  const elsewhere = { production: { mode: 'auto' } };
  expect(asks({ rollback: { ...rollback, mode: 'off', environments: elsewhere } })).toEqual([true, true]);
});

test('alerts on objectives leave rehearsals out, and alerts on canaries do not', () => {
  const rules = rendered(policyFile({ scope: { environments: ['*'] }, gates: { canary } })).get(
    'search-agent.rules.yaml',
  );
  const selectors = [...(rules ?? '').matchAll(/(plimsoll_\w+)\{([^}]*)\}/g)].filter(([, , labels]) =>
    labels?.includes('environment'),
  );
  expect(selectors.length).toBeGreaterThan(10);
  for (const [, metric, labels] of selectors)
    expect([metric, labels?.includes('environment!~"drill:.*"')]).toEqual([
      metric,
      !metric?.startsWith('plimsoll_release_'),
    ]);
});

/** The rules of a policy that does this when the time of a canary is over. */
const rulesAtTimeout = (onTimeout: string): string => {
  const gates = { canary: { ...canary, on_timeout: onTimeout } };
  return rendered(policyFile({ gates, rollback })).get('search-agent.rules.yaml') ?? '';
};

test('a release whose time is over alerts as one that fails where the policy wants it rolled back for that', () => {
  const rule = /alert: ReleaseFails\n *expr: .*plimsoll_release_action\{.*action="rollback"\}\) == 1\n/;
  expect(rulesAtTimeout('rollback')).toMatch(rule);
  expect(rulesAtTimeout('rollback')).toContain(', or did not pass in the 24h that it had.');
  expect(rulesAtTimeout('pause')).not.toContain('did not pass in');
});

/** The one metric of the template. */
const metricOf = (more: Mapping = {}): Mapping => {
  const file = policyFile({ gates: { canary: { ...canary, ...more } } });
  const text = rendered(file).get('search-agent.argo.yaml') ?? '';
  const template = z
    .object({ spec: z.object({ metrics: z.tuple([z.record(z.string(), z.unknown())]) }) })
    .parse(parse(text));
  return template.spec.metrics[0];
};

/** The files for tools that roll out. */
const templatesOf = (more: Mapping): readonly string[] =>
  [...rendered(policyFile(more)).keys()].filter((name) => /argo|flagger/.test(name));

describe('a template for Argo Rollouts', () => {
  test('goes on by a pass, aborts by a rollback, and else asks on until the time is over, and then pauses', () => {
    expect(metricOf()).toMatchObject({
      interval: '60s',
      successCondition: 'result.verdict == "pass"',
      failureCondition: 'result.action == "rollback"',
      provider: { web: { jsonPath: '{$}' } },
      consecutiveSuccessLimit: 1,
      failureLimit: 0,
      inconclusiveLimit: 1440,
    });
    expect(metricOf({ tick: '5s', max: '1h' })).toMatchObject({ interval: '10s', inconclusiveLimit: 360 });
  });

  test('has no count, which would make a success of what is inconclusive', () => {
    expect(metricOf()).not.toHaveProperty('count');
  });

  test('writes names as they stand in a URL, and says how to write a release', () => {
    const file = policyFile({ scope: { agents: ['search + (v2)&'] }, gates: { canary } });
    const text = rendered(file).get('search-agent.argo.yaml') ?? '';
    expect(text).toContain('value: search%20%2B%20(v2)%26\n');
    expect(text).toContain('written as in a URL: for + write %2B,');
  });

  test('says by which arguments it finds the API, and the token of the Secret that the chart is given', () => {
    const text = rendered(policyFile({ gates: { canary } })).get('search-agent.argo.yaml') ?? '';
    const header = text.slice(0, text.indexOf('apiVersion'));
    for (const name of ['args.plimsoll-url', 'args.plimsoll-token']) expect(header).toContain(name);
    const values = readFileSync(new URL('../../deploy/helm/plimsoll/values.yaml', import.meta.url), 'utf8');
    const { name, keys } = parse(values).secret;
    expect(text).toMatch(new RegExp(`name: ${name}\\n *key: ${keys.apiToken}\\n`));
  });

  test('asks the Rollout for what the policy means several of', () => {
    const several = policyFile({ scope: { agents: ['a*'], environments: ['x', 'y'] }, gates: { canary } });
    const text = rendered(several).get('search-agent.argo.yaml');
    expect(text).toContain('    - name: release\n    - name: agent\n    - name: environment\n');
  });
});

test('alerts on canaries are for every rehearsal of an environment of the policy, and of no other', () => {
  const file = policyFile({ scope: { environments: ['production', 'eu-*'] }, gates: { canary } });
  const rules = rendered(file).get('search-agent.rules.yaml') ?? '';
  const [, expression = ''] = /plimsoll_release_verdict\{[^}]*environment=~"([^"]*)"/.exec(rules) ?? [];
  const matches = (environment: string) => new RegExp(`^(?:${expression})$`).test(environment);
  const of = ['production', 'eu-1', 'drill:production', 'drill:production#7', 'drill:eu-1', 'drill:eu-1#7'];
  expect(of.filter(matches)).toEqual(of);
  expect(['staging', 'productions', 'drill:staging', 'drill:productions', 'drill:'].filter(matches)).toEqual(
    [],
  );
});

test('the templates are of policies with a gate for canaries alone', () => {
  expect(templatesOf({})).toEqual([]);
  expect(templatesOf({ gates: { canary } })).toEqual(['search-agent.argo.yaml', 'search-agent.flagger.yaml']);
});

/** How often Flagger is to ask. */
const intervalsOf = (more: Mapping): readonly string[] => {
  const file = policyFile({ gates: { canary: { ...canary, ...more } } });
  const text = rendered(file).get('search-agent.flagger.yaml') ?? '';
  return [...text.matchAll(/interval: (.*)/g)].map(([, interval = '']) => interval);
};

test('Flagger is told how often to ask in seconds, whatever the unit in the policy', () => {
  expect(intervalsOf({})).toEqual(['60s', '60s']);
  expect(intervalsOf({ tick: '1h', deadline: '2h' })).toEqual(['3600s', '3600s']);
  expect(intervalsOf({ tick: '2s' })).toEqual(['10s', '10s']);
});

describe.skipIf(promtool)('the query for Flagger', () => {
  test.each([
    ['is to be rolled back', '1', '1'],
    ['passes', '0', '0'],
    ['is not judged, which is no failed check,', undefined, '0'],
  ])('is of a release that %s %s: %s', (_, value, found) => {
    const text = rendered(policyFile({ gates: { canary } })).get('search-agent.flagger.yaml') ?? '';
    const { spec } = z
      .object({ spec: z.object({ query: z.string() }) })
      .parse(parseAllDocuments(text)[0]?.toJS());
    const labels = 'agent="search-agent",environment="production",baseline="1",action="rollback"';
    const query = {
      interval: '1m',
      input_series: [
        { series: `plimsoll_release_action{${labels},release="another"}`, values: '1x10' },
        ...(value === undefined
          ? []
          : [{ series: `plimsoll_release_action{${labels},release="RELEASE"}`, values: `${value}x10` }]),
      ],
      promql_expr_test: [
        { expr: spec.query, eval_time: '5m', exp_samples: [{ labels: '{}', value: Number(found) }] },
      ],
    };
    const files = new Map([['flagger.test.yaml', stringify({ tests: [query] })]]);
    expect(runWith(files, 'promtool', 'test', 'rules', 'flagger.test.yaml')).toMatchObject({ status: 0 });
  });
});

test('a plain policy has a route for each severity that it defines, told again until it is acknowledged', () => {
  const text = rendered(policyFile()).get('alertmanager.yaml');
  expect(plain).toHaveProperty('severities.sev2.acknowledge_within', '30m');
  expect(text).toContain(`        - matchers:
            - severity="sev2"
          receiver: search-on-call
          repeat_interval: 30m
        - matchers:
            - severity="sev3"
          receiver: team-search
          repeat_interval: 4h
`);
});
