import { Failure } from '../core/failure.ts';
import type { Commit, PartitionReader, Position, StreamRecord } from '../core/stream.ts';
import type { RowEncoder, Rows } from './block.ts';
import { deadLetterHeaders, letterKey } from './dead-letters.ts';
import type { Origin } from './place.ts';
import { recordsBefore } from './record-cursor.ts';
import type { AskedTable } from './table.ts';

/** What is known of a dead letter. One that was sent several times is one letter, as its newest record has it. */
export interface Letter {
  readonly key: string;
  /** Where its spans come from, and their rows belong. */
  readonly origin: Origin;
  /** The place of its first span there. */
  readonly position: Position;
  /** When its record was written, in Unix milliseconds. */
  readonly recordTimeMs: number;
  /** Where its newest record is among the dead letters. */
  readonly offset: number;
  readonly reason: string;
  /** Which part of the pipeline gave it up. */
  readonly part: string;
  /** When it was given up last, in Unix milliseconds. */
  readonly timeMs: number;
  readonly attempt: number;
  /** How many spans it holds, as its writer counted them; 0 when the writer did not say. */
  readonly spans: number;
  /** How many spans it holds that can have a row; undefined when none can, because nobody can read it or them. */
  readonly readableSpans: number | undefined;
}

/** The letters that were read, by their keys and in the order of their newest records. */
export interface LettersRead {
  readonly letters: ReadonlyMap<string, Letter>;
  /** The offset after the last record that was read. */
  readonly end: number;
  /** How many records are no dead letters: somebody else wrote them. */
  readonly foreignRecords: number;
}

const askedAtOnce = 500;

/** Reads the letters from offset `from` on, up to those there are now. */
export async function readLetters(
  reader: PartitionReader,
  from: number,
  encoder: RowEncoder,
): Promise<LettersRead> {
  const rows = encoder.rows({ streamId: '', partition: 0 });
  const letters = new Map<string, Letter>();
  const { start, end } = await reader.bounds();
  let foreignRecords = 0;
  for await (const record of recordsBefore(reader, Math.max(from, start), end)) {
    const letter = letterOf(record, rows);
    if (letter === undefined) {
      foreignRecords++;
      continue;
    }
    const attempt = Math.max(letter.attempt, letters.get(letter.key)?.attempt ?? 0);
    letters.delete(letter.key);
    letters.set(letter.key, { ...letter, attempt });
  }
  return { letters, end: Math.max(from, end), foreignRecords };
}

/**
 * Where to read from: what comes before was settled, as replays committed. `streamId` is that of the dead letters: a commit
 * on a stream of this name that was created anew says nothing. One without metadata is an operator's.
 */
export function openFrom(committed: Commit | undefined, streamId: string): number {
  if (committed === undefined) return 0;
  return ['', streamId].includes(committed.metadata) ? committed.position.offset : 0;
}

/** What `record` says of itself, as a dead letter; undefined when it is none. */
function letterOf(record: StreamRecord, rows: Rows): Letter | undefined {
  const { headers } = record;
  const place = placeOf(headers[deadLetterHeaders.key] ?? '');
  if (place === undefined) return undefined;
  return {
    ...place,
    key: letterKey(place.origin, place.position),
    recordTimeMs: timeOf(headers[deadLetterHeaders.recordTime], record.timeMs),
    offset: record.offset,
    reason: headers[deadLetterHeaders.reason] ?? '',
    part: headers[deadLetterHeaders.origin] ?? '',
    timeMs: timeOf(headers[deadLetterHeaders.time], record.timeMs),
    attempt: Number(headers[deadLetterHeaders.attempt] ?? 1) || 1,
    spans: record.spans,
    readableSpans: spansIn(record, rows),
  };
}

function placeOf(key: string): Pick<Letter, 'origin' | 'position'> | undefined {
  const [, streamId, partition, offset, index] = /^(.+)\/(\d+)\/(\d+)\/(\d+)$/s.exec(key) ?? [];
  if (streamId === undefined) return undefined;
  return {
    origin: { streamId, partition: Number(partition) },
    position: { offset: Number(offset), index: Number(index) },
  };
}

function timeOf(text: string | undefined, otherwiseMs: number): number {
  const timeMs = Date.parse(text ?? '');
  return Number.isNaN(timeMs) ? otherwiseMs : timeMs;
}

function spansIn(record: StreamRecord, rows: Rows): number | undefined {
  try {
    return rows.read(record) || undefined; // spans that are not valid, alone
  } catch (error) {
    if (error instanceof Failure && error.kind === 'invalid') return undefined;
    throw error;
  }
}

/**
 * Which spans of `letters` have no row, as their indexes in the record they come from. A letter that nobody can read is
 * taken for one span.
 */
export async function rowless(
  table: AskedTable,
  letters: readonly Letter[],
): Promise<ReadonlyMap<Letter, readonly number[]>> {
  const missing = new Map<Letter, readonly number[]>();
  for (const some of Map.groupBy(
    letters,
    ({ origin }) => `${origin.streamId}/${origin.partition}`,
  ).values()) {
    const single = some.filter(({ readableSpans }) => (readableSpans ?? 1) === 1);
    for (let at = 0; at < single.length; at += askedAtOnce)
      await askSingle(table, single.slice(at, at + askedAtOnce), missing);
    for (const letter of some) if (!missing.has(letter)) missing.set(letter, await askWide(table, letter));
  }
  return missing;
}

async function askSingle(
  table: AskedTable,
  letters: readonly Letter[],
  missing: Map<Letter, readonly number[]>,
): Promise<void> {
  const [first] = letters;
  if (first === undefined) return;
  const present = await table.rowsAt(
    first.origin,
    letters.map(({ position }) => position),
  );
  for (const letter of letters) {
    const { offset, index } = letter.position;
    missing.set(letter, present.has(offset, index) ? [] : [index]);
  }
}

async function askWide(table: AskedTable, letter: Letter): Promise<readonly number[]> {
  const { origin, position, readableSpans = 1 } = letter;
  const { offset, index } = position;
  const to = { offset, index: index + readableSpans };
  const { present } = await table.positions(origin, { from: position, to });
  return Array.from({ length: readableSpans }, (_, at) => index + at).filter(
    (at) => !present.has(offset, at),
  );
}

/** A letter of which not every span has a row. */
export interface ListedLetter extends Letter {
  /** How many of its spans have none. */
  readonly deadSpans: number;
}

/** Those of `letters` that are dead still, in their order: the table is the truth. */
export async function listDead(
  table: AskedTable,
  letters: readonly Letter[],
): Promise<readonly ListedLetter[]> {
  const missing = await rowless(table, letters);
  return letters.flatMap((letter) => {
    const indexes = missing.get(letter) ?? [];
    if (indexes.length === 0) return [];
    return [{ ...letter, deadSpans: letter.readableSpans === undefined ? letter.spans : indexes.length }];
  });
}

/** Which letters are meant: those that are as both say. */
export interface Selection {
  /** Undefined for any. */
  readonly key: string | undefined;
  /** A part of their reason; '' for any. */
  readonly reason: string;
}

/** Whether `letter` is meant. */
export function isSelected({ key, reason }: Letter, selection: Selection): boolean {
  return (selection.key === undefined || selection.key === key) && reason.includes(selection.reason);
}
