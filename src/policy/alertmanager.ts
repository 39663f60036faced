import { rehearsals } from '../semconv/rehearsal.ts';
import { severities as tiers } from '../semconv/vocabulary.ts';
import { blindAlerts, operators } from './pipeline-rules.ts';
import type { Policy } from './policy-schema.ts';
import type { PolicyFile } from './read-policy.ts';
import { asksForRollbacks, releaseAlerts, rollbackLabel } from './release-rules.ts';

/** A receiver of Alertmanager: its name, and whatever else Alertmanager knows of it. */
type Receiver = Readonly<Record<string, unknown>> & { readonly name: string };

/** What users say of Alertmanager: its receivers, and other keys of its configuration that are taken as they are. */
export type AlertmanagerParts = Readonly<Record<string, unknown>> & {
  readonly receivers: readonly Receiver[];
};

/** The receiver of alerts that ask for a rollback: a webhook to the API of the pipeline. */
export const executorReceiver = 'plimsoll-rollback';

/** Who must be there to be told, by name. */
export function receiverNames(files: readonly PolicyFile[]): readonly string[] {
  const named = files.flatMap(({ policy: { metadata } }) => [metadata.owner, metadata.on_call]);
  return [...new Set([operators, ...(files.some(asksForRollbacks) ? [executorReceiver] : []), ...named])];
}

/**
 * The configuration of Alertmanager that `files` make: severities that page go to `on_call`, others to the owner, and
 * all are told again until they end or are silenced. `parts` stand in it as they are.
 */
export function alertmanagerConfig(
  files: readonly PolicyFile[],
  { receivers, ...parts }: AlertmanagerParts,
): Readonly<Record<string, unknown>> {
  return {
    ...parts,
    route: {
      receiver: operators,
      group_by: ['alertname', 'policy', 'agent', 'release', 'environment'],
      group_wait: '30s',
      group_interval: '5m',
      repeat_interval: '4h',
      routes: [...(files.some(asksForRollbacks) ? [executorRoute] : []), ...files.map(routeOf)],
    },
    inhibit_rules: [...graverFirst(), whileBlind()],
    receivers,
  };
}

/** At once, one release a notification, and again until it ends, while people are told as ever. */
const executorRoute = {
  matchers: [`rollback="${rollbackLabel.rollback}"`],
  receiver: executorReceiver,
  group_by: ['agent', 'release', 'environment'],
  group_wait: '0s',
  group_interval: '1m',
  repeat_interval: '4h',
  continue: true,
};

/** How alerts are routed: the labels, and who is told. */
export interface RouteTest {
  readonly labels: Readonly<Record<string, string>>;
  /** Several, in the order of their routes. */
  readonly receivers: readonly string[];
}

/** Who must be told of what, for amtool to verify. */
export function routeTests(files: readonly PolicyFile[]): readonly RouteTest[] {
  return [
    ...files.flatMap(({ policy: { metadata, severities } }) =>
      tiers.flatMap((severity) => {
        const tier = severities[severity];
        if (!tier) return [];
        const labels = { owner: metadata.owner, policy: metadata.name, severity };
        return [{ labels, receivers: [tier.page ? metadata.on_call : metadata.owner] }];
      }),
    ),
    ...files.flatMap((file) =>
      releaseAlerts(file).flatMap(({ rule, labels }) => {
        const told = { ...labels, ...rule.labels };
        const rehearsed = { ...told, environment: `${rehearsals.slice(0, -1)}${told['environment']}` };
        const first = 'rollback' in told ? [executorReceiver] : [];
        const { owner } = file.policy.metadata;
        return [
          { labels: told, receivers: [...first, receiverOf(file.policy, rule.labels['severity'] ?? '')] },
          ...('environment' in told ? [{ labels: rehearsed, receivers: [...first, owner] }] : []),
        ];
      }),
    ),
    { labels: { owner: operators, severity: 'sev2' }, receivers: [operators] },
  ];
}

function receiverOf({ metadata, severities }: Policy, severity: string): string {
  const tier = tiers.find((each) => each === severity);
  return tier && severities[tier]?.page ? metadata.on_call : metadata.owner;
}

const rehearsed = `environment=~"${rehearsals.slice(0, -1)}.*"`;

function routeOf({ policy: { metadata, severities, gates } }: PolicyFile): Readonly<Record<string, unknown>> {
  return {
    matchers: [`owner="${metadata.owner}"`, `policy="${metadata.name}"`],
    receiver: metadata.owner,
    routes: [
      // Nobody is woken by a rehearsal.
      ...(gates?.canary ? [{ matchers: [rehearsed], receiver: metadata.owner }] : []),
      ...tiers.flatMap((severity) => {
        const tier = severities[severity];
        if (!tier) return [];
        return [
          {
            matchers: [`severity="${severity}"`],
            receiver: tier.page ? metadata.on_call : metadata.owner,
            repeat_interval: tier.acknowledge_within,
          },
        ];
      }),
    ],
  };
}

/**
 * Of one objective of one release, and of one release as a canary, only the gravest alert is told. Labels that are missing
 * are equal to Alertmanager, so alerts on anything else (drills, the pipeline) are left out by what they lack.
 */
function graverFirst(): readonly Readonly<Record<string, unknown>>[] {
  const release = ['policy', 'agent', 'release', 'environment'];
  const alike = [
    { matchers: ['policy!=""', 'kpi!=""'], equal: [...release, 'kpi', 'tool'] },
    { matchers: ['policy!=""', 'kpi=""', 'agent!=""'], equal: release },
  ];
  return alike.flatMap(({ matchers, equal }) =>
    tiers.slice(0, -1).map((severity, i) => ({
      source_matchers: [...matchers, `severity="${severity}"`],
      target_matchers: [...matchers, `severity=~"${tiers.slice(i + 1).join('|')}"`],
      equal,
    })),
  );
}

/** While no KPI can be trusted, nobody is told of one. */
function whileBlind(): Readonly<Record<string, unknown>> {
  return {
    source_matchers: [`alertname=~"${blindAlerts.join('|')}"`],
    target_matchers: ['policy!=""'],
  };
}
