import { Assessor } from '../assess/assessor.ts';
import { RowOutbox } from '../assess/row-outbox.ts';
import { systemClock as clock } from '../core/clock.ts';
import { StateLog } from '../assess/state-log.ts';
import type { StreamConsumer } from '../core/stream.ts';
import { EnrichedSpans } from '../enrich/enriched-spans.ts';
import type { Family } from '../kpi/family.ts';
import type { Plan } from '../plan.ts';
import { policyRow } from '../policy/policy-row.ts';
import type { Role, Site } from './role.ts';

/** A restart reads again what came since the last snapshot, and counters are as old as that. */
const snapshotEveryMs = 1000;

/** stream → runs → windows, and the stream of rows, of runs and of the policies in use */
export function assessRole(
  site: Site,
  { runs, kpi }: NonNullable<Plan['assess']>,
): Role & { kpis(): readonly Family[] } {
  const { enricher, spans, policies, telemetry, log } = site;
  const outbox = new RowOutbox(site.runs, { log });
  const assessor = new Assessor(
    {
      windowsMs: kpi.windows,
      latenessMs: kpi.lateness,
      maxSeries: kpi.max_series,
      idleTimeoutMs: runs.idle_timeout,
      maxRuns: runs.max_open_runs,
      guessEscalations: runs.guess_escalations,
      snapshotEveryMs,
    },
    {
      partitions: spans.partitions,
      streamId: () => spans.id,
      spans: new EnrichedSpans(enricher),
      outbox,
      states: new StateLog(site.states, log),
      policyRevision: (agent, environment) => policies.coverage.revision(agent, environment),
      clock,
      telemetry,
      log,
    },
  );
  const consumer = consumerOf(site, assessor, outbox);
  return {
    components: [consumer, outbox],
    probes: [
      {
        name: 'assess',
        check: () => {
          if (consumer.fault) return { flowing: false, reason: consumer.fault.message };
          return consumer.owned === 0 ? { flowing: true, reason: 'stands by' } : assessor.check();
        },
      },
    ],
    addresses: () => [],
    kpis: () => assessor.families(consumer.isSure),
  };
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
