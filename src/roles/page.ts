import { systemClock as clock } from '../core/clock.ts';
import type { Resource } from '../core/http-endpoint.ts';
import { version } from '../core/version.ts';
import { windowLabel } from '../core/window-label.ts';
import type { Probe } from '../metrics/health.ts';
import { assessHops, FlowMeter, ingestHops, storeHops } from '../page/flow-meter.ts';
import { liveResource } from '../page/live-resource.ts';
import { LiveViews } from '../page/live-views.ts';
import type { Assessed, Rollbacks } from '../page/moment.ts';
import { pageResources } from '../page/page-files.ts';
import { meanBoundOf, objectivesOf } from '../policy/objective-schema.ts';
import { covers } from '../policy/scope.ts';
import { isOpen } from '../rollback/attempt.ts';
import { answerMs } from '../rollback/next-step.ts';
import type { AssessRole } from './assess.ts';
import type { Role, Site } from './role.ts';
import type { RollbackRole } from './rollback.ts';
import { replayGroup } from './streams.ts';

/** What the live page shows beside what is assessed. */
export interface PageParts {
  readonly ingest: Role | undefined;
  readonly store: Role | undefined;
  readonly assess: AssessRole;
  readonly rollback: Pick<RollbackRole, 'status'> | undefined;
}

/** The live page. */
export interface PageRole {
  /** What it shows, kept up to date from start to stop. */
  readonly views: LiveViews;
  /** Reads what anybody may read: `/` and the files of the page. */
  readonly files: () => Readonly<Record<string, Resource>>;
  /** What those may read who may read the API. */
  readonly resources: Readonly<Record<string, Resource>>;
}

const noRollbacks: Rollbacks = { attempts: [], stopReason: undefined, fault: undefined };

/** What the process knows → views of it → the live page */
export function pageRole(site: Site, parts: PageParts): PageRole {
  const { assess, rollback } = parts;
  const views = new LiveViews({
    version: version(),
    windows: (site.plan.assess?.kpi.windows ?? []).map(windowLabel),
    standings: () => assess.verdicts.standings,
    isAssessing: () => assess.verdicts.isAssessing,
    kpis: () => assess.kpis(),
    incidents: () => assess.incidents.book.incidents,
    rollbacks: () => (rollback ? rollbacksOf(rollback.status()) : noRollbacks),
    objectiveOf: objectivesIn(site.policies),
    hasPolicies: () => site.policies.inUse.length > 0,
    flow: flowOf(site, parts),
    clock,
    log: site.log,
  });
  return { views, files: pageResources, resources: { '/api/v1/live': liveResource(views) } };
}

function rollbacksOf({ attempts, stopReason, fault }: ReturnType<RollbackRole['status']>): Rollbacks {
  return {
    attempts: attempts.map((each) => ({
      ...each,
      isOver: !isOpen(each),
      doneMs: each.state === 'done' ? each.sinceMs : undefined,
      refusedUntilMs: each.refusal === 'human' ? each.sinceMs + answerMs : undefined,
    })),
    stopReason,
    fault,
  };
}

function flowOf({ plan: { stream }, telemetry }: Site, { ingest, store, assess }: PageParts): FlowMeter {
  const groups = stream.type === 'kafka' ? stream.groups : { store: 'store', assess: 'assess' };
  return new FlowMeter(telemetry, [
    ...(ingest ? ingestHops(faultOf(ingest.probes)) : []),
    ...(store ? storeHops(groups.store, replayGroup, faultOf(store.probes)) : []),
    ...assessHops(groups.assess, faultOf(assess.probes)),
  ]);
}

function faultOf(probes: readonly Probe[]): () => string | undefined {
  return () => probes.map((probe) => probe.check()).find(({ flowing }) => !flowing)?.reason;
}

/** What the one policy that covers all places, and states an objective on the KPI, asks of the mean, which its tile shows. */
function objectivesIn(policies: Site['policies']): Assessed['objectiveOf'] {
  return (kpi, places) => {
    const [first] = places;
    if (!first) return null;
    const file = policies.inUse.find(({ policy: { scope } }) =>
      covers(scope, first.agent, first.environment),
    );
    if (!file) return null;
    const { scope, objectives } = file.policy;
    const [, stated] = objectivesOf(objectives).find(([name]) => name === kpi) ?? [];
    if (!stated || !places.every(({ agent, environment }) => covers(scope, agent, environment))) return null;
    return meanBoundOf(stated) ?? null;
  };
}
