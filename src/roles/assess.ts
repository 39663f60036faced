import { Assessor } from '../assess/assessor.ts';
import { RowOutbox } from '../assess/row-outbox.ts';
import { systemClock as clock } from '../core/clock.ts';
import { EnrichedSpans } from '../enrich/enriched-spans.ts';
import type { Family } from '../kpi/family.ts';
import type { Plan } from '../plan.ts';
import type { Role, Site } from './role.ts';

/** stream → runs → windows, and the stream of runs */
export function assessRole(
  site: Site,
  { runs, kpi }: NonNullable<Plan['assess']>,
): Role & { kpis(): readonly Family[] } {
  const { enricher, spans, telemetry, log } = site;
  const outbox = new RowOutbox(site.runs, { log });
  const assessor = new Assessor(
    {
      windowsMs: kpi.windows,
      latenessMs: kpi.lateness,
      maxSeries: kpi.max_series,
      idleTimeoutMs: runs.idle_timeout,
      maxRuns: runs.max_open_runs,
      guessEscalations: runs.guess_escalations,
    },
    { partitions: spans.partitions, spans: new EnrichedSpans(enricher), outbox, clock, telemetry, log },
  );
  const consumer = spans.consumer('assess', assessor.worker);
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
    kpis: () => assessor.families(),
  };
}
