import type { IncomingMessage } from 'node:http';
import type { Clock } from '../core/clock.ts';
import { bodyWithin } from '../core/http-body.ts';
import type { Answer, Resource } from '../core/http-endpoint.ts';
import type { Log } from '../core/log.ts';
import { instant } from '../core/instant.ts';
import type { Change, IncidentBook, Opening } from '../incidents/incident-book.ts';
import { stateOf, type Incident } from '../incidents/incident.ts';
import { readIncidentRequest, type IncidentRequest } from './incident-request.ts';
import { failed, json } from './json-answer.ts';
import { tooLarge } from './json-body.ts';

/** The incidents of this process, and whether it is the one that keeps them. */
export interface KeptIncidents {
  readonly book: Pick<IncidentBook, 'incidents' | 'open' | 'change' | 'recovered'>;
  /** False in a process that stands by: then nobody may write in the book, and what it says is old. */
  isKept(): boolean;
  /** Resolves when what is in the book now survives this process. Rejects when it may not. */
  committed(): Promise<void>;
}

/** What the resource works with. */
export interface IncidentParts {
  readonly incidents: KeptIncidents;
  readonly clock: Clock;
  readonly log: Log;
  /** How long an answer waits for the commit, in milliseconds. */
  readonly commitMs: number;
}

const limitBytes = 64 * 1024;

/** What the kinds of `Opening` and `Change` are to HTTP. */
const statuses: Readonly<Record<(Opening | Change)['kind'], number>> = {
  opened: 201,
  reopened: 200,
  repeated: 200,
  changed: 200,
  unchanged: 200,
  unknown: 404,
  taken: 409,
  over: 409,
  full: 503,
};

/**
 * The incidents that are open; `?state=all` also those that were resolved a while ago. A POST opens one or changes one,
 * and is answered when that survives the process. A change that comes again changes nothing more; a report that does is
 * the incident that is open, which counts it in `repeats`.
 */
export function incidentResource(parts: IncidentParts): Required<Resource> {
  return {
    GET: async (request) => {
      if (!parts.incidents.isKept()) return standsBy();
      const states = new URL(request.url ?? '/', 'http://localhost').searchParams.getAll('state');
      if (states.some((state) => state !== 'all'))
        return failed(400, 'state: must be all, or be left out for the incidents that are open');
      const all = states.length > 0;
      const incidents = [...parts.incidents.book.incidents].filter(
        ({ resolvedMs }) => all || resolvedMs === undefined,
      );
      return json(200, { incidents: incidents.map(incidentJson) });
    },
    POST: async (request) => post(request, parts),
  };
}

async function post(request: IncomingMessage, parts: IncidentParts): Promise<Answer> {
  const body = await bodyWithin(request, limitBytes);
  if (body === undefined) return tooLarge(limitBytes);
  const read = readIncidentRequest(body.toString('utf8'));
  if ('faults' in read) return failed(400, ...read.faults);
  if (!parts.incidents.isKept()) return standsBy();
  const done = write(read.request, parts);
  const status = statuses[done.kind];
  if (status >= 400) return failed(status, faultOf(done));
  const answer = 'incident' in done && json(status, incidentJson(done.incident));
  return (await isCommitted(parts)) && answer
    ? answer
    : failed(503, 'nobody knows whether this was kept: send it again, to where it is kept now');
}

function write(request: IncidentRequest, { incidents: { book }, clock }: IncidentParts): Opening | Change {
  const nowMs = clock.nowMs();
  return request.kind === 'report'
    ? book.open(request.report, nowMs)
    : book.change(request.of, request.state, nowMs);
}

async function isCommitted({ incidents, commitMs, log }: IncidentParts): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, commitMs, false);
  const committed = incidents.committed().then(
    () => true,
    (error: unknown) => {
      log.warn({ err: error }, 'what was said of an incident may not survive');
      return false;
    },
  );
  return Promise.race([committed, late]).finally(() => clearTimeout(timer));
}

function standsBy(): Answer {
  return failed(503, 'this process stands by: ask the one that assesses');
}

function faultOf(done: Opening | Change): string {
  if (done.kind === 'unknown')
    return 'there is no such incident: it was never opened, or was resolved more than a day ago';
  if (done.kind === 'full')
    return `${done.limit} ${done.of} are open, which is all that there may be: resolve some`;
  const { id, agent, release, environment } = done.incident;
  return done.kind === 'taken'
    ? `the key is that of the incident ${id}, of ${agent} ${release} in ${environment}: use another one`
    : `the incident ${id} is resolved: open it again`;
}

/** An incident as it is answered: times in RFC 3339, null where it did not come to that. */
function incidentJson(incident: Incident): Readonly<Record<string, unknown>> {
  return {
    id: incident.id,
    key: incident.key,
    state: stateOf(incident),
    severity: incident.severity,
    title: incident.title,
    summary: incident.summary,
    owner: incident.owner,
    agent: incident.agent,
    release: incident.release,
    environment: incident.environment,
    source: incident.source,
    policy: incident.policy,
    policy_revision: incident.revision,
    kpi: incident.kpi,
    started: timeText(incident.startedMs),
    detected: timeText(incident.detectedMs),
    acknowledged: timeText(incident.acknowledgedMs),
    mitigated: timeText(incident.mitigatedMs),
    resolved: timeText(incident.resolvedMs),
    resolution: incident.resolution ?? null,
    repeats: incident.repeats,
  };
}

function timeText(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : instant(timeMs);
}
