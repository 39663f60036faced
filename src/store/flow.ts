import { Block } from './block.ts';
import { loggable } from './clickhouse-fault.ts';
import { newAttempt } from './intent.ts';
import type { Position } from '../core/stream.ts';
import { RecordCursor } from './record-cursor.ts';
import type { Tenure } from './tenure.ts';

/** How long one wait for more records takes, in milliseconds, while a full-aged block waits for the insert before it. */
const followWaitMs = 50;

/** An insert under way. `outcome` never rejects: it is the error, or undefined when the table acknowledged. */
interface Flight {
  readonly block: Block;
  readonly outcome: Promise<unknown>;
  hasLanded: boolean;
}

/**
 * Stores block after block while every insert simply succeeds. One block fills while the one before it is inserted; the
 * commit that concludes a block carries the intent of the next. Blocks grow with the time that inserts take. Returns
 * `stopped`, with everything in flight concluded, or `uncertain` with the intent of a failed insert still open.
 */
export class Flow {
  readonly #tenure: Tenure;
  readonly #cursor: RecordCursor;
  readonly #blocks: readonly [Block, Block];
  #next: Position;
  #flight: Flight | undefined;

  constructor(tenure: Tenure) {
    const { encoder } = tenure.parts;
    this.#tenure = tenure;
    this.#cursor = new RecordCursor(tenure.claim, tenure.ledger.position);
    this.#next = tenure.ledger.position;
    this.#blocks = [new Block(encoder.rows(tenure.origin)), new Block(encoder.rows(tenure.origin))];
  }

  async run(): Promise<'stopped' | 'uncertain'> {
    try {
      return await this.#run();
    } finally {
      await this.#flight?.outcome; // its rows must not change under an insert, nor a later owner be surprised by it
    }
  }

  async #run(): Promise<'stopped' | 'uncertain'> {
    const tenure = this.#tenure;
    tenure.enter('flowing');
    for (let turn = 0; !tenure.stopping.aborted; turn ^= 1) {
      const block = await this.#fill(turn === 0 ? this.#blocks[0] : this.#blocks[1]);
      if (!(await this.#land())) return 'uncertain';
      if (tenure.stopping.aborted) break; // what was read and not announced is left to the next owner
      if (!block.isEmpty) await this.#launch(block);
      else if (tenure.isBehind) await tenure.close();
    }
    if (!(await this.#land())) return 'uncertain';
    await tenure.close(tenure.parts.boot());
    return 'stopped';
  }

  /** Fills `block` until it is full, or old enough and no insert is under way; leaves it empty when nothing arrived. */
  async #fill(block: Block): Promise<Block> {
    const { limits, flushIntervalMs } = this.#tenure.parts.settings;
    let startedMs = this.#tenure.nowMs();
    block.begin(this.#next);
    for (let hasWaited = false; !this.#tenure.stopping.aborted;) {
      const ageMs = this.#tenure.nowMs() - startedMs;
      const isDue = ageMs < 0 || ageMs >= flushIntervalMs;
      if (isDue && hasWaited && (this.#flight?.hasLanded ?? true)) break;
      const record = await this.#cursor.peek(isDue ? followWaitMs : flushIntervalMs - ageMs);
      hasWaited = true;
      if (record === undefined) continue;
      if (block.isEmpty) startedMs = this.#tenure.nowMs();
      if (!block.take(record, limits)) break;
      this.#cursor.advance();
    }
    this.#next = block.to;
    return block;
  }

  /** Announces `block` and begins its insert; a block without rows has nothing to announce. */
  async #launch(block: Block): Promise<void> {
    const sinceMs = this.#tenure.parts.table.nowMs();
    const intent = block.rows > 0 ? await this.#tenure.announce(block, newAttempt(), block.rows) : undefined;
    const outcome = intent ? this.#tenure.insert(block, intent, sinceMs) : Promise.resolve(undefined);
    const flight: Flight = { block, outcome, hasLanded: false };
    void outcome.then(() => (flight.hasLanded = true));
    this.#flight = flight;
  }

  /** Waits for the insert under way, if any, and concludes it. Returns whether it simply succeeded. */
  async #land(): Promise<boolean> {
    const flight = this.#flight;
    if (flight === undefined) return true;
    const error = await flight.outcome;
    this.#flight = undefined;
    if (error === undefined) await this.#tenure.conclude(flight.block, flight.block.rows, 0);
    else
      this.#tenure.parts.log.warn(
        { ...this.#tenure.origin, ...loggable(error) },
        'an insert did not simply succeed',
      );
    return error === undefined;
  }
}
