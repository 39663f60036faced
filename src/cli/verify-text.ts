import { isConserved, isProven, missingSpans, type Recount } from '../store/recount.ts';
import type { Verified } from '../roles/verify.ts';
import type { SpanPlaces } from '../store/span-places.ts';

const shownPlaces = 5;

/** What was found of a partition: a line, and one for each thing to know of it; or one JSON object. */
export function verifiedText(verified: Verified, isJson: boolean): string {
  return isJson ? `${JSON.stringify(facts(verified))}\n` : lines(verified).join('');
}

/** Spans that were appended, whatever became of them. */
function acceptedSpans(recount: Recount): number {
  const { storedSpans, deadSpans, expiredSpans, inFlightSpans, untoldSpans } = recount;
  return storedSpans + deadSpans + expiredSpans + inFlightSpans + untoldSpans + missingSpans(recount);
}

function facts(verified: Verified): object {
  const { streamId: stream, partition } = verified.origin;
  if ('fault' in verified)
    return { partition, stream, isConserved: false, isProven: false, fault: verified.fault };
  const { position, missing, doubled, origin: _, ...counts } = verified;
  return {
    partition,
    stream,
    isConserved: isConserved(verified),
    isProven: isProven(verified),
    position,
    acceptedSpans: acceptedSpans(verified),
    ...counts,
    missingSpans: missingSpans(verified),
    missing: missing.texts,
    doubled: doubled.texts,
  };
}

function lines(verified: Verified): readonly string[] {
  const { partition } = verified.origin;
  if ('fault' in verified) return [`partition ${partition}: cannot be recounted\n`, note(verified.fault)];
  const { storedSpans, deadSpans, expiredSpans, expiredRecords, inFlightSpans, untoldSpans, doubledRows } =
    verified;
  const parts = [
    `${storedSpans} stored`,
    `${deadSpans} dead-lettered`,
    ...(expiredSpans > 0 ? [`${expiredSpans} expired`] : []),
    ...(expiredRecords > 0
      ? [`${expiredRecords} ${expiredRecords === 1 ? 'record' : 'records'} expired`]
      : []),
    ...(untoldSpans > 0 ? [`${untoldSpans} that nobody can tell`] : []),
    `${inFlightSpans} in flight`,
    `${missingSpans(verified) || 'none'} missing`,
    ...(doubledRows > 0 ? [`${doubledRows} twice`] : []),
  ];
  const accepted = acceptedSpans(verified);
  return [
    `partition ${partition}: ${accepted} ${accepted === 1 ? 'span' : 'spans'} accepted, ${parts.join(', ')}\n`,
    ...[...notes(verified)].map(note),
  ];
}

function note(text: string): string {
  return `  ${text}\n`;
}

function* notes(recount: Recount): Generator<string> {
  const { missing, missingUntold, missingUnseen, doubled, doubledRows, strayRows } = recount;
  if (missing.spans > missingUntold) yield `missing: ${placesText(missing)}`;
  else if (missing.spans > 0) yield `nobody can tell of: ${placesText(missing)}`;
  if (missingUntold > 0)
    yield `of these, ${missingUntold} may have been dead letters, which the stream of dead letters no longer has`;
  if (missingUnseen > 0)
    yield `missing: ${missingUnseen} that the store counted, of records that the stream no longer has, so nobody can say which`;
  if (doubledRows > 0) yield `more than one row: ${placesText(doubled)}`;
  if (strayRows > 0) yield `rows where the stream has no span: ${strayRows}`;
  const { unseenSpans, untoldSpans, expiredSpans, expiredRecords, uncountedSpans, isUnseenCounted } = recount;
  if (unseenSpans > 0)
    yield `compared by number alone, since the stream no longer has their records: ${unseenSpans}`;
  if (untoldSpans > 0)
    yield `nobody can tell: ${untoldSpans} have no row, and may be older than the table or the dead letters keep`;
  if (recount.unclearTtl !== '')
    yield `not provable: the TTL of otel_traces does not say how long it keeps a row, so any may be gone: ${recount.unclearTtl}`;
  if (expiredSpans > 0)
    yield `expired: the stream removed ${expiredSpans} spans that the store had announced, before they were stored`;
  if (expiredRecords > 0)
    yield `expired: the stream removed ${expiredRecords} records before they were stored, and nobody knows how many spans were in them`;
  if (uncountedSpans > 0)
    yield `the store itself counted ${uncountedSpans} less: its commit was forgotten, or somebody moved it`;
  if (!isUnseenCounted)
    yield 'nobody can tell how many spans were in records that the stream no longer has: the store has not counted them';
}

function placesText({ texts, spans }: SpanPlaces): string {
  const shown = texts.slice(0, shownPlaces);
  const more = texts.length > shown.length ? `, and so on, ${spans} in all` : '';
  return `${shown.join(', ')}${more} (offset.index)`;
}
