import type { Reading, SeveritiesOf } from '../../src/incidents/conditions.ts';
import { IncidentBook, type BookSettings, type Report } from '../../src/incidents/incident-book.ts';
import type { Incident } from '../../src/incidents/incident.ts';

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;

/** Policies that judge everything with the severities that readings of these tests have. */
export const judgeAll: SeveritiesOf = () => ['sev2', 'sev3'];

export const settings: BookSettings = {
  conditions: { wellForMs: 5 * minuteMs, silentMs: 24 * hourMs, gapMs: minuteMs, limit: 1000 },
  openLimit: 100,
  reportLimit: 100,
  resolvedLimit: 100,
  rememberMs: 24 * hourMs,
  quietMs: 30 * minuteMs,
};

/** A book and what it told. */
export interface Told {
  readonly book: IncidentBook;
  /** As they were when it told of them. */
  readonly opened: Incident[];
  readonly changed: Incident[];
  unopened: number;
}

export function bookOf(over: Partial<BookSettings> = {}, newId?: () => string): Told {
  const opened: Incident[] = [];
  const changed: Incident[] = [];
  const told: Told = {
    book: new IncidentBook(
      { ...settings, ...over },
      {
        opened: (incident) => void opened.push({ ...incident }),
        changed: (incident) => void changed.push({ ...incident }),
        unopened: (count) => {
          told.unopened += count;
        },
      },
      newId,
    ),
    opened,
    changed,
    unopened: 0,
  };
  return told;
}

export function reading(over: Partial<Reading> = {}): Reading {
  return {
    policy: 'refund-agent',
    revision: '0123456789ab',
    kpi: 'cost_usd_per_run',
    agent: 'refund-agent',
    release: '1.4.0',
    environment: 'production',
    part: '',
    severity: 'sev3',
    owner: 'team-payments',
    title: 'CostUsdPerRunAboveLimit',
    holdMs: 5 * minuteMs,
    violation: 'refund-agent 1.4.0 in production: 0.0100 USD.',
    ...over,
  };
}

export const well = (over: Partial<Reading> = {}): Reading => reading({ violation: undefined, ...over });

export function report(over: Partial<Report> = {}): Report {
  return {
    key: 'double-refund',
    agent: 'refund-agent',
    release: '1.4.0',
    environment: 'production',
    severity: 'sev1',
    owner: 'team-payments',
    title: 'A refund was paid twice',
    summary: '',
    startedMs: undefined,
    ...over,
  };
}
