import type { RowOutbox } from '../assess/row-outbox.ts';
import type { KeptIncidents } from '../api/incident-resource.ts';
import type { Clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import type { Telemetry } from '../core/telemetry.ts';
import {
  IncidentBook,
  type BookListener,
  type BookSettings,
  type BookState,
} from '../incidents/incident-book.ts';
import { incidentFamilies } from '../incidents/incident-families.ts';
import { incidentRow } from '../incidents/incident-row.ts';
import type { Family } from '../kpi/family.ts';
import { readingsOf, severitiesOf } from '../policy/objective-readings.ts';
import type { PolicyFile } from '../policy/read-policy.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const watchEveryMs = 10_000;

const settings: BookSettings = {
  conditions: { wellForMs: 5 * minuteMs, silentMs: 24 * hourMs, gapMs: minuteMs, limit: 10_000 },
  openLimit: 1000,
  reportLimit: 500,
  resolvedLimit: 1000,
  rememberMs: 24 * hourMs,
  quietMs: 30 * minuteMs,
};

/** A book; `told` is told of new incidents and of changes. */
export function bookOf(telemetry: Telemetry, told: Pick<BookListener, 'opened' | 'changed'>): IncidentBook {
  return new IncidentBook(settings, {
    opened: (incident) => told.opened(incident),
    changed: (incident) => told.changed(incident),
    unopened: (count) => telemetry.count('plimsoll_assess_unopened_incidents_total', count, {}),
  });
}

/** Adds a row of each committed incident that is not what it was when it was committed before. */
export function incidentRowsTo(outbox: Pick<RowOutbox, 'add' | 'send'>): (committed: BookState) => void {
  let versions = new Map<string, number>();
  return ({ incidents }) => {
    for (const incident of incidents)
      if (versions.get(incident.id) !== incident.version) outbox.add(incidentRow(incident));
    versions = new Map(incidents.map(({ id, version }) => [id, version]));
    outbox.send();
  };
}

/** What an incident watch works with. */
export interface WatchParts {
  readonly incidents: Pick<KeptIncidents, 'isKept'> & { readonly book: IncidentBook };
  readonly policies: () => readonly PolicyFile[];
  /** The KPIs as of now. */
  readonly kpis: () => readonly Family[];
  readonly clock: Clock;
}

/** Judges the objectives of the policies in use every 10 s, while this process keeps the book of incidents. */
export class IncidentWatch implements Component {
  readonly name = 'incidents';
  readonly #parts: WatchParts;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#watch(), watchEveryMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  /** The gauges of the book; none while another process keeps it. */
  families(): readonly Family[] {
    const { isKept, book } = this.#parts.incidents;
    return isKept() ? incidentFamilies(book.incidents) : [];
  }

  #watch(): void {
    const { incidents, policies, kpis, clock } = this.#parts;
    if (!incidents.isKept()) return;
    const inUse = policies();
    const readings = inUse.length === 0 ? [] : readingsOf(inUse, kpis());
    incidents.book.observe(readings, clock.nowMs(), severitiesOf(inUse));
  }
}
