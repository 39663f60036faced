import type { Severity } from '../semconv/vocabulary.ts';
import { apart, joined, type Resolution } from './incident.ts';

/**
 * What was seen of an objective of a release: whether it is met. Where there are too few events to say there is no
 * reading, and none is no good news.
 */
export interface Reading {
  readonly policy: string;
  readonly revision: string;
  readonly kpi: string;
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  /** Tells apart what an objective watches of one release, such as its tools; '' where that is one thing. */
  readonly part: string;
  readonly severity: Severity;
  readonly owner: string;
  readonly title: string;
  /** For so long it must not be met before that is an incident. */
  readonly holdMs: number;
  /** What is wrong, as a sentence; undefined while the objective is met. */
  readonly violation: string | undefined;
}

/** With which severities the policies in use judge a KPI of an agent in an environment, the gravest first; none where they do not. */
export type SeveritiesOf = (
  of: Pick<Reading, 'policy' | 'kpi' | 'agent' | 'environment'>,
) => readonly Severity[];

/** Durations in milliseconds. */
export interface ConditionSettings {
  /** For so long a condition must be well again before it is over. */
  readonly wellForMs: number;
  /** A condition of which nothing was heard for so long is over. */
  readonly silentMs: number;
  /** What nobody watched for longer than this is neither known to have held nor to have been well. */
  readonly gapMs: number;
  /** Conditions that are watched at once. */
  readonly limit: number;
}

/** An objective that is not met, or was not a moment ago. */
export interface Condition {
  /** The key of its incident. */
  readonly key: string;
  /** Since when it was seen not to be met. */
  sinceMs: number;
  /** When it begins to fire, if it goes on. */
  dueMs: number;
  isFiring: boolean;
  wellSinceMs: number | undefined;
  knownMs: number;
}

/** All that is watched, as plain data. */
export interface ConditionsState {
  readonly watched: ReadonlyMap<string, Condition>;
  /** The time of the last round. */
  readonly lastMs: number | undefined;
}

/** How what was firing ends. */
type Ending = Exclude<Resolution, 'api'>;

/** What a round of readings changed. */
export interface Round {
  /** Readings whose condition fires, also those of an objective that is met, until that is over. */
  readonly firing: readonly { readonly reading: Reading; readonly condition: Readonly<Condition> }[];
  /** Keys of which a condition fired and none does any more, and why. */
  readonly over: ReadonlyMap<string, Ending>;
  /** Keys of readings for which there was no room. */
  readonly unwatched: ReadonlySet<string>;
}

/** The key of the incident that `reading` is about: one for each policy, KPI, agent, release and environment. */
export function keyOf({ policy, kpi, agent, release, environment }: Reading): string {
  return joined('policy', policy, kpi, agent, release, environment);
}

/**
 * Tells when an objective that is not met is an incident and when that is over, as Prometheus does with its alert: it
 * begins to fire when it was not met for `holdMs` in all rounds, without one that says nothing. It is over only when it
 * was met for `wellForMs` in all rounds; while nothing is heard it goes on. A gap between rounds begins the time that is
 * waited for anew. What no policy judges any more is over; where it only has another severity, it goes on with that.
 */
export class Conditions {
  readonly #settings: ConditionSettings;
  #conditions = new Map<string, Condition>();
  #lastMs: number | undefined;

  constructor(settings: ConditionSettings) {
    this.#settings = settings;
  }

