import { Failure } from '../core/failure.ts';
import type { Position, StreamRecord } from '../core/stream.ts';
import type { DeadLetter } from './dead-letters.ts';
import { afterRecord, isBefore, type Origin } from './place.ts';

/**
 * Builds the rows of one block. What it builds depends on the bytes and the time of the records alone, never on the
 * clock, so that a block can be built again.
 */
export interface Rows {
  /** Makes `record` the one that `dayOf` and `append` mean; returns how many spans it holds. Throws an `invalid` Failure when it is undecodable. */
  read(record: StreamRecord): number;
  /** Spans of the record that are none of these, because they are not valid; their memory is their own. */
  readonly leftOut: readonly {
    readonly payload: Uint8Array;
    readonly spans: number;
    readonly reason: string;
  }[];
  /** The day, counted from the epoch, whose part the row of span `index` goes to. */
  dayOf(index: number): number;
  /** Adds the row of span `index`, at its own place in the record, or at the index `place` if the record holds a part of another. */
  append(index: number, place?: number): void;
  readonly rows: number;
  readonly bytes: number;
  /** The insert's body; it stays valid until `reset`. */
  finish(): readonly Uint8Array[];
  reset(): void;
}

/** How spans become rows. */
export interface RowEncoder {
  /** Changes whenever the same record would give other rows. */
  readonly version: number;
  rows(origin: Origin): Rows;
  /** A record that holds span `index` of `record` alone and gives the same row, for the dead letters. */
  single(record: StreamRecord, index: number): Pick<StreamRecord, 'headers' | 'payload'>;
}

/** Why a record that no encoder can read is dead. */
export const undecodableReason = 'the record cannot be read';

/** What one block may hold. Bytes are a soft limit, looked at every 8 rows and at the start of a record. */
export interface BlockLimits {
  readonly rows: number;
  readonly bytes: number;
  readonly dates: number;
}

/** No limit: what an intent fixed is built whole. */
export const unlimited: BlockLimits = { rows: Infinity, bytes: Infinity, dates: Infinity };

/** The spans of one partition between two positions, as rows. */
export class Block {
  readonly #rows: Rows;
  readonly #days = new Set<number>();
  /** The last one admitted; NaN when there is none. */
  #day = NaN;
  readonly #unreadable: DeadLetter[] = [];
  #unreadableBytes = 0;
  #from: Position = { offset: 0, index: 0 };
  #to: Position = { offset: 0, index: 0 };
  #spans = 0;
  #expiredRecords = 0;
  #lastRow: Position | undefined;
  #last: { readonly offset: number; readonly timeMs: number } | undefined;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  get from(): Position {
    return this.#from;
  }

  /** Where the block ends: the position of the first span that is not in it. */
  get to(): Position {
    return this.#to;
  }

  get rows(): number {
    return this.#rows.rows;
  }

  /** Spans passed, wanted or not; those of `unreadable` not included. */
  get spans(): number {
    return this.#spans;
  }

  /** The span that the last row was made of. */
  get lastRow(): Position | undefined {
    return this.#lastRow;
  }

  /** Records, and spans of records, within the block that no encoder can read, in order. */
  get unreadable(): readonly DeadLetter[] {
    return this.#unreadable;
  }

  /** How many records retention had removed before they were read. */
  get expiredRecords(): number {
    return this.#expiredRecords;
  }

  /** The last record passed: its offset and its time tell this stream from one created anew. */
  get last(): { readonly offset: number; readonly timeMs: number } | undefined {
    return this.#last;
  }

  get isEmpty(): boolean {
    return !isBefore(this.#from, this.#to);
  }

  /** Empties the block, to begin at `from`. */
  begin(from: Position): void {
    this.#rows.reset();
    this.#days.clear();
    this.#day = NaN;
    this.#unreadable.length = 0;
    this.#unreadableBytes = 0;
    this.#from = from;
    this.#to = from;
    this.#spans = 0;
    this.#expiredRecords = 0;
    this.#lastRow = undefined;
    this.#last = undefined;
  }

  /**
   * Takes the spans of `record` from the block's end on, before `until`, adding rows for those that are `wanted`, by default all.
   * Returns whether it took them all; if not, a limit ended the block.
   */
  take(
    record: StreamRecord,
    limits: BlockLimits,
    until?: Position,
    wanted?: (offset: number, index: number) => boolean,
  ): boolean {
    if (this.#isFull(limits)) return false;
    this.#skipTo(record.offset);
    const count = this.#read(record);
    const end = until?.offset === record.offset ? Math.min(count, until.index) : count;
    let last = -1;
    for (let index = this.#to.index; index < end; index++) {
      if (wanted === undefined || wanted(record.offset, index)) {
        const { rows } = this.#rows;
        const isFull = rows >= limits.rows || ((rows & 7) === 0 && this.#isFull(limits));
        if (isFull || !this.#admit(this.#rows.dayOf(index), limits)) {
          if (last >= 0) this.#lastRow = { offset: record.offset, index: last };
          return this.#cut(record, index);
        }
        this.#rows.append(index);
        last = index;
      }
      this.#spans++;
    }
    if (last >= 0) this.#lastRow = { offset: record.offset, index: last };
    this.#last = { offset: record.offset, timeMs: record.timeMs };
    this.#to = end < count ? { offset: record.offset, index: end } : afterRecord(record.offset);
    if (end === count) this.#leave(record, count);
    return true;
  }

  /** Says that nothing is left to read before `to`. */
  endAt(to: Position): void {
    if (this.#to.offset < to.offset) this.#expiredRecords += to.offset - this.#to.offset;
    if (isBefore(this.#to, to)) this.#to = to;
  }

  /** The rows; valid until `begin`. */
  body(): readonly Uint8Array[] {
    return this.#rows.finish();
  }

  #isFull(limits: BlockLimits): boolean {
    return this.#rows.rows >= limits.rows || this.#rows.bytes + this.#unreadableBytes >= limits.bytes;
  }

  #admit(day: number, limits: BlockLimits): boolean {
    if (day === this.#day) return true;
    if (!this.#days.has(day)) {
      if (this.#days.size >= limits.dates) return false;
      this.#days.add(day);
    }
    this.#day = day;
    return true;
  }

  #cut(record: StreamRecord, index: number): false {
    if (isBefore(this.#to, { offset: record.offset, index }))
      this.#last = { offset: record.offset, timeMs: record.timeMs };
    this.#to = { offset: record.offset, index };
    return false;
  }

  #skipTo(offset: number): void {
    if (offset <= this.#to.offset) return;
    this.#expiredRecords += offset - this.#to.offset;
    this.#to = { offset, index: 0 };
  }

  /** The number of its spans; 0, and a dead letter of it, when nobody can read it. */
  #read(record: StreamRecord): number {
    try {
      return this.#rows.read(record);
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'invalid') throw error;
      const payload = Buffer.from(record.payload); // beyond the next read
      const spans = Math.max(1, record.spans); // nobody knows, and none would hide the loss
      this.#bury(record, 0, { payload, spans, reason: `${undecodableReason}: ${error.message}` });
      return 0;
    }
  }

  /** Spans that are left out of a record come after those that are not. */
  #leave(record: StreamRecord, count: number): void {
    let index = count;
    for (const letter of this.#rows.leftOut) {
      this.#bury(record, index, letter);
      index += letter.spans;
    }
  }

  #bury(record: StreamRecord, index: number, letter: Rows['leftOut'][number]): void {
    const kept = { ...record, payload: letter.payload };
    this.#unreadable.push({ record: kept, index, attempt: 1, ...letter });
    this.#unreadableBytes += letter.payload.length;
  }
}
