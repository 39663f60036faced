import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { planOf } from '../../src/plan.ts';
import { readPolicy, type PolicyFile } from '../../src/policy/read-policy.ts';
import { drillLines, type DrillRecord } from '../../src/rehearsal/drill-record.ts';
import { inProcessDrill } from '../../src/rehearsal/in-process-drill.ts';
import { knownScenarios, unseenBy } from '../../src/rehearsal/scenarios.ts';

const shipped = new URL('../../config/policies/refund-agent.yaml', import.meta.url).pathname;
const plan = planOf(loadConfig([new URL('../../config/plimsoll.yaml', import.meta.url).pathname]));

function policyOf(change: (text: string) => string = (text) => text): PolicyFile {
  const result = readPolicy(shipped, change(readFileSync(shipped, 'utf8')));
  if ('read' in result) return result.read;
  throw new Error(result.findings.map(({ path, sentence }) => `${path}: ${sentence}`).join('\n'));
}

async function drilled(scenario: string, file = policyOf()): Promise<DrillRecord> {
  const { assess } = plan;
  if (!assess) throw new Error('the configuration of a laptop assesses');
  return inProcessDrill(scenario, { plan, assess, file });
}

const failing = ({ evidence }: DrillRecord): readonly string[] =>
  evidence.checks.filter(({ isMet }) => !isMet).map(({ what, found }) => `${what}: ${found}`);

const linksOf = ({ evidence }: DrillRecord): readonly string[] => evidence.links.map(({ link }) => link);

test.each(['tools-fail-30-percent', 'runs-hang', 'escalations-double'])(
  'under the shipped policy %s is rolled back once, though the executor dies in the midst, and the healthy one stays',
  async (scenario) => {
    const record = await drilled(scenario);
    expect(failing(record)).toEqual([]);
    expect(record.passed).toBe(true);
    const all = ['first bad span sent', 'judged', 'verdict fail', 'executor received'];
    expect(linksOf(record)).toEqual([...all, 'executor killed', 'acted', 'verified']);
    const times = record.evidence.links.map(({ timeMs }) => timeMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  },
);

test('an outage of all releases, which takes all of them below the floor, rolls nothing back', async () => {
  const record = await drilled('outage');
  expect(failing(record)).toEqual([]);
  expect(linksOf(record)).not.toContain('executor received');
});

test('a drill of an outage fails when no canary got a run, so that none was judged', async () => {
  const rarely = 'share: 0.00001\n    tick: 10s';
  const file = policyOf((text) => text.replace('share: 0.1', rarely));
  expect(failing(await drilled('outage', file))).toEqual(
    expect.arrayContaining([
      'drill-rehearsal-good is not rolled back: not judged',
      'drill-rehearsal-bad is not rolled back: not judged',
    ]),
  );
});

test('the same drill gives the same record', async () => {
  expect(await drilled('tools-fail-30-percent')).toEqual(await drilled('tools-fail-30-percent'));
});

test('a drill fails under a policy that does not do what it promises, and says which link is missing', async () => {
  const record = await drilled(
    'tools-fail-30-percent',
    policyOf((text) => text.replace('mode: dry_run', 'mode: off')),
  );
  expect(record.passed).toBe(false);
  expect(linksOf(record)).not.toContain('acted');
  expect(drillLines(record).join('\n')).toMatch(/failed drill-rehearsal-bad is rolled back: fail: /);
});

test('a scenario that no weight shows is refused in a sentence', () => {
  const scenario = knownScenarios.get('escalations-double')!;
  const file = policyOf((text) =>
    text.replace(/weights: .*/, 'weights: { run_success: 0.8, tool_call_success: 0.2 }'),
  );
  expect(unseenBy(file, 'escalations-double', scenario)).toBe(
    `${shipped}: gates::canary::weights: escalations-double shows in run_escalation and run_containment, which have no weight: give one some, or drill another scenario`,
  );
  expect(unseenBy(policyOf(), 'escalations-double', scenario)).toBeUndefined();
});