  /** Takes all readings of `nowMs`, and with which severities there can be some. */
  round(readings: readonly Reading[], nowMs: number, severitiesOf: SeveritiesOf): Round {
    this.#lapse(nowMs);
    const heard = new Set<string>();
    const firing: Round['firing'][number][] = [];
    const ended = new Map<string, Ending>();
    const unwatched = new Set<string>();
    this.#follow(severitiesOf, ended);
    for (const reading of readings) {
      const id = joined(keyOf(reading), reading.severity, reading.part);
      heard.add(id);
      const known = this.#conditions.get(id);
      if (reading.violation === undefined) {
        if (known && this.#isOver(known, nowMs)) this.#end(id, known, ended, 'recovered');
        else if (known) firing.push({ reading, condition: known });
        continue;
      }
      const condition = known ?? this.#begin(id, reading, nowMs);
      if (condition === undefined) unwatched.add(keyOf(reading));
      else if (holds(condition, nowMs)) firing.push({ reading, condition });
    }
    for (const [id, condition] of this.#conditions)
      if (!heard.has(id) && this.#isForgotten(condition, nowMs)) this.#end(id, condition, ended, 'no_data');
    for (const { key, isFiring } of this.#conditions.values()) if (isFiring) ended.delete(key);
    return { firing, over: ended, unwatched };
  }

  /** Somebody says that what `key` is about is over: where it is not, it is an incident again after `wellForMs`. */
  dismiss(key: string, nowMs: number): void {
    for (const [id, condition] of this.#conditions) {
      if (condition.key !== key) continue;
      const isHolding = condition.knownMs === this.#lastMs && condition.wellSinceMs === undefined;
      if (!isHolding) this.#conditions.delete(id);
      condition.isFiring = false;
      condition.sinceMs = nowMs;
      condition.dueMs = nowMs + this.#settings.wellForMs;
    }
  }

  /** A copy of all that is watched. */
  save(): ConditionsState {
    return { watched: copyOf(this.#conditions), lastMs: this.#lastMs };
  }

  /** Replaces all that is watched by a copy of what `save` gave. */
  restore({ watched, lastMs }: ConditionsState): void {
    this.#conditions = copyOf(watched);
    this.#lastMs = lastMs;
  }

  /** After a gap, or when the clock was set back, what was waited for is waited for anew. */
  #lapse(nowMs: number): void {
    const lapsed = this.#lastMs !== undefined && Math.abs(nowMs - this.#lastMs) > this.#settings.gapMs;
    this.#lastMs = nowMs;
    if (!lapsed) return;
    for (const condition of this.#conditions.values()) {
      condition.wellSinceMs = undefined;
      if (condition.isFiring) condition.knownMs = nowMs;
      else {
        condition.dueMs += nowMs - condition.sinceMs;
        condition.sinceMs = nowMs;
      }
    }
  }

  /** Takes what the policies say now: a condition with a severity that they do not have has one of theirs, or ends. */
  #follow(severitiesOf: SeveritiesOf, ended: Map<string, Ending>): void {
    for (const [id, condition] of this.#conditions) {
      const [, severity, part = ''] = apart(id);
      const [, policy = '', kpi = '', agent = '', , environment = ''] = apart(condition.key);
      const severities = severitiesOf({ policy, kpi, agent, environment });
      if (severities.some((one) => one === severity)) continue;
      this.#end(id, condition, ended, 'withdrawn');
      const heirs = severities.map((one) => joined(condition.key, one, part));
      const heir = heirs.find((one) => !this.#conditions.has(one)) ?? heirs[0];
      if (heir === undefined) continue;
      const known = this.#conditions.get(heir);
      if (known) known.isFiring ||= condition.isFiring;
      else this.#conditions.set(heir, condition);
    }
  }

  #begin(id: string, reading: Reading, nowMs: number): Condition | undefined {
    if (this.#conditions.size >= this.#settings.limit) return undefined;
    const condition = {
      key: keyOf(reading),
      sinceMs: nowMs,
      dueMs: nowMs + reading.holdMs,
      isFiring: false,
      wellSinceMs: undefined,
      knownMs: nowMs,
    };
    this.#conditions.set(id, condition);
    return condition;
  }

  /** Whether a condition that is well now is over. */
  #isOver(condition: Condition, nowMs: number): boolean {
    condition.knownMs = nowMs;
    condition.wellSinceMs ??= nowMs;
    return !condition.isFiring || nowMs - condition.wellSinceMs >= this.#settings.wellForMs;
  }

  /** Whether a condition of which nothing is heard now is over. */
  #isForgotten(condition: Condition, nowMs: number): boolean {
    condition.wellSinceMs = undefined;
    return !condition.isFiring || nowMs - condition.knownMs >= this.#settings.silentMs;
  }

  #end(id: string, { key, isFiring }: Condition, ended: Map<string, Ending>, how: Ending): void {
    this.#conditions.delete(id);
    if (isFiring && ended.get(key) !== 'no_data') ended.set(key, how);
  }
}

function copyOf(conditions: ReadonlyMap<string, Condition>): Map<string, Condition> {
  return new Map([...conditions].map(([id, condition]) => [id, { ...condition }]));
}

/** Whether a condition whose objective is not met now fires. */
function holds(condition: Condition, nowMs: number): boolean {
  condition.knownMs = nowMs;
  condition.wellSinceMs = undefined;
  condition.isFiring ||= nowMs >= condition.dueMs;
  return condition.isFiring;
}
