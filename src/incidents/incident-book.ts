import { randomUUID } from 'node:crypto';
import type { Severity } from '../semconv/vocabulary.ts';
import {
  Conditions,
  type Condition,
  type ConditionSettings,
  type ConditionsState,
  type Reading,
  type SeveritiesOf,
} from './conditions.ts';
import { isGraver, type Incident, type IncidentState, type Resolution } from './incident.ts';

/** How much a book holds, and durations in milliseconds. */
export interface BookSettings {
  readonly conditions: ConditionSettings;
  /** Incidents that are open at once; what comes beyond is not opened. */
  readonly openLimit: number;
  /** Of them so many may be reported ones, so that policies always have room. */
  readonly reportLimit: number;
  /** Resolved incidents that are remembered; those that were resolved first are forgotten first. */
  readonly resolvedLimit: number;
  /** A resolved incident is forgotten after this. */
  readonly rememberMs: number;
  /** What comes back within this time of its end is the same incident. */
  readonly quietMs: number;
}

/** Who is told of what happens. An incident is lent: it changes later. */
export interface BookListener {
  /** A new incident; not one that comes back. */
  opened(incident: Incident): void;
  /** An incident is new or not what it was. */
  changed(incident: Incident): void;
  /** So many conditions fire, or are to be watched, for which there is no room. */
  unopened(count: number): void;
}

/** What somebody reports. */
export interface Report {
  readonly key: string;
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly severity: Severity;
  readonly owner: string;
  readonly title: string;
  readonly summary: string;
  /** When it began; undefined: now. */
  readonly startedMs: number | undefined;
}

/** What became of a report. */
export type Opening =
  | { readonly kind: 'opened' | 'reopened' | 'repeated'; readonly incident: Incident }
  | { readonly kind: 'taken'; readonly incident: Incident }
  | { readonly kind: 'full'; readonly limit: number; readonly of: 'incidents' | 'reported incidents' };

/** What became of a change. */
export type Change =
  | { readonly kind: 'changed' | 'unchanged' | 'over'; readonly incident: Incident }
  | { readonly kind: 'unknown' };

/** What an incident is about. */
type About = Omit<
  Incident,
  'id' | 'detectedMs' | 'acknowledgedMs' | 'mitigatedMs' | 'resolvedMs' | 'resolution' | 'repeats' | 'version'
>;

type Release = Pick<Incident, 'agent' | 'release' | 'environment'>;

/** An incident as the book keeps it. */
type Entry = { -readonly [K in keyof Incident]: Incident[K] };

/** All of a book, as plain data. */
export interface BookState {
  readonly incidents: readonly Incident[];
  readonly conditions: ConditionsState;
}

const emptyState: BookState = { incidents: [], conditions: { watched: new Map(), lastMs: undefined } };

/**
 * The incidents that are open, and those that were a while ago. A policy's are opened and resolved by rounds of readings
 * of its objectives (see `Conditions`), any by what somebody reports: one is open for each key. What comes back within
 * the quiet time of its end is the same incident, opened again and still acknowledged; a severity only rises. What
 * somebody resolved and is not well comes back.
 */
export class IncidentBook {
  readonly #settings: BookSettings;
  readonly #listener: BookListener;
  readonly #conditions: Conditions;
  readonly #newId: () => string;
  /** By id, in the order in which they were opened. */
  readonly #incidents = new Map<string, Entry>();
  /** The latest of each key. */
  readonly #latest = new Map<string, Entry>();
  /** Keys for which there was no room, so that each is told of once. */
  #turnedAway = new Set<string>();
  #open = 0;

  /** `newId` gives ids, each once, whatever process asks. */
  constructor(settings: BookSettings, listener: BookListener, newId: () => string = randomUUID) {
    this.#settings = settings;
    this.#listener = listener;
    this.#newId = newId;
    this.#conditions = new Conditions(settings.conditions);
  }

  /** Those that are open, and those that were resolved a while ago, in the order in which they were opened. */
  get incidents(): Iterable<Incident> {
    return this.#incidents.values();
  }

