import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../core/clock.ts';
import { OwnershipLost, type Claim, type ClaimWorker, type Stream } from '../core/stream.ts';
import type { Conservation } from './conservation.ts';
import { currentBoot } from './boot.ts';
import { Flow } from './flow.ts';
import { fromCommit } from './intent.ts';
import { checkIdentity, recover } from './recovery.ts';
import { Tenure, type CommitDue, type Health, type StoreParts, type StoreSettings } from './tenure.ts';

/** The settings of design §8, for a table on this machine's own disk. */
export const defaultSettings: StoreSettings = {
  limits: { rows: 50_000, bytes: 32 * 1024 * 1024, dates: 10 },
  flushIntervalMs: 1000,
  insertDeadlineMs: 5 * 60_000,
  verifyMs: 15 * 60_000,
  backoff: { initialMs: 200, maxMs: 15_000 },
};

const slowRecoveryMs = 10_000;

/**
 * The consumer that puts every span of a stream into the table exactly once. The table is the truth, the commit is a
 * hint and a fence, and the token only stops late copies:
 *
 * 1. a commit announces a block, its *intent*: which spans, under which attempt;
 * 2. the block is inserted under a deduplication token that names the attempt;
 * 3. the next commit goes past it.
 *
 * Whoever takes a partition over, and whoever had an insert that did not simply succeed, asks the table which positions
 * it holds before inserting anything (`settlement.ts`).
 */
export class Store {
  /** Works on one claim until it is lost or the process stops. Rejects with a Failure when only an operator can go on. */
  readonly worker: ClaimWorker = async (claim, stopping) => {
    try {
      await this.#work(claim, stopping);
    } catch (error) {
      if (!(error instanceof OwnershipLost)) throw error; // also before there was a tenure to end
    }
  };
  readonly #stream: Pick<Stream, 'id'>;
  readonly #parts: StoreParts;
  readonly #tenures = new Map<number, Tenure>();
  readonly #due = new Map<number, CommitDue>();

  constructor(
    stream: Pick<Stream, 'id'>,
    parts: Omit<StoreParts, 'clock' | 'pause' | 'boot' | 'settings'> & Partial<StoreParts>,
  ) {
    this.#stream = stream;
    this.#parts = { clock: systemClock, pause, boot: currentBoot, settings: defaultSettings, ...parts };
  }

  /** What each partition that this process owns is doing, or waits for, and since when. */
  health(): readonly Health[] {
    return [...this.#tenures.values()].map((tenure) => tenure.health);
  }

  /**
   * Why the spans of a stream with `partitions` partitions, all of them this process' own, do not flow into the table;
   * undefined while they do. A recovery may take a while; one that goes on is a reason.
   */
  stall(partitions: number): string | undefined {
    const health = this.health();
    const nowMs = this.#parts.clock.nowMs();
    const waiting = health.find(({ state }) => state === 'waiting');
    if (waiting) return `partition ${waiting.partition} waits for ${waiting.reason}`;
    if (health.length < partitions)
      return `the store works on ${health.length} of ${partitions} partitions: the others are yet to be taken over`;
    const slow = health.find(
      ({ state, sinceMs }) => state === 'recovering' && nowMs - sinceMs >= slowRecoveryMs,
    );
    return slow && `partition ${slow.partition} has been recovering for ${slowRecoveryMs / 1000} s or more`;
  }

  /** What became of the spans of each partition that this process owns, as of its last commit. */
  conservation(): ReadonlyMap<number, Conservation> {
    return new Map([...this.#tenures].map(([partition, tenure]) => [partition, tenure.conservation]));
  }

  async #work(claim: Claim, stopping: AbortSignal): Promise<void> {
    const { partition } = claim;
    const origin = { streamId: this.#stream.id, partition };
    const { start } = await claim.bounds();
    const ledger = fromCommit(claim.committed, origin, this.#parts.encoder.version, {
      offset: start,
      index: 0,
    });
    const due = this.#due.get(partition) ?? { sinceMs: undefined };
    this.#due.set(partition, due);
    const tenure = new Tenure(this.#parts, { origin, claim, due }, stopping, ledger);
    this.#tenures.set(partition, tenure);
    try {
      await this.#own(tenure);
    } catch (error) {
      if (!(error instanceof OwnershipLost) && !(tenure.halt.aborted && error === tenure.halt.reason)) {
        tenure.enter('waiting', `an operator: ${String(error)}`);
        throw error;
      }
    }
    tenure.end();
    this.#tenures.delete(partition);
  }

  async #own(tenure: Tenure): Promise<void> {
    const { ledger, claim, origin, parts } = tenure;
    const highest = await tenure.persist('the table', () => parts.table.highest(origin, ledger.position));
    await checkIdentity(claim, origin, ledger, highest);
    await recover(tenure, parts.settings.verifyMs > 0 && ledger.cleanBoot !== parts.boot());
    while ((await new Flow(tenure).run()) === 'uncertain') await recover(tenure, false);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined); // an abort ends the wait; the caller looks at the signal
}
