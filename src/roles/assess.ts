import type { AssessorSettings } from '../assess/assessor-settings.ts';
import { Assessor } from '../assess/assessor.ts';
import type { KeptIncidents } from '../api/incident-resource.ts';
import { RowOutbox } from '../assess/row-outbox.ts';
import { systemClock as clock } from '../core/clock.ts';
import { StateLog } from '../assess/state-log.ts';
import type { StreamConsumer } from '../core/stream.ts';
import { EnrichedSpans } from '../enrich/enriched-spans.ts';
import { Judge } from '../judge/judge.ts';
import type { Family } from '../kpi/family.ts';
import type { Probe } from '../metrics/health.ts';
import type { Plan } from '../plan.ts';
import { policyRow } from '../policy/policy-row.ts';
import { bookOf, incidentRowsTo, IncidentWatch } from './incidents.ts';
import type { Policies } from './policies.ts';
import type { Role, Site } from './role.ts';
import { Verdicts } from './verdicts.ts';

/** A restart reads again what came since the last snapshot, and counters are as old as that. */
const snapshotEveryMs = 1000;

/** The role that assesses, and what others are built on. */
export interface AssessRole extends Role {
  readonly incidents: KeptIncidents;
  readonly verdicts: Verdicts;
  /** The way of rows to ClickHouse. */
  readonly outbox: RowOutbox;
  kpis(): readonly Family[];
}

/** stream → runs → windows, and the stream of rows, of runs and of the policies in use */
export function assessRole(site: Site, plan: NonNullable<Plan['assess']>): AssessRole {
  const { enricher, spans, policies, telemetry, log } = site;
  const outbox = new RowOutbox(site.runs, { log });
  const book = bookOf(telemetry, {
    opened: (incident) => assessor.opened({ ...incident, timeMs: incident.detectedMs }),
    changed: () => assessor.change(),
  });
  const judge = new Judge((agent, environment) => policies.coverage.canaryRules(agent, environment));
  const ownership = { isAssessing: () => assessor.isAssessing, isSure: () => consumer.isSure };
  const verdicts: Verdicts = new Verdicts(judge, ownership, log);
  const assessor: Assessor = new Assessor(settingsOf(site, plan), {
    partitions: spans.partitions,
    spans: new EnrichedSpans(enricher),
    outbox,
    states: new StateLog(site.states, log),
    policyRevision: (agent, environment) => policies.coverage.revision(agent, environment),
    book,
    judge,
    judged: (judged) => verdicts.take(judged),
    incidentsCommitted: incidentRowsTo(outbox),
    clock,
    telemetry,
    log,
  });
  const consumer = consumerOf(site, assessor, outbox);
  policies.onChange(() => judge.rulesChanged());
  const incidents = {
    book,
    isKept: () => assessor.isAssessing && consumer.isSure,
    committed: () => assessor.committed(),
  };
  const kpis = () => assessor.families(consumer.isSure);
  const watch = new IncidentWatch({ incidents, policies: () => policies.inUse, kpis, clock });
  return {
    components: [watch, consumer, outbox],
    probes: [{ name: 'assess', check: () => checkOf(consumer, assessor) }],
    addresses: () => [],
    kpis: () => [...kpis(), ...verdicts.families(), ...watch.families()],
    verdicts,
    outbox,
    incidents,
  };
}

/** What the plan, and the policies in use, say of how runs are assessed. */
export function settingsOf(
  { policies }: { readonly policies: Pick<Policies, 'coverage'> },
  { runs, kpi }: NonNullable<Plan['assess']>,
): AssessorSettings {
  return {
    windowsMs: kpi.windows,
    latenessMs: kpi.lateness,
    maxSeries: kpi.max_series,
    zeroForMs: kpi.scrape_interval,
    goodOutcomes: (agent, environment) => policies.coverage.goodOutcomes(agent, environment),
    qualityTarget: (agent, environment, evaluator) =>
      policies.coverage.qualityTarget(agent, environment, evaluator),
    idleTimeoutMs: runs.idle_timeout,
    maxRuns: runs.max_open_runs,
    guessEscalations: runs.guess_escalations,
    snapshotEveryMs,
  };
}

function checkOf(consumer: StreamConsumer, assessor: Assessor): ReturnType<Probe['check']> {
  if (consumer.fault) return { flowing: false, reason: consumer.fault.message };
  return consumer.owned === 0 ? { flowing: true, reason: 'stands by' } : assessor.check();
}

/** Reads the spans, and says which policies are in use: when this process begins to own the spans, and when they change. */
function consumerOf({ spans, policies }: Site, assessor: Assessor, outbox: RowOutbox): StreamConsumer {
  const sayPolicies = (): void => {
    for (const policy of policies.inUse) outbox.add(policyRow(policy, clock.nowMs()));
    outbox.send();
  };
  const consumer = spans.consumer('assess', (claim, stopping) => {
    if (claim.partition === 0) sayPolicies(); // one member owns all partitions, this one among them
    return assessor.worker(claim, stopping);
  });
  policies.onChange(() => {
    if ((consumer.owned ?? 0) > 0) sayPolicies();
  });
  return consumer;
}
