import { readPolicies } from '../policy-files.ts';
import { calledAs } from './called-as.ts';
import { canaryOf } from './demo-fleet.ts';
import type { Sample } from './demo-table.ts';

/**
 * By which policies the pipeline whose exposition `samples` are judges what the demo sends, and how to have it judged
 * where it has none. A policy among the files that `patterns` name is said with its mode, and `page` shows verdicts.
 */
export function judgedLines(
  samples: readonly Sample[],
  patterns: readonly string[],
  page: string | undefined,
): readonly string[] {
  const used = samples.filter(({ name }) => name === 'plimsoll_policy_info').map(({ labels }) => labels);
  if (used.length === 0) return howJudged();
  const { policies } = readPolicies(patterns);
  const named = used.map(({ policy, revision }) => {
    const known = policies.find((file) => file.revision === revision)?.policy;
    return `${policy}${known ? ` (${known.rollback?.mode ?? 'no rollback'})` : ''}`;
  });
  return [
    `policies in use: ${named.join(', ')}${page === undefined ? '' : `; verdicts are on the page ${page}`}`,
    `The make-believe agents obey no rollback: ${canaryOf.agent} ${canaryOf.canary} goes on, whatever is ordered.`,
  ];
}

function howJudged(): readonly string[] {
  const { call, config } = calledAs();
  return [
    'No policy is in use here: nothing is judged. To have the canary judged, end what runs, and:',
    `  echo 'service: { policies: [${config('policies/refund-agent.yaml')}] }' > mine.yaml`,
    `  ${call('demo')} --config ${config('plimsoll.yaml')} --config mine.yaml`,
  ];
}
