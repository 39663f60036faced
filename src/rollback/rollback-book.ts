import { isRehearsal } from '../semconv/rehearsal.ts';
import { attemptAfter, attemptOf, isOpen, type Attempt, type AttemptState } from './attempt.ts';
import type { AttemptBody, DrillRecord, JournalEvent, Review } from './rollback-event.ts';

/** When an order was about to be sent to a target. */
export interface Act {
  readonly id: string;
  readonly target: string;
  readonly isRehearsal: boolean;
  readonly timeMs: number;
  /** The place in the chain of the event that says so. */
  readonly seq: number;
}

/** How often a policy had a release taken back, or would have, and what people said of that afterwards. */
export interface ReviewTally {
  readonly policy: string;
  /** `dry_run`: there was a release to go back to, and it was only said that this would be done. */
  readonly state: 'dry_run' | 'done' | 'failed';
  readonly times: number;
  readonly right: number;
  readonly wrong: number;
}

/** Why nothing more is done to a target, or to any of them, until somebody closes it. */
export interface OpenBreaker {
  readonly scope: string;
  readonly reason: string;
  readonly sinceMs: number;
  readonly isPaged: boolean;
}

const dayMs = 86_400_000;
/** So long it counts that a release was taken back: it is nothing to go back to. */
const badForMs = 7 * dayMs;
/** So many attempts that are over are remembered. */
const limitOver = 1000;
/** So many releases that were taken back are, whatever else is forgotten. */
const limitBad = 10_000;
/** So many passed drills are. */
const limitDrills = 1000;
/** So many records of drills there may be in a day. */
export const drillsPerDay = 100;
/** So many acts are: those of the last day, and the last of each target. */
const limitActs = 10_000;

/** The scope of the breaker for all targets. */
export const everyTarget = 'global';

/** All that the events of a journal say, taken together. A pure fold: the same events give the same book. */
export class RollbackBook {
  /** By id, in the order in which they began. */
  readonly #attempts = new Map<string, Attempt>();
  /** The latest by key. */
  readonly #latest = new Map<string, string>();
  #acts: Act[] = [];
  readonly #breakers = new Map<string, OpenBreaker>();
  /** By the scope of a breaker, when a person closed it last, and the place of that in the chain. */
  readonly #closings = new Map<string, { readonly seq: number; readonly timeMs: number }>();
  readonly #drills = new Map<string, DrillRecord>();
  /** When the last records of drills came. */
  readonly #drillTimesMs: number[] = [];
  /** When releases were taken back, or somebody tried, last; by agent, environment and release. */
  readonly #bad = new Map<string, number>();
  /** How many attempts came into a state, by target and state; those of rehearsals together. */
  readonly #counts = new Map<
    string,
    { readonly target: string; readonly state: AttemptState; count: number }
  >();
  /** By policy and state. */
  readonly #reviews = new Map<string, ReviewTally>();
  #stop: { readonly by: string; readonly reason: string; readonly sinceMs: number } | undefined;

