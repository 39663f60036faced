import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { Failure } from '../core/failure.ts';
import type { Commit, Position } from '../core/stream.ts';
import { textOf, type Origin, type Stretch } from './place.ts';

/**
 * A promise, committed before the insert it announces: this stretch, `rows` rows, under this attempt's token. Until it
 * is gone from the commit, a copy of that insert may exist, and nobody may insert a span of the stretch under another
 * token before the table was asked.
 */
export interface Intent extends Stretch {
  /** Never used before, by anybody: so the acknowledged insert of a fresh attempt is proof, even where older commits are gone. */
  readonly attempt: string;
  readonly rows: number;
}

/** Everything the store knows of a partition; it travels in the commit, so it survives any owner. */
export interface Ledger {
  /** Everything before it is stored, dead or expired. */
  readonly position: Position;
  /** What was committed long enough ago that a power cut can no longer take it back. */
  readonly settled: Position;
  /** The last record at or before `position`: how a stream that was created anew is told. */
  readonly last: { readonly offset: number; readonly timeMs: number } | undefined;
  /** Spans before `position`, counted as the stream was walked; the next three say what became of them. */
  readonly passedSpans: number;
  readonly storedSpans: number;
  readonly deadSpans: number;
  readonly expiredSpans: number;
  /** Records that retention removed before anything of them was stored: how many spans they had, only an intent can say. */
  readonly expiredRecords: number;
  readonly intent: Intent | undefined;
  /** The boot in which the last owner stopped in order; undefined from the first intent of an owner on. */
  readonly cleanBoot: string | undefined;
}

/** The ledger of a partition of which nothing is known but where it begins. */
export function emptyLedger(position: Position): Ledger {
  return {
    position,
    settled: position,
    last: undefined,
    passedSpans: 0,
    storedSpans: 0,
    deadSpans: 0,
    expiredSpans: 0,
    expiredRecords: 0,
    intent: undefined,
    cleanBoot: undefined,
  };
}

const count = z.int().min(0);
const place = z.tuple([count, count]);
const metadataSchema = z.strictObject({
  v: z.literal(1),
  stream: z.string(),
  enc: count,
  settled: place,
  last: z.tuple([count, z.number()]).optional(),
  spans: z.tuple([count, count, count, count]),
  expired: count.optional(),
  intent: z.strictObject({ from: place, to: place, attempt: z.string(), rows: count }).optional(),
  clean: z.string().optional(),
});

const pair = (position: Position): [number, number] => [position.offset, position.index];
const position = ([offset, index]: readonly [number, number]): Position => ({ offset, index });

/** The commit that carries `ledger`. Its metadata has a bounded size, about 300 bytes beside the stream's id. */
export function toCommit(ledger: Ledger, origin: Origin, encoderVersion: number): Commit {
  const { settled, last, intent } = ledger;
  const metadata: z.input<typeof metadataSchema> = {
    v: 1,
    stream: origin.streamId,
    enc: encoderVersion,
    settled: pair(settled),
    last: last && [last.offset, last.timeMs],
    spans: [ledger.storedSpans, ledger.deadSpans, ledger.expiredSpans, ledger.passedSpans],
    ...(ledger.expiredRecords > 0 && { expired: ledger.expiredRecords }),
    intent: intent && { ...intent, from: pair(intent.from), to: pair(intent.to) },
    clean: ledger.cleanBoot,
  };
  return { position: ledger.position, metadata: JSON.stringify(metadata) };
}

/**
 * The ledger that `commit` carries. A commit without metadata is one that an operator or the broker set: only its
 * position counts. A commit of another stream id says nothing about this one. Throws an `invalid` Failure with the fix
 * for metadata of another program, and for an open intent whose rows this program would build differently.
 */
export function fromCommit(
  commit: Commit | undefined,
  origin: Origin,
  encoderVersion: number,
  start: Position,
): Ledger {
  if (commit === undefined) return emptyLedger(start);
  if (commit.metadata === '') return emptyLedger(commit.position);
  const parsed = parse(commit.metadata, origin);
  if (parsed.stream !== origin.streamId) return emptyLedger(start);
  const { last, spans, intent } = parsed;
  if (intent && parsed.enc !== encoderVersion)
    throw new Failure(
      'invalid',
      `the open block ${intent.from.join('.')}-${intent.to.join('.')} of partition ${origin.partition} was built by row encoder ${parsed.enc}, and this program has ${encoderVersion}: run the version that wrote it until it stops in order, then this one`,
    );
  return {
    position: commit.position,
    settled: position(parsed.settled),
    last: last && { offset: last[0], timeMs: last[1] },
    storedSpans: spans[0],
    deadSpans: spans[1],
    expiredSpans: spans[2],
    passedSpans: spans[3],
    expiredRecords: parsed.expired ?? 0,
    intent: intent && { ...intent, from: position(intent.from), to: position(intent.to) },
    cleanBoot: parsed.clean,
  };
}

function parse(metadata: string, origin: Origin): z.output<typeof metadataSchema> {
  try {
    return metadataSchema.parse(JSON.parse(metadata));
  } catch (cause) {
    throw new Failure(
      'invalid',
      `the commit of partition ${origin.partition} carries metadata that this program did not write: give the store a consumer group of its own`,
      { cause },
    );
  }
}

/** A name for an attempt that nobody used before. */
export function newAttempt(): string {
  return randomBytes(9).toString('base64url');
}

/** The deduplication token of an attempt: every copy of one attempt has the same, and nothing else has it. */
export function tokenOf(origin: Origin, intent: Intent): string {
  return `${origin.streamId}/${origin.partition}/${textOf(intent.from)}-${textOf(intent.to)}/${intent.attempt}`;
}
