import type { PartitionReader, Position, StreamRecord } from '../core/stream.ts';
import { Failure } from '../core/failure.ts';
import type { Rows } from './block.ts';
import { listDead, type Letter } from './dead-letter-log.ts';
import type { Ledger } from './intent.ts';
import { afterRecord, isBefore, PositionSet, type Origin, type Stretch } from './place.ts';
import { endOffset, recordsBefore } from './record-cursor.ts';
import { markOf, type Aged, type Marked, type RecountedTable } from './recounted-table.ts';
import { checkIdentity } from './recovery.ts';
import { SpanPlaces } from './span-places.ts';

/** What a recount compares. */
export interface RecountParts {
  readonly table: RecountedTable;
  /** For reading records alone. */
  readonly rows: Rows;
  readonly reader: PartitionReader;
  /** Read after the ledger. */
  readonly letters: readonly Letter[];
  /** Whether there were more, which the stream of the dead letters no longer has. */
  readonly haveLettersGone: boolean;
}

/** What became of every span of a partition. Each is counted once: accepted is the sum of all but `doubledRows` and `strayRows`. */
export interface Recount {
  readonly origin: Origin;
  /** Everything before it is stored, dead or expired, as the store committed. */
  readonly position: Position;
  /** Spans that have a row. */
  readonly storedSpans: number;
  /** Spans that have no row and are among the dead letters. */
  readonly deadSpans: number;
  /** Spans that the stream's retention removed before they were stored, as the store counted them. */
  readonly expiredSpans: number;
  /** Records that it removed before they were stored: how many spans they had beyond `expiredSpans`, nobody knows. */
  readonly expiredRecords: number;
  /** Spans from the position on: the store has still to conclude them. */
  readonly inFlightSpans: number;
  /** Spans with no row, where nobody can tell whether they had one: they are older than the table, or the dead letters, keep. */
  readonly untoldSpans: number;
  /** How many of `missing` may have been dead letters that are gone: nobody can tell which, and `untoldSpans` has them. */
  readonly missingUntold: number;
  /** Spans that have neither a row nor a letter, though their record is still on the stream. */
  readonly missing: SpanPlaces;
  /** Spans that the store counted, that have neither, and whose record is gone: by number alone. */
  readonly missingUnseen: number;
  /** Of all spans before the position, those whose records the stream no longer has: compared by number alone. */
  readonly unseenSpans: number;
  /** Rows beyond the first of their position; places are those of the first of them. */
  readonly doubledRows: number;
  readonly doubled: SpanPlaces;
  /** Rows where the stream has no span. */
  readonly strayRows: number;
  /** Whether the store's own count reaches back to all that the stream no longer has: without, nothing can be compared with it. */
  readonly isUnseenCounted: boolean;
  /** As `Aged` has it. */
  readonly unclearTtl: string;
  /** How many spans less than there are the store has counted: its commit was forgotten, or moved by an operator. */
  readonly uncountedSpans: number;
}

/** How many spans are missing, wherever they were. */
export function missingSpans({ missing, missingUntold, missingUnseen }: Recount): number {
  return missing.spans - missingUntold + missingUnseen;
}

/** Whether nothing is missing or expired, and nothing is there twice. */
export function isConserved(found: Recount): boolean {
  const { expiredSpans, expiredRecords, doubledRows, strayRows } = found;
  return missingSpans(found) + expiredSpans + expiredRecords + doubledRows + strayRows === 0;
}

/** Whether all could be compared: what nobody can tell may be lost, too. */
export function isProven({ untoldSpans, isUnseenCounted }: Recount): boolean {
  return untoldSpans === 0 && isUnseenCounted;
}

/**
 * Recounts a partition whose store had committed `ledger` before `parts` were read, so it may go on meanwhile. By
 * position, wherever the stream still has the record; by number, against what the store counted, where it has not. Rejects
 * as `checkIdentity` does, and when the stream or the table does not answer.
 */
export async function recount(parts: RecountParts, origin: Origin, ledger: Ledger): Promise<Recount> {
  const { table, reader } = parts;
  await checkIdentity(reader, origin, ledger, await table.highest(origin, ledger.position));
  return new Counting(parts, origin, ledger, await table.aged()).run();
}

/** The first `spans` spans of a record. */
interface Passed {
  readonly offset: number;
  readonly spans: number;
  /** Which of them are older than the table keeps. */
  readonly aged: ReadonlySet<number>;
}

/** How many records and spans are compared with the table at once. */
const pieceLimit = 100_000;
const namedRows = 100;
/** How many rows the table looks through for doubles at once, where one record has no more: some hundred MiB of memory. */
const mostRows = 2_000_000;
const dayMs = 86_400_000;
const none: ReadonlySet<number> = new Set();

