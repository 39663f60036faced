import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Watermark } from '../../src/kpi/watermark.ts';
import { runs } from '../property-runs.ts';

const noon = Date.UTC(2026, 10, 23, 12);
const hour = 3_600_000;
const settings = { latenessMs: 120_000, idleAfterMs: 1000 };

const partition = fc.nat(2);
const event = fc.oneof(
  fc.record({ kind: fc.constant('claim'), partition }),
  fc.record({
    kind: fc.constant('record'),
    partition,
    /** How far its newest event is ahead of it, and it behind the clock. */
    aheadMs: fc.oneof(fc.constant(0), fc.integer({ min: -2 * hour, max: 5000 })),
    behindMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 * hour })),
  }),
  fc.record({ kind: fc.constant('nothing'), partition }),
  fc.record({ kind: fc.constant('pause'), ms: fc.constantFrom(1, 500, 1000, 5000, 60_000, hour) }),
);

/** What a partition was seen to do. */
interface Seen {
  newestMs: number;
  readMs: number;
  exhaustedMs: number;
}

test('property: the watermark is the smallest newest event of the partitions that are not idle, else the clock, and never goes back', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const watermark = new Watermark(settings);
      const seen = new Map<number, Seen>();
      let [nowMs, last] = [noon, Number.NEGATIVE_INFINITY];
      for (const one of events) {
        const known = one.kind === 'pause' ? undefined : seen.get(one.partition);
        if (one.kind === 'claim') {
          watermark.claim(one.partition);
          if (known) known.exhaustedMs = Number.NEGATIVE_INFINITY;
          else
            seen.set(one.partition, {
              newestMs: Number.NEGATIVE_INFINITY,
              readMs: Number.NEGATIVE_INFINITY,
              exhaustedMs: Number.NEGATIVE_INFINITY,
            });
        } else if (one.kind === 'record') {
          const recordMs = nowMs - one.behindMs;
          watermark.advance(one.partition, recordMs + one.aheadMs, recordMs, nowMs);
          if (known) {
            known.newestMs = Math.max(known.newestMs, recordMs + Math.max(one.aheadMs, -settings.latenessMs));
            known.readMs = nowMs;
            known.exhaustedMs = Number.NEGATIVE_INFINITY;
          }
        } else if (one.kind === 'nothing') {
          watermark.exhaust(one.partition, nowMs);
          if (known) known.exhaustedMs = nowMs;
        } else nowMs += one.ms;
        const busy = [...seen.values()].filter(
          ({ exhaustedMs, readMs }) => nowMs - exhaustedMs > 5000 || nowMs - readMs < settings.idleAfterMs,
        );
        const smallest = busy.length > 0 ? Math.min(...busy.map(({ newestMs }) => newestMs)) : nowMs;
        if (seen.size > 0) last = Math.max(last, smallest);
        expect(watermark.moveOn(nowMs) ?? Number.NEGATIVE_INFINITY).toBe(last);
      }
    }),
    { numRuns: runs },
  );
});

test('after a restart nothing slides before what had arrived meanwhile is read', () => {
  const before = new Watermark(settings);
  before.claim(0);
  before.advance(0, noon, noon, noon);
  before.exhaust(0, noon);
  before.moveOn(noon);
  const watermark = new Watermark(settings);
  watermark.restore(before.save());
  watermark.claim(0);
  expect(watermark.moveOn(noon + hour)).toBe(noon);
  watermark.advance(0, noon + 1000, noon + 1000, noon + hour);
  expect(watermark.moveOn(noon + hour)).toBe(noon + 1000);
  watermark.exhaust(0, noon + hour);
  expect(watermark.moveOn(noon + hour + settings.idleAfterMs)).toBe(noon + hour + settings.idleAfterMs);
});

test('a partition that cannot be read is not idle: it holds the watermark until it is read again', () => {
  const watermark = new Watermark(settings);
  watermark.claim(0);
  watermark.advance(0, noon, noon, noon);
  watermark.exhaust(0, noon + 1000);
  expect(watermark.moveOn(noon + 6000)).toBe(noon + 6000);
  expect(watermark.moveOn(noon + hour)).toBe(noon + 6000);
  watermark.exhaust(0, noon + hour);
  expect(watermark.moveOn(noon + hour)).toBe(noon + hour);
});

test('looking at the watermark does not move it', () => {
  const watermark = new Watermark(settings);
  watermark.claim(0);
  watermark.advance(0, noon, noon, noon);
  watermark.exhaust(0, noon + hour);
  expect(watermark.at(noon + hour)).toBe(noon + hour);
  expect(watermark.lastMs).toBe(Number.NEGATIVE_INFINITY);
  watermark.advance(0, noon + 1, noon + 1, noon + hour);
  expect(watermark.at(noon + hour)).toBe(noon + 1);
});