  /** Takes a round of readings: all that there are at `nowMs`, of what `severitiesOf` says that policies judge. */
  observe(readings: readonly Reading[], nowMs: number, severitiesOf: SeveritiesOf): void {
    const { firing, over, unwatched } = this.#conditions.round(readings, nowMs, severitiesOf);
    const turnedAway = new Set(unwatched);
    for (const { reading, condition } of firing)
      if (!this.#raise(reading, condition, nowMs)) turnedAway.add(condition.key);
    const anew = turnedAway.difference(this.#turnedAway).size;
    if (anew > 0) this.#listener.unopened(anew);
    this.#turnedAway = turnedAway;
    for (const [key, how] of over) {
      const entry = this.#latest.get(key);
      if (entry && isOpen(entry)) this.#resolve(entry, how, nowMs);
    }
    this.#forget(nowMs);
  }

  /**
   * Takes a report. One for a key that is open, or was a moment ago, is of that incident; one of another release is not,
   * and the key of an open one is then taken.
   */
  open(report: Report, nowMs: number): Opening {
    const { key, severity } = report;
    const current = this.#current(key, nowMs);
    const known = current && isOfOneRelease(current, report) ? current : undefined;
    if (current && !known && isOpen(current)) return { kind: 'taken', incident: current };
    if (known && isOpen(known)) {
      if (isGraver(severity, known.severity)) known.severity = severity;
      known.repeats++;
      this.#changed(known, nowMs);
      return { kind: 'repeated', incident: known };
    }
    const { openLimit, reportLimit } = this.#settings;
    if (this.#open >= openLimit) return { kind: 'full', limit: openLimit, of: 'incidents' };
    if (this.#reported >= reportLimit) return { kind: 'full', limit: reportLimit, of: 'reported incidents' };
    if (known) {
      this.#reopen(known, severity, nowMs);
      return { kind: 'reopened', incident: known };
    }
    const startedMs = Math.min(report.startedMs ?? nowMs, nowMs);
    const about: About = { ...report, startedMs, source: 'api', policy: '', revision: '', kpi: '' };
    return { kind: 'opened', incident: this.#add(about, nowMs) };
  }

  /** Somebody has seen an incident, has ended its effects, or has ended it. */
  change(
    ref: { readonly id: string } | { readonly key: string },
    state: Exclude<IncidentState, 'open'>,
    nowMs: number,
  ): Change {
    const entry = this.#find(ref);
    if (!entry) return { kind: 'unknown' };
    if (!isOpen(entry)) return { kind: state === 'resolved' ? 'unchanged' : 'over', incident: entry };
    const { acknowledgedMs, mitigatedMs, detectedMs } = entry;
    if (
      (state === 'acknowledged' ? acknowledgedMs : state === 'mitigated' ? mitigatedMs : undefined) !==
      undefined
    )
      return { kind: 'unchanged', incident: entry };
    const atMs = Math.max(nowMs, detectedMs);
    entry.acknowledgedMs ??= atMs;
    if (state === 'mitigated') entry.mitigatedMs = atMs;
    if (state === 'resolved') {
      this.#conditions.dismiss(entry.key, nowMs);
      this.#resolve(entry, 'api', nowMs);
      this.#forget(nowMs);
    } else this.#changed(entry, nowMs);
    return { kind: 'changed', incident: entry };
  }

  /** What the incident of `key` was reported for is over, as who reported it knows; nothing where none is open. */
  recovered(key: string, nowMs: number): void {
    const entry = this.#latest.get(key);
    if (entry && isOpen(entry)) this.#resolve(entry, 'recovered', nowMs);
  }

  /** A copy of everything, as plain data. */
  save(): BookState {
    return {
      incidents: [...this.#incidents.values()].map((entry) => ({ ...entry })),
      conditions: this.#conditions.save(),
    };
  }

  /** Replaces everything by a copy of what `save` gave, without telling anybody; empties the book without. */
  restore(state: BookState = emptyState): void {
    const { incidents, conditions } = state;
    this.#incidents.clear();
    this.#latest.clear();
    this.#turnedAway = new Set();
    for (const incident of incidents) this.#enter({ ...incident });
    this.#open = incidents.filter(isOpen).length;
    this.#conditions.restore(conditions);
  }

  /** How many of those that are open were reported. */
  get #reported(): number {
    return this.#incidents
      .values()
      .reduce((sum, each) => sum + Number(isOpen(each) && each.source === 'api'), 0);
  }

  /** The incident that a report or a condition of `key` is part of. */
  #current(key: string, nowMs: number): Entry | undefined {
    const entry = this.#latest.get(key);
    if (!entry || entry.resolvedMs === undefined) return entry;
    return nowMs - entry.resolvedMs <= this.#settings.quietMs ? entry : undefined;
  }

  /** The latest incident of a key, or the one of an id. */
  #find(ref: { readonly id: string } | { readonly key: string }): Entry | undefined {
    return 'id' in ref ? this.#incidents.get(ref.id) : this.#latest.get(ref.key);
  }

  /** Sees to it that the incident of a firing condition is open; false when it is not, for want of room. */
  #raise(reading: Reading, { key, sinceMs }: Readonly<Condition>, nowMs: number): boolean {
    const known = this.#current(key, nowMs);
    if (known && isOpen(known)) {
      this.#update(known, reading, nowMs);
      return true;
    }
    const { policy, revision, kpi, agent, release, environment, severity, violation: summary } = reading;
    if (summary === undefined || this.#open >= this.#settings.openLimit) return false;
    const { owner, title } = reading;
    if (known) {
      Object.assign(known, { revision, owner, title, summary });
      this.#reopen(known, severity, nowMs);
    } else {
      const whose = { policy, revision, kpi, agent, release, environment, owner };
      const about = { ...whose, key, severity, title, summary, startedMs: sinceMs };
      this.#add({ ...about, source: 'policy' }, nowMs);
    }
    return true;
  }

  /** An open incident is its policy's of now, and what was gravest. */
  #update(known: Entry, { revision, owner, severity, violation }: Reading, nowMs: number): void {
    const isWorse = violation !== undefined && isGraver(severity, known.severity);
    if (!isWorse && revision === known.revision && owner === known.owner) return;
    known.revision = revision;
    known.owner = owner;
    if (isWorse) {
      known.severity = severity;
      known.summary = violation;
    }
    this.#changed(known, nowMs);
  }

  #add(about: About, nowMs: number): Incident {
    const entry: Entry = {
      ...about,
      id: this.#newId(),
      detectedMs: nowMs,
      acknowledgedMs: undefined,
      mitigatedMs: undefined,
      resolvedMs: undefined,
      resolution: undefined,
      repeats: 0,
      version: 0,
    };
    this.#enter(entry);
    this.#open++;
    this.#listener.opened(entry);
    this.#changed(entry, nowMs);
    return entry;
  }

  #enter(entry: Entry): void {
    this.#incidents.set(entry.id, entry);
    this.#latest.set(entry.key, entry);
  }

