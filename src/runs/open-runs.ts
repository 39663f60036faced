import type { Lane } from './lane.ts';
import { none } from './rows.ts';
import { RunList } from './run-list.ts';
import type { Runs } from './runs.ts';
import { StartQueue } from './start-queue.ts';

/** Open runs that have spans on one lane. */
interface OnLane {
  readonly lane: Lane;
  /** Those that began there, in that order. */
  readonly own: RunList;
  /** Those that began elsewhere, or took in spans of another run there. */
  readonly guests: StartQueue;
}

/** The open runs, by the lanes on which they have spans. */
export class OpenRuns {
  readonly #runs: Runs;
  readonly #lanes = new Map<Lane, number>();
  /** By the ordinal of the lane. */
  readonly #open: OnLane[] = [];

  constructor(runs: Runs) {
    this.#runs = runs;
  }

  /** By which a run says on which lane it began. */
  ordinalOf(lane: Lane): number {
    const known = this.#lanes.get(lane);
    if (known !== undefined) return known;
    const ordinal = this.#open.length;
    this.#lanes.set(lane, ordinal);
    this.#open.push({ lane, own: new RunList(this.#runs.table), guests: new StartQueue() });
    return ordinal;
  }

  /** Adds a run that has just begun. */
  add(run: number): void {
    this.#open[this.#runs.lane(run)]!.own.add(run);
  }

  /** Notes that `run` has spans on `lane`, too. */
  addGuest(run: number, lane: Lane): void {
    this.#open[this.ordinalOf(lane)]!.guests.add(run, this.#startOn(run, lane));
  }

  /** Removes `run` from every lane; `heir`, unless it is `none`, becomes a guest where it was, and starts there no later. */
  remove(run: number, heir = none): void {
    for (let ordinal = 0; ordinal < this.#open.length; ordinal++) {
      const { lane, own, guests } = this.#open[ordinal]!;
      const isOwn = this.#runs.lane(run) === ordinal;
      if (isOwn) own.remove(run);
      const isGuest = guests.remove(run);
      if (heir !== none && (isOwn || isGuest))
        guests.add(heir, Math.min(this.#startOn(run, lane), this.#startOn(heir, lane)));
    }
  }

  /** Does `work` for the runs of one lane, or of every one, and for each as often as it has lanes. It may remove the run. */
  forEach(work: (run: number, lane: Lane) => void, only?: Lane): void {
    for (const [lane, ordinal] of this.#lanes) {
      if (only && lane !== only) continue;
      const { own, guests } = this.#open[ordinal]!;
      for (let run = own.first; run !== none;) {
        const next = own.after(run);
        work(run, lane);
        run = next;
      }
      for (const run of guests.runs()) work(run, lane);
    }
  }

  /** The run that was first on `lane`, or `none`. */
  oldestOn(lane: Lane): number {
    const { own, guests } = this.#open[this.ordinalOf(lane)]!;
    const guest = guests.first();
    if (!guest) return own.first;
    return own.first === none || guest.start < this.#startOn(own.first, lane) ? guest.run : own.first;
  }

  #startOn(run: number, { partition }: Lane): number {
    return this.#runs.starts.on(run, partition) ?? Number.POSITIVE_INFINITY;
  }

  /** The run that has been silent longest among the first of each lane, or `none`. */
  silentLongest(): number {
    let oldest = none;
    for (const lane of this.#lanes.keys()) {
      const first = this.oldestOn(lane);
      if (first === none) continue;
      if (oldest === none || this.#runs.lastEndMs(first) < this.#runs.lastEndMs(oldest)) oldest = first;
    }
    return oldest;
  }
}
