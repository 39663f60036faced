import type { Judged } from '../assess/assessor.ts';
import type { Log } from '../core/log.ts';
import type { Judge } from '../judge/judge.ts';
import { judgeFamilies } from '../judge/judge-families.ts';
import type { Standing } from '../judge/standing.ts';
import type { Family } from '../kpi/family.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';

/** Whether this process is the one that assesses. */
interface Ownership {
  readonly isAssessing: () => boolean;
  /** Whether nobody else can have begun to assess. */
  readonly isSure: () => boolean;
}

/** What the judge says of releases as of the last committed snapshot: nobody takes that back any more, so it may be acted upon. */
export class Verdicts {
  readonly #judge: Pick<Judge, 'destinations' | 'awaitedMs'>;
  readonly #ownership: Ownership;
  readonly #listeners: ((standings: readonly Standing[]) => void)[] = [];
  readonly #log: Pick<Log, 'info' | 'warn'>;
  #judged: Judged | undefined;

  /** `log` hears of verdicts that this process reaches. */
  constructor(
    judge: Pick<Judge, 'destinations' | 'awaitedMs'>,
    ownership: Ownership,
    log: Pick<Log, 'info' | 'warn'>,
  ) {
    this.#log = log;
    this.#judge = judge;
    this.#ownership = ownership;
  }

  /** Whether this process assesses, though perhaps it is not sure of it now. */
  get isAssessing(): boolean {
    return this.#ownership.isAssessing();
  }

  /** Takes what a committed snapshot says; nothing when this process ceases to assess. */
  take(judged: Judged): void {
    this.#logChanges(judged.standings);
    this.#judged = judged;
    for (const listener of this.#listeners) listener(judged.standings);
  }

  /** Says which of `standings` failed or passed since the last snapshot; nothing of what was so when this process began. */
  #logChanges(standings: readonly Standing[]): void {
    if (this.#judged === undefined) return;
    const before = new Map(this.#judged.standings.map((one) => [keyOf(one), one.verdict]));
    for (const standing of standings) {
      const { agent, environment, release, verdict, reason } = standing;
      const known = before.get(keyOf(standing));
      if (known === verdict || (verdict !== 'fail' && verdict !== 'pass')) continue;
      const said = { agent, environment, release, verdict, reason };
      if (verdict === 'pass') this.#log.info(said, 'a release passed');
      else this.#log[isRehearsal(environment) ? 'info' : 'warn'](said, 'a release failed');
    }
  }

  /** Has `listener` called with every committed snapshot. */
  onCommit(listener: (standings: readonly Standing[]) => void): void {
    this.#listeners.push(listener);
  }

  /** Of every release that is judged; undefined in a process that stands by, or is not sure that it does not. */
  get standings(): readonly Standing[] | undefined {
    return this.#isSure ? (this.#judged?.standings ?? []) : undefined;
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
    return this.#judged && this.#isSure ? judgeFamilies(this.#judged.standings, this.#judged.ignored) : [];
  }

  get #isSure(): boolean {
    return this.#ownership.isAssessing() && this.#ownership.isSure();
  }
}

function keyOf({ agent, environment, release }: Standing): string {
  return JSON.stringify([agent, environment, release]);
}
