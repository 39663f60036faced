import type { TableRow } from '../../src/core/table-row.ts';
import { incidentRow } from '../../src/incidents/incident-row.ts';
import type { Incident } from '../../src/incidents/incident.ts';
import { rehearsalOf } from '../../src/semconv/rehearsal.ts';
import { at } from './days.ts';
import { rollbackPages } from './rollbacks.ts';

type Given = Pick<Incident, 'agent' | 'release' | 'severity' | 'title'> &
  Partial<Incident> & { readonly began: string; readonly found: string; readonly over?: string };

const given: readonly Given[] = [
  {
    agent: 'refund-agent',
    release: '1.3.0',
    severity: 'sev3',
    kpi: 'run_success',
    title: 'run_success is not met',
    began: '07-09 10:00',
    found: '07-09 10:21',
    over: '07-09 11:10',
  },
  {
    agent: 'support-agent',
    release: '7',
    severity: 'sev2',
    kpi: 'run_success',
    title: 'run_success is not met',
    began: '08-04 13:00',
    found: '08-04 13:30',
    over: '08-04 15:02',
  },
  {
    agent: 'refund-agent',
    release: '1.4.0',
    severity: 'sev3',
    kpi: 'cost_usd_per_run',
    title: 'cost_usd_per_run is not met',
    began: '08-19 09:00',
    found: '08-19 09:12',
    over: '08-19 14:40',
  },
  {
    agent: 'refund-agent',
    release: '1.4.0',
    severity: 'sev3',
    kpi: 'run_escalation',
    title: 'run_escalation is not met',
    began: '09-03 08:00',
    found: '09-03 08:44',
    over: '09-03 10:00',
  },
  {
    agent: 'support-agent',
    release: '8',
    severity: 'sev3',
    kpi: 'run_success',
    title: 'run_success is not met',
    began: '09-17 16:00',
    found: '09-17 16:25',
    over: '09-17 18:10',
  },
  {
    agent: 'research-agent',
    release: '2026.06',
    severity: 'sev4',
    source: 'api',
    policy: '',
    title: 'Reports cite a page that is gone',
    began: '09-22 09:00',
    found: '09-23 09:00',
    over: '09-25 12:00',
  },
  {
    agent: 'refund-agent',
    release: '1.5.0',
    severity: 'sev2',
    kpi: 'run_success',
    title: 'run_success is not met',
    began: '10-06 09:14',
    found: '10-06 09:52',
    over: '10-06 11:25',
    acknowledgedMs: at('10-06 09:58'),
    mitigatedMs: at('10-06 10:46'),
    repeats: 1,
  },
  {
    agent: 'refund-agent',
    release: '1.4.1',
    severity: 'sev1',
    source: 'api',
    policy: '',
    title: 'A refund was paid twice',
    began: '10-08 12:30',
    found: '10-08 14:05',
    over: '10-08 18:20',
    acknowledgedMs: at('10-08 14:09'),
    mitigatedMs: at('10-08 15:00'),
  },
  {
    agent: 'support-agent',
    release: '9',
    severity: 'sev3',
    kpi: 'run_success',
    title: 'run_success is not met',
    began: '10-13 08:00',
    found: '10-13 09:10',
    over: '10-13 19:40',
    acknowledgedMs: at('10-13 10:00'),
  },
  {
    agent: 'refund-agent',
    release: '1.5.1',
    severity: 'sev4',
    kpi: 'tool_call_duration',
    title: 'tool_call_duration is not met',
    began: '10-21 15:00',
    found: '10-21 15:20',
    over: '10-22 15:20',
    resolution: 'no_data',
  },
  {
    agent: 'support-agent',
    release: 'unknown',
    environment: 'unknown',
    severity: 'sev3',
    source: 'api',
    policy: '',
    title: 'A customer was quoted a price of last year',
    began: '10-25 10:00',
    found: '10-26 08:30',
    over: '10-27 09:00',
  },
  {
    agent: 'research-agent',
    release: '2026.10',
    severity: 'sev4',
    source: 'api',
    policy: '',
    title: 'Half of the searches come back empty',
    began: '10-30 09:00',
    found: '10-30 11:00',
  },
  {
    agent: 'refund-agent',
    release: 'drill-bad',
    environment: rehearsalOf('production', 'm1'),
    severity: 'sev2',
    kpi: 'run_success',
    title: 'run_success is not met',
    began: '10-15 10:05',
    found: '10-15 10:10',
    over: '10-15 10:40',
  },
];

/**
 * Rows of `incidents`: one that is still open, one whose end nobody saw, one of a drill, one of no environment, and what
 * people were told of rollbacks, two of them requests for an approval.
 */
export function incidentRows(): readonly TableRow[] {
  return [...befallen(), ...pagedRows()];
}

/** Pages that nobody ended. */
function pagedRows(): readonly TableRow[] {
  return rollbackPages().map(({ page, atMs }, index) =>
    incidentRow({
      id: `page-${index + 1}`,
      source: 'api',
      policy: '',
      revision: '',
      kpi: '',
      ...page,
      startedMs: atMs,
      detectedMs: atMs,
      acknowledgedMs: undefined,
      mitigatedMs: undefined,
      resolvedMs: undefined,
      resolution: undefined,
      repeats: 0,
      version: 1000 + index,
    }),
  );
}

function befallen(): readonly TableRow[] {
  return given.map(({ began, found, over, ...said }, index) =>
    incidentRow({
      id: `incident-${index + 1}`,
      key: said.source === 'api' ? `reported-${index}` : `policy/${said.agent}/${said.kpi}/${index}`,
      source: 'policy',
      policy: said.agent,
      revision: '',
      kpi: '',
      environment: 'production',
      owner: said.agent === 'refund-agent' ? 'team-payments' : 'team-support',
      summary: '',
      startedMs: at(began),
      detectedMs: at(found),
      acknowledgedMs: undefined,
      mitigatedMs: undefined,
      resolvedMs: over === undefined ? undefined : at(over),
      resolution: over === undefined ? undefined : said.source === 'api' ? 'api' : 'recovered',
      repeats: 0,
      version: index + 1,
      ...said,
    }),
  );
}
