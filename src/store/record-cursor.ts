import { Failure } from '../core/failure.ts';
import type { Claim, PartitionReader, Position, StreamRecord } from '../core/stream.ts';

const readBytes = 4 * 1024 * 1024;

/** Reads the records of a partition one after another, a few MiB at a time. */
export class RecordCursor {
  readonly #partition: PartitionReader;
  #records: readonly StreamRecord[] = [];
  #next = 0;
  #offset: number;

  constructor(partition: PartitionReader, from: Position) {
    this.#partition = partition;
    this.#offset = from.offset;
  }

  /** The next record, which stays the next until `advance`; undefined when none arrived within `waitMs`. */
  async peek(waitMs: number): Promise<StreamRecord | undefined> {
    if (this.#next >= this.#records.length) {
      this.#records = await this.#partition.read(this.#offset, readBytes, waitMs);
      this.#next = 0;
    }
    return this.#records[this.#next];
  }

  /** Goes past the record that `peek` returned. */
  advance(): void {
    const record = this.#records[this.#next];
    if (record === undefined) return;
    this.#offset = record.offset + 1;
    this.#next++;
  }
}

/** How long one wait for a record takes, in milliseconds, where the record is known to exist. */
const readWaitMs = 1000;

/** The offset after the last record that has spans before `position`. */
export function endOffset(position: Position): number {
  return position.index > 0 ? position.offset + 1 : position.offset;
}

/**
 * The next record that has spans before `to`, up to where the partition is known to reach; undefined when retention
 * removed all that were left. Throws the reason of `halt` when that aborts.
 */
export async function recordBefore(
  claim: Claim,
  cursor: RecordCursor,
  to: Position,
  halt: AbortSignal,
): Promise<StreamRecord | undefined> {
  for (;;) {
    halt.throwIfAborted();
    const record = await cursor.peek(readWaitMs);
    if (record) return record.offset < endOffset(to) ? record : undefined;
    const { start } = await claim.bounds();
    if (start >= endOffset(to)) return undefined;
  }
}

/** How often in a row a read of records that are known to exist may find none. */
const patienceReads = 30;

/**
 * The records from `from` on and before `end`, one after another; each is lent until the next. Throws when they cannot
 * be read to the end: who reads some only would take the others for settled.
 */
export async function* recordsBefore(
  reader: PartitionReader,
  from: number,
  end: number,
): AsyncGenerator<StreamRecord> {
  const cursor = new RecordCursor(reader, { offset: from, index: 0 });
  let emptyReads = 0;
  for (let next = from; next < end;) {
    const record = await cursor.peek(readWaitMs);
    if (record) {
      if (record.offset >= end) return;
      yield record;
      cursor.advance();
      next = record.offset + 1;
      emptyReads = 0;
    } else {
      const { start } = await reader.bounds();
      if (start >= end) return;
      if (++emptyReads >= patienceReads)
        throw new Failure(
          'unavailable',
          `partition ${reader.partition} ends at offset ${end} and cannot be read beyond ${next}: run it again`,
        );
    }
  }
}
