import { expect, test } from 'vitest';
import { verifiedText } from '../../src/cli/verify-text.ts';
import type { Recount } from '../../src/store/recount.ts';
import { SpanPlaces } from '../../src/store/span-places.ts';

const whole: Recount = {
  origin: { streamId: 's1', partition: 0 },
  position: { offset: 9, index: 0 },
  storedSpans: 7,
  deadSpans: 0,
  expiredSpans: 0,
  expiredRecords: 0,
  inFlightSpans: 0,
  untoldSpans: 0,
  missingUntold: 0,
  missing: new SpanPlaces(),
  missingUnseen: 0,
  unseenSpans: 0,
  isUnseenCounted: true,
  doubledRows: 0,
  doubled: new SpanPlaces(),
  strayRows: 0,
  unclearTtl: '',
  uncountedSpans: 0,
};

test('what the stream removed before it was stored is said, and is not conserved', () => {
  expect(verifiedText({ ...whole, expiredRecords: 2 }, false)).toBe(
    'partition 0: 7 spans accepted, 7 stored, 0 dead-lettered, 2 records expired, 0 in flight, none missing\n' +
      '  expired: the stream removed 2 records before they were stored, and nobody knows how many spans were in them\n',
  );
  expect(JSON.parse(verifiedText({ ...whole, expiredRecords: 2 }, true))).toMatchObject({
    isConserved: false,
    isProven: true,
    expiredRecords: 2,
  });
});

test('a TTL that does not say how long a row is kept is printed', () => {
  expect(verifiedText({ ...whole, unclearTtl: 'Timestamp + toIntervalDay(1) WHERE a' }, false)).toContain(
    '  not provable: the TTL of otel_traces does not say how long it keeps a row, so any may be gone: Timestamp + toIntervalDay(1) WHERE a\n',
  );
});
