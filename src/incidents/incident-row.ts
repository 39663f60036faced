import { instantText as instant, nameText as text, type TableRow } from '../core/table-row.ts';
import type { Incident } from './incident.ts';

const word = 'LowCardinality(String)';
const time = "DateTime64(3, 'UTC')";
const maybeTime = "Nullable(DateTime64(3, 'UTC'))";

/** The columns of `incidents` that a row says, in table order. */
export const incidentColumns = [
  { name: 'IncidentId', type: 'String' },
  { name: 'IncidentKey', type: 'String' },
  { name: 'Source', type: word },
  { name: 'Policy', type: word },
  { name: 'PolicyRevision', type: word },
  { name: 'Kpi', type: word },
  { name: 'AgentName', type: word },
  { name: 'Release', type: word },
  { name: 'Environment', type: word },
  { name: 'Severity', type: word },
  { name: 'Owner', type: word },
  { name: 'Title', type: 'String' },
  { name: 'Summary', type: 'String' },
  { name: 'StartedTime', type: time },
  { name: 'DetectedTime', type: time },
  { name: 'AcknowledgedTime', type: maybeTime },
  { name: 'MitigatedTime', type: maybeTime },
  { name: 'ResolvedTime', type: maybeTime },
  { name: 'Resolution', type: word },
  { name: 'Repeats', type: 'UInt32' },
  { name: 'Version', type: 'UInt64' },
] as const;

/** What a column holds; undefined is what it holds when nobody says: 0, '' or NULL. */
type IncidentRow = {
  readonly [C in (typeof incidentColumns)[number] as C['name']]: string | number | undefined;
};

/** The row of `incident` as it is now. */
export function incidentRow(incident: Incident): TableRow {
  const row: IncidentRow = {
    IncidentId: incident.id,
    IncidentKey: text(incident.key),
    Source: incident.source,
    Policy: text(incident.policy),
    PolicyRevision: text(incident.revision),
    Kpi: text(incident.kpi),
    AgentName: text(incident.agent),
    Release: text(incident.release),
    Environment: text(incident.environment),
    Severity: incident.severity,
    Owner: text(incident.owner),
    Title: text(incident.title),
    Summary: text(incident.summary),
    StartedTime: instant(incident.startedMs),
    DetectedTime: instant(incident.detectedMs),
    AcknowledgedTime: maybe(incident.acknowledgedMs),
    MitigatedTime: maybe(incident.mitigatedMs),
    ResolvedTime: maybe(incident.resolvedMs),
    Resolution: incident.resolution,
    Repeats: incident.repeats || undefined,
    Version: incident.version,
  };
  return { table: 'incidents', key: incident.id, version: incident.version, row: JSON.stringify(row) };
}

function maybe(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : instant(timeMs);
}
