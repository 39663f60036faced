import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeptIncidents } from '../api/incident-resource.ts';
import { rollbackResources } from '../api/rollback-resources.ts';
import type { TargetOptions } from '../config-rollback.ts';
import type { Callers } from '../core/callers.ts';
import { systemClock as clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import type { Resource } from '../core/http-endpoint.ts';
import { Secret } from '../core/secret.ts';
import type { Stream } from '../core/stream.ts';
import type { TableRow } from '../core/table-row.ts';
import { windowLabel } from '../core/window-label.ts';
import type { Standing } from '../judge/standing.ts';
import type { Family } from '../kpi/family.ts';
import type { Plan } from '../plan.ts';
import { FiguresSince, lookbackMs } from '../policy/figures-since.ts';
import { objectivesOf } from '../policy/objective-schema.ts';
import { ArgoRolloutsAdapter } from '../rollback/argo-rollouts-adapter.ts';
import { Executor, type ExecutorParts } from '../rollback/executor.ts';
import { GithubAdapter } from '../rollback/github-adapter.ts';
import type { Page } from '../rollback/page.ts';
import { stopFileReason } from '../rollback/stop-file.ts';
import type { TargetAdapter } from '../rollback/target-adapter.ts';
import { WebhookAdapter } from '../rollback/webhook-adapter.ts';
import type { Role, Site } from './role.ts';
import { soleRun } from './sole-run.ts';

/** What the executor works with beside the site. */
export interface RollbackParts {
  /** The stream of the journal: one partition, kept for good. */
  readonly journal: Stream;
  readonly incidents: KeptIncidents;
  readonly kpis: () => readonly Family[];
  readonly windowsMs: readonly number[];
  readonly latenessMs: number;
  /** Releases to go back to, best first, as the judge knows them. */
  readonly destinations: ExecutorParts['destinations'];
  /** Takes a row for ClickHouse. */
  readonly rows: (row: TableRow) => void;
}

/** The executor, and what others are built on. */
export interface RollbackRole extends Role {
  kpis(): readonly Family[];
  resources(callers: Callers): Readonly<Record<string, Resource>>;
  /** Asks for what the judge wants to be rolled back; the same release again is the same attempt. */
  judged(standings: readonly Standing[]): Promise<void>;
  /** What there is of rollbacks, to who may decide nothing. */
  status(): ReturnType<Executor['status']>;
}

/** The executor of rollbacks, wired: its component comes before the journal in the flow, and after the API. */
export function rollbackRole(
  { plan, policies, log }: Pick<Site, 'plan' | 'policies' | 'log'>,
  { options }: NonNullable<Plan['rollback']>,
  parts: RollbackParts,
): RollbackRole {
  const executor = executorOf({ plan, policies, log }, options, parts);
  return {
    components: [executor],
    probes: [
      {
        name: 'rollback',
        check: () => ({ flowing: executor.fault === undefined, reason: executor.fault ?? '' }),
      },
    ],
    addresses: () => [],
    kpis: () => executor.families(),
    resources: (callers) => rollbackResources(executor, callers, log),
    status: () => executor.status(undefined),
    judged: soleRun(async (standings) => askAll(executor, standings, log)),
  };
}

/** Asks for what the judge wants to be rolled back. */
async function askAll(executor: Executor, standings: readonly Standing[], log: Site['log']): Promise<void> {
  for (const { agent, environment, release, action, isRunning, reason, ...evidence } of standings) {
    if (action !== 'rollback' || !isRunning) continue;
    const of = { agent, environment, release, reason, evidence };
    await executor
      .request({ ...of, cause: 'judge', requestedBy: 'judge' })
      .catch((error: unknown) =>
        log.warn({ err: error, agent, release }, 'a rollback that the judge wants waits for its journal'),
      );
  }
}

type Options = NonNullable<Plan['rollback']>['options'];

function executorOf(
  { plan, policies, log }: Pick<Site, 'plan' | 'policies' | 'log'>,
  options: Options,
  parts: RollbackParts,
): Executor {
  const { incidents, windowsMs, kpis } = parts;
  const figures = new FiguresSince(windowsMs.map((ms) => ({ ms, label: windowLabel(ms) })));
  return new Executor({
    journal: parts.journal,
    file: join(plan.dataDirectory, 'rollbacks.jsonl'),
    targets: targetsOf(options.targets),
    approvalsOf: (target) => approvalsIn(options, target),
    perHour: options.per_hour,
    perDay: options.per_day,
    approvalKey: options.approval_key ?? new Secret(randomBytes(32).toString('hex')),
    stopReason: () => stopReasonOf(options),
    planOf: (agent, environment) => policies.coverage.rollbackPlan(agent, environment),
    hasPolicy: (name) => policies.inUse.some(({ policy }) => policy.metadata.name === name),
    destinations: parts.destinations,
    figureOf: (kpi, of, sinceMs) => {
      const name = policies.coverage.rollbackPlan(of.agent, of.environment)?.policy;
      const file = policies.inUse.find(({ policy }) => policy.metadata.name === name);
      const stated = file && objectivesOf(file.policy.objectives).find(([each]) => each === kpi);
      return stated && figures.of({ kpi: stated[0], objective: stated[1] }, of, sinceMs, kpis());
    },
    recentMs: lookbackMs(windowsMs, parts.latenessMs),
    isActing: () => incidents.isKept(),
    people: {
      page: async (page) => pageIn(incidents, page),
      endPages: async (isOver) => endPagesIn(incidents, isOver),
    },
    rows: parts.rows,
    clock,
    log,
  });
}

/** How many people have to approve what is done to `target`, which the configuration may not have. */
function approvalsIn({ targets }: Options, target: string): number {
  return new Map(Object.entries(targets)).get(target)?.approvals ?? 1;
}

function stopReasonOf({ stop, stop_file: file }: Options): string | undefined {
  if (stop) return 'extensions::rollback::stop is true';
  return file === undefined ? undefined : stopFileReason(file);
}

/** Opens an incident of what people are to be told. Rejects with a Failure where this process cannot. */
async function pageIn(incidents: KeptIncidents, page: Page): Promise<void> {
  if (!incidents.isKept())
    throw new Failure('unavailable', 'this process keeps no incidents: ask the one that assesses');
  const opening = incidents.book.open({ ...page, startedMs: undefined }, clock.nowMs());
  if (opening.kind === 'full')
    throw new Failure('unavailable', `${opening.limit} ${opening.of} are open: resolve some`);
  await incidents.committed();
}

/** Resolves the open incidents of what people were told, and need not be any more. */
async function endPagesIn(incidents: KeptIncidents, isOver: (key: string) => boolean): Promise<void> {
  if (!incidents.isKept()) return;
  const over = [...incidents.book.incidents].filter(
    ({ source, resolvedMs, key }) => source === 'api' && resolvedMs === undefined && isOver(key),
  );
  for (const { key } of over) incidents.book.recovered(key, clock.nowMs());
  if (over.length > 0) await incidents.committed();
}

/** The adapters of targets, by the same names. Throws where a file that is read once cannot be. */
export function targetsOf(
  targets: Readonly<Record<string, TargetOptions>>,
): ReadonlyMap<string, TargetAdapter> {
  return new Map(Object.entries(targets).map(([name, each]) => [name, adapterOf(each, name)]));
}

function authoritiesIn(file: string, target: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const key = `extensions::rollback::targets::${target}::ca_file`;
    throw new Error(`${key}: cannot read ${file}: give a PEM file this user may read`, { cause });
  }
}

function adapterOf(options: TargetOptions, name: string): TargetAdapter {
  const usual = {
    timeoutMs: options.timeout,
    ca: options.ca_file === undefined ? undefined : authoritiesIn(options.ca_file, name),
  };
  if (options.type === 'webhook') {
    const { url, current_url: currentUrl, secret, token, repeatable: isRepeatable } = options;
    return new WebhookAdapter({ ...usual, url, currentUrl, secret, token, isRepeatable }, clock);
  }
  if (options.type === 'argo_rollouts') {
    const { server, namespace, rollout, release_label: releaseLabel, token_file: file } = options;
    const token = async () => new Secret((await readFile(file, 'utf8')).trim());
    return new ArgoRolloutsAdapter({ ...usual, server, namespace, rollout, releaseLabel, token });
  }
  const { server, token, release_variable: releaseVariable, repeatable: isRepeatable } = options;
  const [owner = '', repository = ''] = options.repository.split('/');
  const { workflow = '', ref = '', event_type: eventType } = options;
  const dispatch = eventType === undefined ? { workflow, ref } : { eventType };
  const github = { server, owner, repository, dispatch, releaseVariable, token, isRepeatable };
  return new GithubAdapter({ ...usual, ...github });
}