  /** Those that are under way, and those that were over last, in the order in which they began. */
  get attempts(): readonly Attempt[] {
    return [...this.#attempts.values()];
  }

  get breakers(): readonly OpenBreaker[] {
    return [...this.#breakers.values()];
  }

  /** The last drill that passed, of each policy and scenario. */
  get passedDrills(): readonly DrillRecord[] {
    return [...this.#drills.values()];
  }

  /** Who said that nothing may be done, and why; undefined while nobody does. */
  get stop(): { readonly by: string; readonly reason: string; readonly sinceMs: number } | undefined {
    return this.#stop;
  }

  /** How often attempts came into a state since the journal began. */
  get counts(): Iterable<{ readonly target: string; readonly state: AttemptState; readonly count: number }> {
    return this.#counts.values();
  }

  /** What people said of how releases were taken back, since the journal began, rehearsals left out. */
  get reviews(): readonly ReviewTally[] {
    return [...this.#reviews.values()];
  }

  attempt(id: string): Attempt | undefined {
    return this.#attempts.get(id);
  }

  /** The latest attempt of an idempotency key. */
  latest(key: string): Attempt | undefined {
    const id = this.#latest.get(key);
    return id === undefined ? undefined : this.#attempts.get(id);
  }

  /**
   * What was done to `scope`, which is a target or all real ones, since `sinceMs`. What was done before a person closed
   * the breaker of that scope does not count any more.
   */
  actsSince(sinceMs: number, scope: string): readonly Act[] {
    const closedSeq = this.#closings.get(scope)?.seq ?? 0;
    return this.#acts.filter(
      (act) =>
        act.timeMs > sinceMs &&
        act.seq > closedSeq &&
        (scope === everyTarget ? !act.isRehearsal : act.target === scope),
    );
  }

  /** Whether a person closed the breaker of `scope` at `sinceMs` or after it. */
  isClosedSince(scope: string, sinceMs: number): boolean {
    return (this.#closings.get(scope)?.timeMs ?? Number.NEGATIVE_INFINITY) >= sinceMs;
  }

  /** When `target` was acted on last. */
  lastActMs(target: string): number | undefined {
    return this.#acts.findLast((act) => act.target === target)?.timeMs;
  }

  /** Whether a release is being taken back, or was a few days ago. */
  isBad(agent: string, environment: string, release: string, nowMs: number): boolean {
    const badMs = this.#bad.get(JSON.stringify([agent, environment, release]));
    if (badMs !== undefined && nowMs - badMs <= badForMs) return true;
    return this.attempts.some(
      (attempt) =>
        attempt.agent === agent &&
        attempt.environment === environment &&
        attempt.from === release &&
        isOpen(attempt),
    );
  }

  /** How many records of drills came since `sinceMs`; no more than `drillsPerDay` are known. */
  drillsSince(sinceMs: number): number {
    return this.#drillTimesMs.filter((timeMs) => timeMs > sinceMs).length;
  }

  /** Takes the next event of the chain. */
  apply(event: JournalEvent): void {
    const { body, timeMs } = event;
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all others are of an attempt, which the compiler checks
    switch (body.event) {
      case 'requested': {
        this.#enter(attemptOf({ ...event, body }));
        this.#latest.set(body.key, body.id);
        this.#forget();
        break;
      }
      case 'breaker_opened':
        this.#breakers.set(body.scope, {
          scope: body.scope,
          reason: body.reason,
          sinceMs: timeMs,
          isPaged: false,
        });
        break;
      case 'breaker_paged': {
        const breaker = this.#breakers.get(body.scope);
        if (breaker) this.#breakers.set(body.scope, { ...breaker, isPaged: true });
        break;
      }
      case 'breaker_closed':
        if (this.#breakers.delete(body.scope)) this.#closings.set(body.scope, { seq: event.seq, timeMs });
        break;
      case 'stopped':
        this.#stop = { by: body.by, reason: body.reason, sinceMs: timeMs };
        break;
      case 'resumed':
        this.#stop = undefined;
        break;
      case 'drilled':
        this.#drilled(body.drill, timeMs);
        break;
      default:
        this.#applyTo(body, event);
    }
  }

  #drilled(drill: DrillRecord, timeMs: number): void {
    this.#drillTimesMs.push(timeMs);
    if (this.#drillTimesMs.length > drillsPerDay) this.#drillTimesMs.shift();
    if (drill.passed)
      keepLast(this.#drills, JSON.stringify([drill.policy, drill.scenario]), drill, limitDrills);
  }

  #applyTo(body: Exclude<AttemptBody, { event: 'requested' }>, event: JournalEvent): void {
    const before = this.#attempts.get(body.id);
    if (before) this.#moved(before, attemptAfter(before, body, event), event);
  }

  #moved(before: Attempt, after: Attempt, { body, seq }: JournalEvent): void {
    if (after === before) return;
    this.#tally(before, after);
    if (after.state === before.state) this.#attempts.set(after.id, after);
    else this.#enter(after);
    const { id, plan, environment, sinceMs } = after;
    if (body.event === 'executing') {
      this.#acts.push({
        id,
        target: plan.target,
        isRehearsal: isRehearsal(environment),
        timeMs: sinceMs,
        seq,
      });
      if (this.#acts.length > limitActs) this.#acts.shift();
    }
    if (body.event === 'moved' && !body.isSent) this.#acts = this.#acts.filter((act) => act.id !== id);
  }

  #tally(before: Attempt, after: Attempt): void {
    const { state, plan, to, environment } = after;
    if (state !== 'dry_run' && state !== 'done' && state !== 'failed') return;
    if (to === '' || isRehearsal(environment)) return;
    const place = JSON.stringify([plan.policy, state]);
    const known = this.#reviews.get(place) ?? { policy: plan.policy, state, times: 0, right: 0, wrong: 0 };
    const change = (review: Review) =>
      Number(after.review?.review === review) - Number(before.review?.review === review);
    this.#reviews.set(place, {
      ...known,
      times: known.times + Number(before.state !== state),
      right: known.right + change('right'),
      wrong: known.wrong + change('wrong'),
    });
  }

  #enter(attempt: Attempt): void {
    this.#attempts.set(attempt.id, attempt);
    const { state, agent, environment, from, sinceMs } = attempt;
    if (state === 'done' || state === 'failed')
      keepLast(this.#bad, JSON.stringify([agent, environment, from]), sinceMs, limitBad);
    const target = isRehearsal(attempt.environment) ? 'sandbox' : attempt.plan.target;
    const place = JSON.stringify([target, state]);
    const known = this.#counts.get(place) ?? { target, state, count: 0 };
    known.count++;
    this.#counts.set(place, known);
  }

  #forget(): void {
    let excess = this.#attempts.size - limitOver;
    for (const attempt of this.#attempts.values()) {
      if (excess <= 0) break;
      if (isOpen(attempt)) continue;
      this.#attempts.delete(attempt.id);
      if (this.#latest.get(attempt.key) === attempt.id) this.#latest.delete(attempt.key);
      excess--;
    }
  }
}

/** Puts `value` at the end of `map`, from whose beginning what is beyond `limit` goes. */
function keepLast<T>(map: Map<string, T>, key: string, value: T, limit: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= limit) break;
    map.delete(oldest);
  }
}
