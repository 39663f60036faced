import type { CanaryRules, KpiRules } from '../../src/judge/canary-rules.ts';
import { Judge, type EndedRun, type JudgedRun } from '../../src/judge/judge.ts';
import type { Standing, TestName, TestStanding } from '../../src/judge/standing.ts';

export const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
export const noonMs = Date.UTC(2026, 10, 23, 12);

export const runSuccess: KpiRules = { kpi: 'run_success', weight: 1, reference: 0.08, floor: undefined };

/** Rules for one KPI, run_success, but for what `changes` say. */
export function rulesWith(changes: Partial<CanaryRules> = {}): CanaryRules {
  return {
    policy: 'refunds',
    revision: 'r1',
    share: 0.1,
    unit: 'run',
    deadlineMs: 15 * minuteMs,
    tickMs: minuteMs,
    minRuns: 20,
    margin: 0.05,
    tolerance: 0,
    pauseAt: 20,
    rollbackAt: 100,
    maxMs: 24 * hourMs,
    onTimeout: 'pause',
    goodOutcomes: ['success', 'completed'],
    kpis: [runSuccess],
    ...changes,
  };
}

/** A run that is judged; what is not said is as of a good run of a minute's tick. */
export interface Told extends Partial<Omit<JudgedRun, 'slot'>>, Partial<Omit<EndedRun, 'slot'>> {
  /** Stream time, in minutes after noon. */
  readonly at: number;
  /** How long until it ends, in minutes; Infinity for ever. */
  readonly takes?: number;
  readonly isBad?: boolean;
}

export const agent = 'refund-agent';
export const environment = 'production';
export const good: Omit<EndedRun, 'slot'> = {
  outcome: 'completed',
  evidence: 'none',
  escalationReason: undefined,
  toolCalls: { ok: 1, error: 0, rejected: 0, cancelled: 0, attempts: 1 },
  costUsd: { llm: 0, tool: 0, review: 0 },
  scores: new Map(),
  startMs: 0,
  endMs: 0,
};

interface Event {
  readonly timeMs: number;
  readonly give: (judge: Judge) => void;
}

/** The events of runs, which are given to a judge in order as far as one likes. */
export class Releases {
  judge: Judge;
  readonly #events: Event[] = [];
  #next = 0;
  #slots = 0;

  constructor(judge: Judge) {
    this.judge = judge;
  }

  /** Adds runs, and returns the slot of the last one. Slots are not used again. */
  add(...runs: readonly Told[]): number {
    for (const { at, takes = 0.2, isBad, ...said } of runs) {
      const slot = this.#slots++;
      const labels = { agent, environment, release: '1', sessionId: '', userId: '', ...said };
      const ended = { ...good, ...(isBad === true && { outcome: 'failure' as const }), ...said };
      const seenMs = noonMs + at * minuteMs;
      this.at(at, (judge) => judge.seen({ ...labels, slot }, seenMs));
      if (takes < Infinity)
        this.at(at + takes, (judge) =>
          judge.finished({ ...labels, ...ended, slot }, seenMs + takes * minuteMs),
        );
    }
    return this.#slots - 1;
  }

  /** Adds something else that happens. */
  at(minutes: number, give: (judge: Judge) => void): void {
    this.#events.push({ timeMs: noonMs + minutes * minuteMs, give });
  }

  /** Gives everything before `minutes` after noon; `advances` says whether time goes by record, before or after what is in it. */
  until(minutes: number, { advances }: { readonly advances?: 'before' | 'after' | undefined } = {}): this {
    const untilMs = noonMs + minutes * minuteMs;
    const rest = this.#events.splice(this.#next).toSorted((a, b) => a.timeMs - b.timeMs);
    this.#events.push(...rest);
    for (; this.#next < this.#events.length; this.#next++) {
      const { timeMs, give } = this.#events[this.#next]!;
      if (timeMs >= untilMs) break;
      if (advances === 'before') this.judge.advance(timeMs);
      give(this.judge);
      if (advances === 'after') this.judge.advance(timeMs);
    }
    this.judge.advance(untilMs);
    return this;
  }

  standing(release = '2'): Standing {
    const found = this.judge.standings().find((standing) => standing.release === release);
    if (!found) throw new Error(`nothing is said of ${release}`);
    return found;
  }

  test(name: TestName, { release = '2', kpi = 'run_success' } = {}): TestStanding {
    const found = this.standing(release).tests.find((test) => test.test === name && test.kpi === kpi);
    if (!found) throw new Error(`there is no test ${name} of ${kpi}`);
    return found;
  }
}

/** A judge by these rules, whatever the agent. */
export function releasesWith(changes: Partial<CanaryRules> = {}): Releases {
  const rules = rulesWith(changes);
  return new Releases(new Judge(() => rules));
}

/** Numbers in [0, 1) that are the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Of a release: so many runs a minute, and the share of them that is bad. */
type Flow = readonly [release: string, perMinute: number, bad: number];

/** Adds runs of each of `flows` from minute `from` to before `until`, spread over each minute; which are bad is random, the same each time. */
export function flow(
  releases: Releases,
  [from, until]: readonly [from: number, until: number],
  flows: readonly Flow[],
  said: Partial<Told> = {},
): void {
  const random = randomOf(from * 1000 + until);
  for (let minute = from; minute < until; minute++)
    for (const [release, perMinute, bad] of flows)
      for (let i = 0; i < perMinute; i++) {
        const at = minute + (i + 0.5) / (perMinute + 1);
        releases.add({ at, release, isBad: random() < bad, ...said });
      }
}
