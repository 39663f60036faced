import type { CanaryGate } from './gate-schema.ts';
import { durationSeconds } from './policy-values.ts';
import type { PolicyFile } from './read-policy.ts';
import { seriesOf } from './rule.ts';
import { onlyOf } from './scope.ts';

type Manifest = Readonly<Record<string, unknown>>;

/** Where these are in a cluster; to be put right. The chart installed as deploy/README.md says has the API and its token here. */
const usualUrl = 'http://plimsoll-assess.agents:8080';
const usualToken = { name: 'plimsoll', key: 'api-token' };
const usualPrometheus = 'http://prometheus.monitoring:9090';

/** How people use `argoTemplate`, as YAML's comments. */
export const argoUse = `# For Argo Rollouts from v1.8 on, in a step of a canary (steps: - analysis: {templates: [...], args: [...]}); args.release is
# the release as the new pods report it. It, the agent and the environment are written as in a URL: for + write %2B, for &
# %26, for # %23, for % %25. Not for background analysis, which ends well with the steps. args.plimsoll-url is the API as the
# controller of Argo Rollouts reaches it, of the Helm chart RELEASE-assess.NAMESPACE; args.plimsoll-token is one of
# extensions::api, from a Secret beside the Rollout, such as that of the chart.
`;

/** How people use `flaggerTemplates`, as YAML's comments. */
export const flaggerUse = `# Apply the MetricTemplate, and merge the analysis into your Canary. RELEASE is the release as the new
# pods report it, set with every rollout; TOKEN is one of extensions::api.
`;

/**
 * An AnalysisTemplate of Argo Rollouts, from v1.8 on, for an inline step of a canary: it asks the gate until that passes or
 * wants a rollback, which may be because the time is over. Else it is inconclusive, and after that time pauses the rollout.
 * The result is the whole answer, so that people read the reason in the AnalysisRun. There is no
 * `count`: Argo calls a metric successful that reached it, whatever was measured (analysis.go, assessMetricStatus). Errors,
 * such as a process that stands by, abort a rollout, so there may be ten minutes of them; they are repeated every 10 s.
 * Background analysis is not for this: it is successful when the steps are done.
 */
export function argoTemplate({ policy }: PolicyFile): Manifest | undefined {
  const canary = policy.gates?.canary;
  if (!canary) return undefined;
  const { name } = policy.metadata;
  const everySeconds = askedEverySeconds(canary);
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name: `plimsoll-${name}` },
    spec: {
      args: [
        { name: 'release' },
        argument('agent', onlyOf(policy.scope.agents)),
        argument('environment', onlyOf(policy.scope.environments)),
        { name: 'plimsoll-url', value: usualUrl },
        { name: 'plimsoll-token', valueFrom: { secretKeyRef: usualToken } },
      ],
      metrics: [
        {
          name: 'verdict',
          interval: `${everySeconds}s`,
          successCondition: 'result.verdict == "pass"',
          failureCondition: 'result.action == "rollback"',
          consecutiveSuccessLimit: 1,
          failureLimit: 0,
          inconclusiveLimit: Math.ceil(durationSeconds(canary.max) / everySeconds),
          consecutiveErrorLimit: 60,
          provider: {
            web: {
              url: `{{ args.plimsoll-url }}/api/v1/gate/${name}?gate=canary&release={{ args.release }}&agent={{ args.agent }}&environment={{ args.environment }}`,
              headers: [{ key: 'Authorization', value: 'Bearer {{ args.plimsoll-token }}' }],
              timeoutSeconds: 10,
              jsonPath: '{$}',
            },
          },
        },
      ],
    },
  };
}

/** In seconds, as Flagger's definition of a Canary knows no hours (crd.yaml); less than 10 s it makes 10 s of. */
function askedEverySeconds({ tick }: CanaryGate): number {
  return Math.max(10, durationSeconds(tick ?? '1m'));
}

/** Without a value a Rollout must give one. Argo encodes nothing that it puts in a URL. */
function argument(name: string, value: string | undefined): Manifest {
  return value === undefined ? { name } : { name, value: encodeURIComponent(value) };
}

/**
 * What Flagger needs: a MetricTemplate by which a release to be rolled back is a failed check and one without traffic is none
 * (Flagger takes a query without a value for a failed check, and enough of those roll back), and the part of a Canary
 * with the hooks by which only what passed is promoted. Flagger tells no hook which one it is, so the metadata do; it
 * sends no header, so the token stands in the URL. RELEASE is the release, set with every rollout.
 */
export function flaggerTemplates({ policy }: PolicyFile): readonly Manifest[] {
  const canary = policy.gates?.canary;
  if (!canary) return [];
  const { name } = policy.metadata;
  const interval = `${askedEverySeconds(canary)}s`;
  const template = `plimsoll-${name}`;
  const subject = {
    agent: onlyOf(policy.scope.agents) ?? 'AGENT',
    environment: onlyOf(policy.scope.environments) ?? 'ENVIRONMENT',
    release: 'RELEASE',
  };
  const hook = (type: string): Manifest => ({
    name: `plimsoll ${type}`,
    type,
    url: `http://flagger:TOKEN@${new URL(usualUrl).host}/api/v1/gate/${name}`,
    timeout: '10s',
    metadata: { hook: type, gate: 'canary', ...subject },
  });
  const query = `max(${seriesOf('plimsoll_release_action', { ...subject, action: 'rollback' })}) or on() vector(0)`;
  return [
    {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'MetricTemplate',
      metadata: { name: template },
      spec: { provider: { type: 'prometheus', address: usualPrometheus }, query },
    },
    {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      metadata: { name },
      spec: {
        analysis: {
          interval,
          metrics: [
            { name: 'plimsoll', templateRef: { name: template }, thresholdRange: { max: 0 }, interval },
          ],
          webhooks: ['rollback', 'confirm-traffic-increase', 'confirm-promotion'].map(hook),
        },
      },
    },
  ];
}
