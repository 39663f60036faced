import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  assign,
  assignmentOf,
  partitionsOf,
  sinceMsOf,
  subscription,
} from '../../src/stream/kafka-assignment.ts';
import { runs } from '../property-runs.ts';

const members = fc
  .uniqueArray(fc.record({ id: fc.uuid(), sinceMs: fc.nat({ max: 5 }) }), {
    minLength: 1,
    maxLength: 9,
    selector: ({ id }) => id,
  })
  .map((list) => list.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
const partitions = fc.integer({ min: 1, max: 30 });

test('every partition is dealt to one member, whoever deals', () => {
  fc.assert(
    fc.property(fc.constantFrom('share', 'incumbent'), members, partitions, (how, list, count) => {
      const dealt = assign(how, list, count);
      expect([...dealt.values()].flat().toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: count }, (_, at) => at),
      );
      expect(assign(how, list.toReversed(), count)).toEqual(new Map([...dealt].toReversed()));
    }),
    { numRuns: runs },
  );
});

test('shares differ by one partition at most, and the youngest member has the first', () => {
  fc.assert(
    fc.property(members, partitions, (list, count) => {
      const dealt = assign('share', list, count);
      const sizes = [...dealt.values()].map(({ length }) => length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      const youngest = Math.max(...list.map(({ sinceMs }) => sinceMs));
      const first = list.find(({ id }) => dealt.get(id)?.includes(0));
      expect(first?.sinceMs).toBe(youngest);
    }),
    { numRuns: runs },
  );
});

test('the incumbent has everything, however many join after it', () => {
  fc.assert(
    fc.property(members, partitions, fc.uuid(), (list, count, id) => {
      const owner = [...assign('incumbent', list, count)].find(([, owned]) => owned.length > 0)?.[0];
      const joined = assign('incumbent', [...list, { id, sinceMs: 6 }], count);
      expect(joined.get(owner ?? '')).toHaveLength(count);
    }),
    { numRuns: runs },
  );
});

test('subscriptions and assignments are read as they were written', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }),
      fc.nat(),
      fc.array(fc.nat({ max: 1000 })),
      (topic, sinceMs, list) => {
        expect(sinceMsOf(subscription(topic, sinceMs))).toBe(sinceMs);
        expect(partitionsOf(assignmentOf(topic, list))).toEqual(list);
      },
    ),
    { numRuns: runs },
  );
  expect(partitionsOf(Buffer.alloc(0))).toEqual([]);
});
