import { z } from 'zod';
import { rollbackLabel } from '../policy/release-rules.ts';
import { faultOf, parsedJson } from './json-body.ts';

/** An alert that asks for a rollback. */
interface RollbackAlert {
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly reason: string;
  /** What Alertmanager said of it. */
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** A notification of Alertmanager, taken apart. */
export interface Notification {
  readonly asking: readonly RollbackAlert[];
  /** Alerts that are over: noted, and nothing else, for an alert also ends when nobody sends data any more. */
  readonly resolved: number;
  /** Alerts that ask for nothing. */
  readonly others: number;
  /** What is wrong with those that cannot be read, each a sentence that begins with its place. */
  readonly faults: readonly string[];
  /** Alerts that Alertmanager left out. */
  readonly truncated: number;
}

const labels = z.record(z.string(), z.string());
const alert = z.object({
  status: z.enum(['firing', 'resolved']),
  labels,
  annotations: labels.prefault({}),
  startsAt: z.string().prefault(''),
  generatorURL: z.string().prefault(''),
  fingerprint: z.string().prefault(''),
});

/** Version 4 of the payload of webhooks, as far as it is used: Alertmanager adds keys as it grows. */
const payload = z.object({
  version: z.literal('4'),
  groupKey: z.string().prefault(''),
  truncatedAlerts: z.number().int().min(0).prefault(0),
  receiver: z.string().prefault(''),
  externalURL: z.string().prefault(''),
  alerts: z.array(z.unknown()).max(10_000),
});

const name = z.string().min(1).max(256);
const place = z.object({ agent: name, release: name, environment: name });
/** Of the evidence, as JSON: the journal keeps it for good. */
const limitBytes = 8192;

/** What `text` says, or what is wrong with all of it, as sentences. */
export function readNotification(text: string): Notification | { readonly faults: readonly string[] } {
  const value = parsedJson(text);
  if (value === undefined)
    return { faults: ['the body is no JSON: send what the webhooks of Alertmanager send'] };
  const { data, error } = payload.safeParse(value, { reportInput: true });
  if (!data) return { faults: error.issues.map((issue) => faultOf(issue)) };
  const { alerts, truncatedAlerts: truncated, groupKey, receiver, externalURL } = data;
  const asking: RollbackAlert[] = [];
  const faults: string[] = [];
  let resolved = 0;
  let others = 0;
  for (const [index, each] of alerts.entries()) {
    const at = `alerts.${index}`;
    const read = alert.safeParse(each, { reportInput: true });
    if (!read.data) faults.push(...read.error.issues.map((issue) => faultOf(issue, `${at}.`)));
    else if (read.data.labels['rollback'] !== rollbackLabel.rollback) others++;
    else if (read.data.status === 'resolved') resolved++;
    else {
      const of = place.safeParse(read.data.labels, { reportInput: true });
      if (of.data) asking.push({ ...of.data, ...said(read.data, { groupKey, receiver, externalURL }) });
      else faults.push(...of.error.issues.map((issue) => faultOf(issue, `${at}.labels.`)));
    }
  }
  return { asking, resolved, others, faults, truncated };
}

function said(
  read: z.infer<typeof alert>,
  from: Readonly<Record<string, string>>,
): Pick<RollbackAlert, 'reason' | 'evidence'> {
  const { alertname = 'an alert' } = read.labels;
  const summary = read.annotations['summary'] ?? read.annotations['description'];
  const evidence = { ...from, alert: read };
  return {
    reason: `${alertname}${summary === undefined ? '' : `: ${summary.slice(0, 500)}`}`.toWellFormed(),
    evidence:
      Buffer.byteLength(JSON.stringify(evidence)) <= limitBytes
        ? evidence
        : {
            fingerprint: read.fingerprint.slice(0, 100),
            startsAt: read.startsAt.slice(0, 100),
            left_out: 'too long',
          },
  };
}
