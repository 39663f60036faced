import { setTimeout as sleep } from 'node:timers/promises';
import { clickHouseFaults } from './clickhouse-faults.ts';
import { Draw } from './draw.ts';
import type { Fault } from './fault.ts';
import { kafkaFaults } from './kafka-faults.ts';
import type { Load } from './load.ts';
import { processFaults } from './process-faults.ts';
import { eventually, type Stage } from './stage.ts';
import { storedOf } from './table-rows.ts';

export const allFaults: readonly Fault[] = [...processFaults, ...kafkaFaults, ...clickHouseFaults];

/** The most faults at a time, and how likely each further one is. */
const mostAtOnce = 3;
const another = 0.4;
const longestPauseMs = 2000;
const faultLimitMs = 240_000;
/** Requests that must get through before the flow counts as recovered: so many that every partition has some of their traces. */
const proof = 20;
const recoveryMs = 240_000;

/** What a storm has done. */
export interface Done {
  /** How often each kind was done. */
  readonly kinds: ReadonlyMap<string, number>;
  readonly zombies: number;
}

/** Does faults at random moments, several at once at times, each kind as often as the others, and waits after each for the flow. */
export class Storm {
  readonly #stage: Stage;
  readonly #load: Load;
  readonly #draw: Draw;
  readonly #faults: readonly Fault[];
  readonly #say: (text: string) => void;
  readonly #kinds = new Map<string, number>();
  #deck: Fault[] = [];
  #zombies = 0;

  constructor(
    parts: {
      readonly stage: Stage;
      readonly load: Load;
      readonly draw: Draw;
      readonly say: (text: string) => void;
    },
    faults: readonly Fault[] = allFaults,
  ) {
    const { stage, load, draw, say } = parts;
    this.#stage = stage;
    this.#load = load;
    this.#draw = draw;
    this.#say = say;
    this.#faults = faults.filter(({ kind, missing }) => {
      const reason = missing?.(stage);
      if (reason !== undefined) say(`skipped: ${kind}: ${reason}`);
      return reason === undefined;
    });
  }

  get done(): Done {
    return { kinds: this.#kinds, zombies: this.#zombies };
  }

  /** Rages until `isOver` says so, and every fault is undone and the flow has recovered. */
  async rage(isOver: (done: Done) => boolean): Promise<void> {
    while (!isOver(this.done)) {
      await sleep(this.#draw.between(0, longestPauseMs));
      const chosen = this.#choose();
      this.#say(chosen.map(({ kind }) => kind).join(' + '));
      await Promise.all(chosen.map(async (fault) => this.#inflict(fault)));
      const healedMs = performance.now();
      await recovered(this.#stage, this.#load);
      this.#say(`  flows again after ${((performance.now() - healedMs) / 1000).toFixed(1)} s`);
    }
  }

  /** The next of a shuffled deck of all kinds, and at times others that touch other parts. */
  #choose(): readonly Fault[] {
    if (this.#deck.length === 0) this.#deck = [...this.#draw.shuffled(this.#faults)];
    const chosen = this.#deck.splice(0, 1);
    while (chosen.length < mostAtOnce && this.#draw.random() < another) {
      const touched = new Set(chosen.flatMap(({ touches }) => touches));
      const at = this.#deck.findIndex(({ touches }) => !touches.some((part) => touched.has(part)));
      if (at < 0) break;
      chosen.push(...this.#deck.splice(at, 1));
    }
    return chosen;
  }

  async #inflict(fault: Fault): Promise<void> {
    const startedMs = performance.now();
    const own = new Draw(this.#draw.between(0, 2 ** 31)); // what faults do at a time depends on none of the others
    const impatience = new AbortController();
    const tooLong = sleep(faultLimitMs, undefined, { signal: impatience.signal, ref: false }).then(() => {
      throw new Error(`${fault.kind} did not end`);
    });
    try {
      const outcome = await Promise.race([fault.inflict(this.#stage, own), tooLong]);
      this.#zombies += outcome?.zombies ?? 0;
    } catch (error) {
      throw new Error(`${fault.kind}: ${String(error)}`, { cause: error });
    } finally {
      impatience.abort();
    }
    this.#kinds.set(fault.kind, (this.#kinds.get(fault.kind) ?? 0) + 1);
    this.#say(`  ${fault.kind} is over after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  }
}

/** Resolves when what is sent from now on is acknowledged and has its rows; a planted mistake may have lost them. */
export async function recovered(stage: Stage, load: Load): Promise<void> {
  const requests = await load.acknowledged(proof, recoveryMs);
  const isThere = async (): Promise<boolean> =>
    (await storedOf(stage.around.clickhouse, load.ledger, requests)) === requests.length;
  if (!stage.isPlanted) await eventually('what was acknowledged to be stored', isThere, recoveryMs);
}
