import { expect, test } from 'vitest';
import { judgedLines } from '../../src/cli/demo-judged.ts';
import { parseSamples } from '../../src/cli/demo-table.ts';
import { readPolicies } from '../../src/policy-files.ts';

const file = new URL('../../config/policies/refund-agent.yaml', import.meta.url).pathname;
const page = 'http://127.0.0.1:8080';
const info = (policy: string, revision = ''): string =>
  `plimsoll_policy_info{policy="${policy}",version="1",revision="${revision}",owner="o"} 1\n`;

test('the demo names the policies of the pipeline that it sends to, and not those of its own configuration', () => {
  expect(judgedLines(parseSamples(info('others', 'abc')), [file], page)[0]).toBe(
    `policies in use: others; verdicts are on the page ${page}`,
  );
  expect(judgedLines(parseSamples('plimsoll_kpi_active 1\n'), [file], page)[0]).toMatch(
    /^No policy is in use/,
  );
});

test('it says what a policy does that is its own, and that the fleet obeys nobody', () => {
  const [read] = readPolicies([file]).policies;
  expect(judgedLines(parseSamples(info('refund-agent', read?.revision)), [file], page)).toEqual([
    `policies in use: refund-agent (dry_run); verdicts are on the page ${page}`,
    'The make-believe agents obey no rollback: refund-agent 1.5.0-rc1 goes on, whatever is ordered.',
  ]);
});
