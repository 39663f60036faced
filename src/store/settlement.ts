import type { Position } from '../core/stream.ts';
import { Block, unlimited, type BlockLimits } from './block.ts';
import { newAttempt, type Intent } from './intent.ts';
import { afterRecord, isBefore, PositionSet, type Stretch } from './place.ts';
import { recordBefore, RecordCursor } from './record-cursor.ts';
import { InsertRejected } from './table.ts';
import type { Tenure } from './tenure.ts';

/** What the table answered, and when it was asked, by its own clock. */
interface Asked {
  readonly askedMs: number;
  readonly rows: number;
  readonly present: PositionSet;
}

/**
 * Makes sure that every span of a stretch has its row, or is a dead letter. Asks the table by position and inserts what
 * is missing:
 *
 * - under the attempt of the open intent as long as that one's outcome is unknown. All its copies have one token, so at
 *   most one lands per date; but its acknowledgement is no proof, because a table may remember the token of rows that a
 *   crash took, so the table is asked again;
 * - then under a fresh attempt, announced first: the table now remembers the old token, so no late copy can land beside
 *   it. A fresh attempt that is acknowledged is proof.
 *
 * Asking comes before repeating, because a table may also have forgotten the token of rows that it holds. Rows that the
 * table refuses for ever, after it was shown to have written none of them, are found by smaller and smaller intents; a
 * single one goes to the dead letters.
 */
export class Settlement {
  readonly #tenure: Tenure;
  readonly #limits: BlockLimits;
  #open: Intent | undefined;
  #rowLimit: number;
  #failures = 0;
  /** Reused from step to step; dropped when an insert may still be reading its rows. */
  #block: Block | undefined;
  /** Spans buried since the last conclusion: without a row, and not missing. */
  #dead = new PositionSet();

  constructor(tenure: Tenure, open: Intent | undefined) {
    this.#tenure = tenure;
    this.#limits = tenure.parts.settings.limits;
    this.#rowLimit = this.#limits.rows;
    this.#open = open;
  }

  /** Settles `stretch`, which is the open intent's own if there is one. */
  async run(stretch: Stretch): Promise<void> {
    const { table } = this.#tenure.parts;
    if (this.#open) await this.#countExpired(this.#open);
    for (let from = stretch.from; isBefore(from, stretch.to);)
      from = await this.#step({ from, to: this.#open?.to ?? stretch.to });
    await this.#tenure.persist('the table', () => table.rederive(this.#tenure.origin, stretch));
  }

  /** Asks, and inserts at most once. Returns up to where everything is concluded. */
  async #step(stretch: Stretch): Promise<Position> {
    const isRepeat = this.#open !== undefined;
    const held = await this.#ask(stretch);
    const { block, presentSpans, presentRecords } = await this.#missing(stretch, held.present);
    const present = held.present.sizeBefore(block.to);
    if (block.rows > 0) {
      const intent = (this.#open ??= await this.#tenure.announce(block, newAttempt(), present + block.rows));
      const error = await this.#tenure.insert(block, intent, held.askedMs);
      if (error !== undefined) {
        const isProven =
          error instanceof InsertRejected && (await this.#ask(intent)).present.size === present;
        await (isProven ? this.#afterRejection(block, error, isRepeat) : this.#afterDoubt(error));
        return stretch.from;
      }
      this.#open = undefined;
      this.#failures = 0;
      this.#rowLimit = Math.min(this.#limits.rows, this.#rowLimit * 2);
      if (isRepeat) return stretch.from;
    }
    this.#open = undefined;
    const { to, last, unreadable, expiredRecords } = block;
    const spans = block.spans + present - presentSpans; // rows whose records retention has removed were passed too
    const heldRecords = held.present.recordsBefore(to) - presentRecords;
    await this.#tenure.conclude(
      { to, last, spans, unreadable, expiredRecords, heldRecords },
      present + block.rows,
      this.#dead.size,
    );
    this.#tenure.countDuplicates(held.rows - held.present.size);
    this.#dead = new PositionSet();
    return block.to;
  }

  /** Nobody knows what has landed: the intent stays open, and the table is asked again after a while. */
  async #afterDoubt(error: unknown): Promise<void> {
    this.#block = undefined;
    await this.#tenure.wait('the table', error, this.#failures++);
  }

  /**
   * Nothing was written, nor will any copy of this attempt write: it is over. Only of a fresh attempt is it known that
   * its rows were the reason, and not that the table remembers its token.
   */
  async #afterRejection(block: Block, error: InsertRejected, isRepeat: boolean): Promise<void> {
    this.#open = undefined;
    if (isRepeat) return;
    this.#rowLimit = Math.ceil(block.rows / 2);
    const { lastRow } = block;
    if (block.rows > 1 || lastRow === undefined) return;
    const { claim, halt, parts } = this.#tenure;
    const { offset, index } = lastRow;
    const record = await recordBefore(claim, new RecordCursor(claim, lastRow), afterRecord(offset), halt);
    if (record === undefined) return; // retention was faster; the next step counts it as expired
    const { headers, payload } = parts.encoder.single(record, index);
    await this.#tenure.bury([
      { record: { ...record, headers }, index, payload, spans: 1, reason: error.message, attempt: 1 },
    ]);
    this.#dead.add(offset, index);
  }

  /**
   * A block of those spans of `stretch` that are neither present nor dead: an open intent's whole, else as much as fits;
   * and how many it passed that are present, and of how many records.
   */
  async #missing(
    stretch: Stretch,
    present: PositionSet,
  ): Promise<{ readonly block: Block; readonly presentSpans: number; readonly presentRecords: number }> {
    const { claim, halt, origin, parts } = this.#tenure;
    const limits = this.#open ? unlimited : { ...this.#limits, rows: this.#rowLimit };
    let presentSpans = 0;
    const presentRecords = new Set<number>();
    const isMissing = (offset: number, index: number): boolean => {
      const isPresent = present.has(offset, index);
      if (isPresent) presentRecords.add(offset);
      if (isPresent) presentSpans++;
      return !isPresent && !this.#dead.has(offset, index);
    };
    const block = (this.#block ??= new Block(parts.encoder.rows(origin)));
    const cursor = new RecordCursor(claim, stretch.from);
    block.begin(stretch.from);
    while (isBefore(block.to, stretch.to)) {
      const record = await recordBefore(claim, cursor, stretch.to, halt);
      if (record === undefined) block.endAt(stretch.to);
      else if (!block.take(record, limits, stretch.to, isMissing)) break;
      cursor.advance();
    }
    return { block, presentSpans, presentRecords: presentRecords.size };
  }

  /** Spans that the intent announced and that neither the table nor the stream has any more. */
  async #countExpired(intent: Intent): Promise<void> {
    const { start } = await this.#tenure.claim.bounds();
    if (start <= intent.from.offset) return;
    const { present } = await this.#ask(intent);
    const { block } = await this.#missing(intent, present);
    this.#tenure.expire(Math.max(0, intent.rows - present.size - block.rows), 0);
  }

  #ask(stretch: Stretch): Promise<Asked> {
    const { origin, parts } = this.#tenure;
    return this.#tenure.persist('the table', async () => {
      const askedMs = parts.table.nowMs();
      return { askedMs, ...(await parts.table.positions(origin, stretch)) };
    });
  }
}
