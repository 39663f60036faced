import type { Config } from './config-schema.ts';
import { systemClock as clock } from './core/clock.ts';
import { startAll, stopAll } from './core/component.ts';
import { reachableUrl } from './core/listen.ts';
import type { Log } from './core/log.ts';
import { Telemetry } from './core/telemetry.ts';
import type { Family } from './kpi/family.ts';
import { Exposition } from './metrics/exposition.ts';
import { Health } from './metrics/health.ts';
import { planOf, policyFactsOf, type Plan } from './plan.ts';
import { apiRole } from './roles/api.ts';
import { assessRole, type AssessRole } from './roles/assess.ts';
import { enricherOf } from './roles/enricher.ts';
import { ingestRole } from './roles/ingest.ts';
import { Policies } from './roles/policies.ts';
import { rollbackRole, type RollbackRole } from './roles/rollback.ts';
import type { Address, Role, Site } from './roles/role.ts';
import { storeRole } from './roles/store.ts';
import { streamsOf } from './roles/streams.ts';

/** Everything the configuration lists, wired and not yet started. */
export interface Pipeline {
  readonly roles: readonly string[];
  /** Starts sinks before sources; when one cannot start, those that did are stopped and its fault is thrown. */
  start(deadline: AbortSignal): Promise<void>;
  /** Refuses new input, finishes what is in flight, and releases everything; gives up draining at `deadline`. */
  stop(deadline: AbortSignal): Promise<void>;
  /** Where it listens, once started. */
  addresses(): readonly Address[];
}

/** Wires what `config` lists. Nothing is opened before `start`. */
export function buildPipeline(config: Config, log: Log): Pipeline {
  const plan = planOf(config);
  const telemetry = new Telemetry();
  const policies = new Policies(plan.policies, { ...policyFactsOf(plan), telemetry, log });
  const enricher = enricherOf(plan, policies);
  const site: Site = { plan, enricher, policies, ...streamsOf(plan, telemetry, log), telemetry, log };

  const ingest = plan.ingest && ingestRole(site, plan.ingest);
  const store = plan.store && storeRole(site, plan.store);
  const assess = plan.assess && assessRole(site, plan.assess);
  const rollback = plan.rollback && assess && rollbackOf(site, plan.rollback, assess);
  const roles = [ingest, store, assess, rollback].filter((role) => role !== undefined);

  const kpis = (): readonly Family[] => [...(assess?.kpis() ?? []), ...(rollback?.kpis() ?? [])];
  const place = { ...plan.metrics.endpoint, configPath: 'service::telemetry::metrics::endpoint' };
  const metrics = new Exposition(place, { telemetry, kpis, log });
  const addresses = (): readonly Address[] => [
    ...roles.flatMap((role) => role.addresses()),
    ...served('metrics', metrics, plan.metrics, '/metrics'),
    ...served('health', health, plan.health?.options),
    ...served('page, API', api, plan.api?.options),
  ];
  const api = plan.api && assess && apiRole(site, plan.api, { ingest, store, assess, rollback, addresses });
  const health = plan.health && healthOf(plan.health, roles, log);

  // Flow order: sources stop first and start last.
  const flow = [
    ...(api?.components ?? []),
    ...(rollback?.components ?? []),
    ...(ingest?.components ?? []),
    ...(store?.components ?? []),
    ...(assess?.components ?? []),
    site.deadLetters,
    site.runs,
    ...(assess ? [site.states, site.rollbacks] : []),
    site.spans,
    ...(store?.tables ?? []),
    policies,
    metrics,
    ...(health ? [health] : []),
  ];
  return {
    roles: Object.keys(config.service.pipelines),
    start: async (deadline) => {
      await startAll(flow, deadline);
      health?.started();
    },
    stop: async (deadline) => {
      health?.stopping();
      await stopAll(flow, deadline);
    },
    addresses,
  };
}

function served(
  what: string,
  server: { readonly port: number } | undefined,
  options: Pick<Plan['metrics'], 'endpoint'> | undefined,
  path = '',
): readonly Address[] {
  if (!server || !options) return [];
  return [{ what, url: reachableUrl({ ...options.endpoint, port: server.port }) + path }];
}

function healthOf({ id, options }: NonNullable<Plan['health']>, roles: readonly Role[], log: Log) {
  const probes = roles.flatMap((role) => role.probes);
  const place = { ...options.endpoint, configPath: `extensions::${id}::endpoint` };
  return new Health(place, probes, { clock, log });
}

/** The executor, which gets what the judge says as soon as that is durable. */
function rollbackOf(site: Site, plan: NonNullable<Plan['rollback']>, assess: AssessRole): RollbackRole {
  const { incidents, verdicts, outbox } = assess;
  const role = rollbackRole(site, plan, {
    journal: site.rollbacks,
    incidents,
    kpis: () => assess.kpis(),
    windowsMs: site.plan.assess?.kpi.windows ?? [],
    latenessMs: site.plan.assess?.kpi.lateness ?? 0,
    destinations: (agent, environment, release) => verdicts.destinations(agent, environment, release),
    rows: (row) => {
      outbox.add(row);
      outbox.send();
    },
  });
  verdicts.onCommit((standings) => void role.judged(standings));
  return role;
}