class Counting {
  readonly #parts: RecountParts;
  readonly #origin: Origin;
  readonly #ledger: Ledger;
  /** Rows of this day, counted from the epoch, and of those before may be gone. */
  readonly #agedDay: number;
  readonly #unclearTtl: string;
  readonly #letters: readonly Letter[];
  readonly #dead = new PositionSet();
  /** Before the position, and where the stream has no record any more. */
  readonly #unseen: Stretch[] = [];
  #piece: Passed[] = [];
  #pieceSpans = 0;
  #pieceMark = 0;
  #seenSpans = 0;
  #storedSpans = 0;
  #deadSpans = 0;
  #inFlightSpans = 0;
  #untoldSpans = 0;
  /** From the position on, which the store has still to notice. */
  #expiredRecords = 0;
  #doubledRows = 0;
  #strayRows = 0;
  readonly #missing = new SpanPlaces();
  readonly #doubled = new SpanPlaces();

  constructor(parts: RecountParts, origin: Origin, ledger: Ledger, aged: Aged) {
    this.#parts = parts;
    this.#origin = origin;
    this.#ledger = ledger;
    this.#agedDay = Math.floor(aged.beforeMs / dayMs);
    this.#unclearTtl = aged.unclearTtl;
    this.#letters = parts.letters.filter(
      (letter) => letter.origin.streamId === origin.streamId && letter.origin.partition === origin.partition,
    );
    for (const { position, readableSpans = 1 } of this.#letters)
      for (let at = 0; at < readableSpans; at++) this.#dead.add(position.offset, position.index + at);
  }

