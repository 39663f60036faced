import type { Judged } from '../assess/assessor.ts';
import type { Judge } from '../judge/judge.ts';
import { judgeFamilies } from '../judge/judge-families.ts';
import type { Standing } from '../judge/standing.ts';
import type { Family } from '../kpi/family.ts';

/** What the judge says of releases as of the last committed snapshot: nobody takes that back any more, so it may be acted upon. */
export class Verdicts {
  readonly #judge: Pick<Judge, 'destinations' | 'awaitedMs'>;
  readonly #isSure: () => boolean;
  readonly #listeners: ((standings: readonly Standing[]) => void)[] = [];
  #judged: Judged | undefined;

  /** `isSure` says whether this process is surely the one that assesses. */
  constructor(judge: Pick<Judge, 'destinations' | 'awaitedMs'>, isSure: () => boolean) {
    this.#judge = judge;
    this.#isSure = isSure;
  }

  /** Takes what a committed snapshot says; nothing when this process ceases to assess. */
  take(judged: Judged): void {
    this.#judged = judged;
    for (const listener of this.#listeners) listener(judged.standings);
  }

  /** Has `listener` called with every committed snapshot. */
  onCommit(listener: (standings: readonly Standing[]) => void): void {
    this.#listeners.push(listener);
  }

  /** Of every release that is judged; undefined in a process that stands by. */
  get standings(): readonly Standing[] | undefined {
    return this.#isSure() ? (this.#judged?.standings ?? []) : undefined;
  }

  /** The releases that `release` may be replaced by, the best first. */
  destinations(agent: string, environment: string, release: string): ReturnType<Judge['destinations']> {
    return this.#judge.destinations(agent, environment, release);
  }

  /** When a release is first judged; undefined where it is already, or has no runs. */
  awaitedMs(agent: string, environment: string, release: string): number | undefined {
    return this.#judge.awaitedMs(agent, environment, release);
  }

  /** The gauges of the judge; none in a process that stands by. */
  families(): readonly Family[] {
    return this.#judged && this.#isSure() ? judgeFamilies(this.#judged.standings, this.#judged.ignored) : [];
  }
}
