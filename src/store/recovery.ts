import { Failure } from '../core/failure.ts';
import type { Claim, PartitionBounds, Position } from '../core/stream.ts';
import { Block, unlimited, type BlockLimits } from './block.ts';
import { newAttempt, type Intent, type Ledger } from './intent.ts';
import { isBefore, PositionSet, textOf, type Origin, type Stretch } from './place.ts';
import { RecordCursor } from './record-cursor.ts';
import { InsertRejected } from './table.ts';
import type { Tenure } from './tenure.ts';

const readWaitMs = 1000;

/**
 * Checks at a takeover that the stream is the one the table and the ledger speak of. Throws an `invalid` Failure when
 * it was created anew: its offsets would name other spans, and those would be taken for stored.
 */
export async function checkIdentity(
  claim: Claim,
  origin: Origin,
  ledger: Ledger,
  highest: Position | undefined,
): Promise<void> {
  const bounds = await claim.bounds();
  const known: readonly (readonly [string, Position | undefined])[] = [
    ['committed', ledger.position],
    ['announced', ledger.intent?.to],
    ['stored', highest && { offset: highest.offset, index: highest.index + 1 }],
  ];
  for (const [what, position] of known)
    if (position && !reaches(bounds, position))
      throw createdAnew(
        origin,
        `ends at offset ${bounds.end}, before the position ${textOf(position)} that was ${what}`,
      );
  const { last } = ledger;
  if (last === undefined || last.offset < bounds.start) return;
  const [record] = await claim.read(last.offset, 1, readWaitMs);
  if (record?.offset === last.offset && record.timeMs !== last.timeMs)
    throw createdAnew(origin, `has another record at offset ${last.offset} than the one that was committed`);
}

function reaches(bounds: PartitionBounds, position: Position): boolean {
  return bounds.end >= (position.index > 0 ? position.offset + 1 : position.offset);
}

function createdAnew(origin: Origin, fact: string): Failure {
  return new Failure(
    'invalid',
    `partition ${origin.partition} of stream ${origin.streamId} ${fact}: the stream was created anew, so give it a new stream id`,
  );
}

/**
 * Brings table, dead letters and ledger to agreement: the open intent, then everything that has a row at or beyond the
 * committed position, and, if `unclean`, what a power cut may have taken back. Ends with a commit that has no intent.
 */
export async function recover(tenure: Tenure, unclean: boolean): Promise<void> {
  tenure.enter('recovering');
  const { table } = tenure.parts;
  const { intent, position, settled } = tenure.ledger;
  if (intent) await settle(tenure, intent, intent);
  if (unclean && isBefore(settled, position)) await verify(tenure, { from: settled, to: position });
  const highest = await tenure.persist('the table', () => table.highest(tenure.origin));
  if (highest && !isBefore(highest, tenure.ledger.position))
    await verify(tenure, {
      from: tenure.ledger.position,
      to: { offset: highest.offset, index: highest.index + 1 },
    });
  if (tenure.isBehind) await tenure.close(false);
}

/** Compares `stretch` with the table piece by piece, by number, and settles the pieces that differ. */
async function verify(tenure: Tenure, stretch: Stretch): Promise<void> {
  const { table, settings } = tenure.parts;
  const cursor = new RecordCursor(tenure.claim, stretch.from);
  for (let from = stretch.from; isBefore(from, stretch.to); ) {
    const block = new Block(countingRows(tenure));
    await fill(tenure, block, cursor, { from, to: stretch.to }, settings.limits);
    const piece = { from, to: block.to };
    const held = await tenure.persist('the table', () => table.held(tenure.origin, piece));
    if (held.rows === block.spans && held.positions === block.spans)
      await tenure.conclude(block, held.positions, 0);
    else await settle(tenure, piece);
    from = block.to;
  }
  await tenure.persist('the table', () => table.rederive(tenure.origin, stretch));
}
