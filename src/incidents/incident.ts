import { severities, type Severity } from '../semconv/vocabulary.ts';

/** Where an incident stands; each says that those before it are over. */
export const incidentStates = ['open', 'acknowledged', 'mitigated', 'resolved'] as const;
export type IncidentState = (typeof incidentStates)[number];

/**
 * Why an incident is over: what it was about is well again or decided, somebody said so, nothing was heard of it for so long that
 * nobody knows, or no policy judges it any more.
 */
export type Resolution = 'recovered' | 'api' | 'no_data' | 'withdrawn';

/** An episode that needs a response. Times are in milliseconds since the epoch, undefined where it did not come to that. */
export interface Incident {
  /** Random: no other one ever has it, also where a crash has taken this one back. */
  readonly id: string;
  /** What it is about: no two open ones have the same. */
  readonly key: string;
  /** Who opened it: the condition of a policy, or somebody through the API. */
  readonly source: 'policy' | 'api';
  /** The policy whose objective is not met, the revision of it that judged last, and the KPI; '' where the API opened it. */
  readonly policy: string;
  readonly revision: string;
  readonly kpi: string;
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  /** The gravest that it had. */
  readonly severity: Severity;
  /** Who answers for it; '' where nobody says. */
  readonly owner: string;
  readonly title: string;
  readonly summary: string;
  /** When what it is about began. */
  readonly startedMs: number;
  readonly detectedMs: number;
  readonly acknowledgedMs: number | undefined;
  readonly mitigatedMs: number | undefined;
  readonly resolvedMs: number | undefined;
  readonly resolution: Resolution | undefined;
  /** How often it came back within the quiet time, or was reported again while it was open. */
  readonly repeats: number;
  /** Greater with every change, and, as far as clocks agree, than that of a change which a crash has taken back. */
  readonly version: number;
}

/** Where `incident` stands. */
export function stateOf({ acknowledgedMs, mitigatedMs, resolvedMs }: Incident): IncidentState {
  if (resolvedMs !== undefined) return 'resolved';
  if (mitigatedMs !== undefined) return 'mitigated';
  return acknowledgedMs === undefined ? 'open' : 'acknowledged';
}

/** Whether `severity` is graver than `other`. */
export function isGraver(severity: Severity, other: Severity): boolean {
  return severities.indexOf(severity) < severities.indexOf(other);
}

/** Whether a key is one that a policy's incidents have, so that no report may take it. */
export function isPolicyKey(key: string): boolean {
  return key.startsWith('policy/');
}

/** `parts` as one text, from which `apart` tells them. */
export function joined(...parts: readonly string[]): string {
  return parts.map((part) => part.replaceAll('%', '%25').replaceAll('/', '%2F')).join('/');
}

/** The parts of what was `joined`. */
export function apart(text: string): readonly string[] {
  return text.split('/').map((part) => part.replaceAll('%2F', '/').replaceAll('%25', '%'));
}