  #reopen(entry: Entry, severity: Severity, nowMs: number): void {
    if (isGraver(severity, entry.severity)) entry.severity = severity;
    entry.mitigatedMs = entry.resolvedMs = entry.resolution = undefined;
    entry.repeats++;
    this.#open++;
    this.#changed(entry, nowMs);
  }

  #resolve(entry: Entry, resolution: Resolution, nowMs: number): void {
    const { detectedMs, acknowledgedMs = detectedMs, mitigatedMs = acknowledgedMs } = entry;
    entry.resolvedMs = Math.max(nowMs, mitigatedMs);
    entry.resolution = resolution;
    this.#open--;
    this.#changed(entry, nowMs);
  }

  #changed(entry: Entry, nowMs: number): void {
    entry.version = Math.max(entry.version + 1, nowMs);
    this.#listener.changed(entry);
  }

  /** Forgets resolved incidents that are too old or too many. */
  #forget(nowMs: number): void {
    const { rememberMs, resolvedLimit } = this.#settings;
    let excess = this.#incidents.size - this.#open - resolvedLimit;
    const resolved = [...this.#incidents.values()]
      .filter((entry) => !isOpen(entry))
      .toSorted((a, b) => (a.resolvedMs ?? 0) - (b.resolvedMs ?? 0));
    for (const entry of resolved) {
      if (excess-- <= 0 && nowMs - (entry.resolvedMs ?? 0) <= rememberMs) break;
      this.#incidents.delete(entry.id);
      if (this.#latest.get(entry.key) === entry) this.#latest.delete(entry.key);
    }
  }
}

function isOfOneRelease(a: Release, b: Release): boolean {
  return a.agent === b.agent && a.release === b.release && a.environment === b.environment;
}

function isOpen({ resolvedMs }: Incident): boolean {
  return resolvedMs === undefined;
}
