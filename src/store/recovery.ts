import { Failure } from '../core/failure.ts';
import type { PartitionBounds, PartitionReader, Position } from '../core/stream.ts';
import type { Intent, Ledger } from './intent.ts';
import { afterRecord, isBefore, textOf, type Origin, type Stretch } from './place.ts';
import { endOffset, recordBefore, RecordCursor } from './record-cursor.ts';
import { Settlement } from './settlement.ts';
import type { Passed, Tenure } from './tenure.ts';

const readWaitMs = 1000;

/**
 * Checks that the stream is the one the table and the ledger speak of. Throws an `invalid` Failure when
 * it was cut back under the same id: its offsets would name other spans, and those would be taken for stored.
 */
export async function checkIdentity(
  partition: Pick<PartitionReader, 'bounds' | 'read'>,
  origin: Origin,
  ledger: Ledger,
  highest: Position | undefined,
): Promise<void> {
  const bounds = await partition.bounds();
  const known: readonly (readonly [string, Position | undefined])[] = [
    ['committed', ledger.position],
    ['announced', ledger.intent?.to],
    ['stored', highest && { offset: highest.offset, index: highest.index + 1 }],
  ];
  for (const [what, position] of known)
    if (position && !reaches(bounds, position))
      throw cutBack(
        origin,
        `ends at offset ${bounds.end}, before the position ${textOf(position)} that was ${what}`,
      );
  const { last } = ledger;
  if (last === undefined || last.offset < bounds.start) return;
  const [record] = await partition.read(last.offset, 1, readWaitMs);
  if (record?.offset === last.offset && record.timeMs !== last.timeMs)
    throw cutBack(origin, `has another record at offset ${last.offset} than the one that was committed`);
}

function reaches(bounds: PartitionBounds, position: Position): boolean {
  return bounds.end >= endOffset(position);
}

/** Only a new stream has a new id: Kafka gives one to each topic, and the embedded log makes one in an empty folder. */
const whatToDo =
  'records that were stored are gone from it (an older copy was put back, or brokers lost them), and new ones would be taken for them; begin a new stream: name another topic, or move the folder stream out of data_dir, as the runbook says under PlimsollStoreNotFlowing';

function cutBack(origin: Origin, fact: string): Failure {
  return new Failure(
    'invalid',
    `partition ${origin.partition} of stream ${origin.streamId} ${fact}: ${whatToDo}`,
  );
}

/**
 * Brings table, dead letters and ledger to agreement: the open intent, then everything that has a row at or beyond the
 * committed position, and, if `unclean`, what a power cut may have taken back. Ends with a commit that has no intent,
 * also when nothing was to do: by it the stream knows that what was verified may go.
 */
export async function recover(tenure: Tenure, unclean: boolean): Promise<void> {
  tenure.enter('recovering');
  const { table } = tenure.parts;
  const { intent, position, settled } = tenure.ledger;
  if (intent) await settle(tenure, intent, intent);
  if (unclean && isBefore(settled, position)) await verify(tenure, { from: settled, to: position });
  const highest = await tenure.persist('the table', () =>
    table.highest(tenure.origin, tenure.ledger.position),
  );
  if (highest)
    await verify(tenure, {
      from: tenure.ledger.position,
      to: { offset: highest.offset, index: highest.index + 1 },
    });
  await tenure.close();
  tenure.endRecovery();
}

/** Compares `stretch` with the table piece by piece, by number alone, and settles the pieces that differ. */
async function verify(tenure: Tenure, stretch: Stretch): Promise<void> {
  const { table } = tenure.parts;
  const cursor = new RecordCursor(tenure.claim, stretch.from);
  for (let from = stretch.from; isBefore(from, stretch.to);) {
    const piece = await nextPiece(tenure, cursor, { from, to: stretch.to });
    const held = await tenure.persist('the table', () => table.held(tenure.origin, { from, to: piece.to }));
    if (held.rows === piece.spans && held.positions === piece.spans)
      await tenure.conclude(piece, piece.spans, 0);
    else await settle(tenure, { from, to: piece.to }); // reads the claim: of the cursor's records only sizes hold from here on
    from = piece.to;
  }
  await tenure.persist('the table', () => table.rederive(tenure.origin, stretch));
}

/** Passes whole records of `stretch`, about a block's worth. Its spans are NaN, unequal to any number, when a record does not say. */
async function nextPiece(tenure: Tenure, cursor: RecordCursor, stretch: Stretch): Promise<Passed> {
  const { limits } = tenure.parts.settings;
  let to = stretch.from;
  let [spans, bytes, expiredRecords, isCounted] = [0, 0, 0, true];
  let last: Passed['last'];
  while (isBefore(to, stretch.to) && spans < limits.rows && bytes < limits.bytes) {
    const record = await recordBefore(tenure.claim, cursor, stretch.to, tenure.halt);
    expiredRecords += Math.max(0, (record?.offset ?? stretch.to.offset) - to.offset);
    if (record === undefined) {
      to = stretch.to;
      break;
    }
    const isCut = record.offset === stretch.to.offset;
    const end = isCut ? Math.min(record.spans, stretch.to.index) : record.spans;
    spans += end - (record.offset === to.offset ? to.index : 0);
    bytes += record.payload.length;
    isCounted &&= record.spans > 0;
    last = { offset: record.offset, timeMs: record.timeMs };
    const isWhole = !isCut || (record.spans > 0 && end === record.spans);
    to = isWhole ? afterRecord(record.offset) : stretch.to;
    cursor.advance();
  }
  return { to, spans: isCounted ? spans : NaN, last, expiredRecords, unreadable: [] };
}

async function settle(tenure: Tenure, stretch: Stretch, open?: Intent): Promise<void> {
  await new Settlement(tenure, open).run(stretch);
}