  async run(): Promise<Recount> {
    const { position, expiredSpans, expiredRecords, passedSpans } = this.#ledger;
    await this.#walk();
    const seenSpans = this.#seenSpans;
    const seenDead = this.#deadSpans;
    const unseenStored = await this.#countUnseen();
    const unseenSpans = unseenStored + (this.#deadSpans - seenDead) + expiredSpans;
    const lacking = Math.max(0, passedSpans - seenSpans - unseenSpans);
    const lettersGone = this.#goneLetterSpans();
    const missingUntold = Math.min(this.#missing.spans, lettersGone);
    const mayHaveAged = lacking > 0 && (await this.#mayHaveAged());
    const untold = mayHaveAged ? lacking : Math.min(lacking, lettersGone - missingUntold);
    return {
      origin: this.#origin,
      position,
      storedSpans: this.#storedSpans + unseenStored,
      deadSpans: this.#deadSpans,
      expiredSpans,
      expiredRecords: expiredRecords + this.#expiredRecords,
      inFlightSpans: this.#inFlightSpans,
      untoldSpans: this.#untoldSpans + untold + missingUntold,
      missingUntold,
      missing: this.#missing,
      missingUnseen: lacking - untold,
      unseenSpans: unseenSpans + lacking,
      doubledRows: this.#doubledRows,
      doubled: this.#doubled,
      strayRows: this.#strayRows,
      isUnseenCounted:
        this.#unseen.length === 0 || (passedSpans > 0 && passedSpans >= seenSpans + unseenSpans),
      unclearTtl: this.#unclearTtl,
      uncountedSpans: Math.max(0, seenSpans + unseenSpans - passedSpans),
    };
  }

  /** How many dead spans the store had counted whose letters are gone: they have no row, and nobody lost them. */
  #goneLetterSpans(): number {
    if (!this.#parts.haveLettersGone) return 0;
    const known = this.#letters.filter(({ position }) => isBefore(position, this.#ledger.position));
    const knownSpans = known.reduce((sum, { spans }) => sum + spans, 0);
    return Math.max(0, this.#ledger.deadSpans - knownSpans);
  }

  /** Whether the table may have removed a row of a record that is gone: not while it has one of the first record, and none so old. */
  async #mayHaveAged(): Promise<boolean> {
    const { to } = this.#unseen.at(-1) ?? { to: this.#ledger.position };
    if (this.#agedDay < 0) return false;
    const oldest = await this.#parts.table.oldest(this.#origin, { from: { offset: 0, index: 0 }, to });
    return oldest?.offset !== 0 || Math.floor(oldest.timeMs / dayMs) <= this.#agedDay;
  }

  async #walk(): Promise<void> {
    const { reader } = this.#parts;
    const { position } = this.#ledger;
    const { start, end } = await reader.bounds();
    await this.#countExpired({ from: position, to: { offset: start, index: 0 } });
    let next = 0;
    for await (const record of recordsBefore(reader, start, end)) {
      if (record.offset > next)
        await this.#skip({ offset: next, index: 0 }, { offset: record.offset, index: 0 });
      this.#take(record);
      next = record.offset + 1;
      if (this.#pieceSpans + this.#piece.length >= pieceLimit) await this.#settle();
    }
    await this.#skip({ offset: next, index: 0 }, position);
  }

  /** Records of `gone`, which the store has not passed; the rows that some have are of a block that it had announced. */
  async #countExpired(gone: Stretch): Promise<void> {
    if (!isBefore(gone.from, gone.to)) return;
    const { present } = await this.#parts.table.positions(this.#origin, gone);
    this.#expiredRecords = gone.to.offset - gone.from.offset - present.recordsBefore(gone.to);
  }

  /** Goes past what the stream no longer has. */
  async #skip(from: Position, to: Position): Promise<void> {
    await this.#settle();
    const { position } = this.#ledger;
    const before = isBefore(to, position) ? to : position;
    if (isBefore(from, before)) this.#unseen.push({ from, to: before });
  }

  /** Those of its spans before the position are to be settled, the others are in flight. */
  #take(record: StreamRecord): void {
    const { position } = this.#ledger;
    const { offset } = record;
    const { readable, others } = this.#read(record);
    const otherSpans = others.reduce((sum, { spans }) => sum + spans, 0);
    if (offset >= endOffset(position)) {
      this.#inFlightSpans += readable + otherSpans;
      return;
    }
    const passed = offset === position.offset ? Math.min(readable, position.index) : readable;
    this.#piece.push({ offset, spans: passed, aged: this.#agedAmong(passed) });
    this.#pieceSpans += passed;
    const records = offset - (this.#piece[0]?.offset ?? offset);
    for (let index = 0; index < passed; index++) this.#pieceMark += markOf(records, index);
    this.#seenSpans += passed;
    if (offset === position.offset) {
      this.#inFlightSpans += readable - passed + otherSpans;
      return;
    }
    this.#seenSpans += otherSpans;
    for (const { index, spans } of others)
      if (this.#dead.has(offset, index)) this.#deadSpans += spans;
      else this.#missing.add(offset, index, spans);
  }

  /** How many spans of `record` can have a row, and where those are that cannot. */
  #read(record: StreamRecord): {
    readonly readable: number;
    readonly others: readonly { readonly index: number; readonly spans: number }[];
  } {
    const { rows } = this.#parts;
    try {
      const readable = rows.read(record);
      let index = readable;
      const others = rows.leftOut.map(({ spans }) => {
        const other = { index, spans };
        index += spans;
        return other;
      });
      return { readable, others };
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'invalid') throw error;
      return { readable: 0, others: [{ index: 0, spans: Math.max(1, record.spans) }] }; // as the store counts them
    }
  }

  #agedAmong(spans: number): ReadonlySet<number> {
    if (this.#agedDay < 0) return none;
    const { rows } = this.#parts;
    return new Set(
      Array.from({ length: spans }, (_, at) => at).filter((at) => rows.dayOf(at) <= this.#agedDay),
    );
  }

  /** Compares what was passed with the table: by number and mark, and by position where those differ. */
  async #settle(): Promise<void> {
    const piece = this.#piece;
    const spans = this.#pieceSpans;
    const mark = this.#pieceMark;
    const [first, last] = [piece[0], piece.at(-1)];
    this.#piece = [];
    this.#pieceSpans = 0;
    this.#pieceMark = 0;
    if (first === undefined || last === undefined) return;
    const { position } = this.#ledger;
    const end = afterRecord(last.offset);
    const stretch = {
      from: { offset: first.offset, index: 0 },
      to: isBefore(position, end) ? position : end,
    };
    const held = await this.#held(stretch);
    if (held.positions === spans && held.mark === mark) this.#storedSpans += spans;
    else await this.#compare(piece, stretch);
  }

  async #compare(piece: readonly Passed[], stretch: Stretch): Promise<void> {
    const { present } = await this.#parts.table.positions(this.#origin, stretch);
    let stored = 0;
    for (const { offset, spans, aged } of piece)
      for (let index = 0; index < spans; index++)
        if (present.has(offset, index)) stored++;
        else if (this.#dead.has(offset, index)) this.#deadSpans++;
        else if (aged.has(index)) this.#untoldSpans++;
        else this.#missing.add(offset, index);
    this.#storedSpans += stored;
    this.#strayRows += present.size - stored;
  }

  /** What the table holds of `stretch`; notes the positions that have more than one row. */
  async #held(stretch: Stretch): Promise<Marked> {
    const { table } = this.#parts;
    const held = await table.held(this.#origin, stretch);
    const { rows, positions } = held;
    if (rows > positions) {
      this.#doubledRows += rows - positions;
      for (const { offset, index } of await table.doubled(this.#origin, stretch, namedRows))
        this.#doubled.add(offset, index);
    }
    return held;
  }

  /** How many positions of `stretch`, which may have any number of rows, have one: in halves until a piece has few enough. */
  async #heldInPieces({ from, to }: Stretch): Promise<number> {
    const offset = Math.floor((from.offset + to.offset) / 2);
    const isOneRecord = offset === from.offset;
    if (isOneRecord || (await this.#parts.table.count(this.#origin, { from, to })) <= mostRows)
      return (await this.#held({ from, to })).positions;
    const middle = { offset, index: 0 };
    return (
      (await this.#heldInPieces({ from, to: middle })) + (await this.#heldInPieces({ from: middle, to }))
    );
  }

  /** Counts what the table and the dead letters have of records that are gone; returns how many of their spans have a row. */
  async #countUnseen(): Promise<number> {
    let stored = 0;
    for (const stretch of this.#unseen) {
      stored += await this.#heldInPieces(stretch);
      const letters = this.#letters.filter(
        ({ position }) => !isBefore(position, stretch.from) && isBefore(position, stretch.to),
      );
      for (const { deadSpans } of await listDead(this.#parts.table, letters)) this.#deadSpans += deadSpans;
    }
    return stored;
  }
}
