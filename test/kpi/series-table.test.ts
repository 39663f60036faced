import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SeriesTable } from '../../src/kpi/series-table.ts';
import { runs } from '../property-runs.ts';

test('property: a series is the same until it is forgotten, and forgetting it leaves the others', () => {
  const value = fc.constantFrom('a', 'b', 'c');
  const event = fc.record({
    values: fc.tuple(value, value, value),
    afterMs: fc.integer({ min: 0, max: 40 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const keepMs = 60;
      const table = new SeriesTable(100, 3, () => ({}));
      const known = new Map<string, { series: unknown; newestMs: number }>();
      let nowMs = 0;
      for (const { values, afterMs } of events) {
        nowMs += afterMs;
        table.expire(nowMs, keepMs);
        for (const [key, { newestMs }] of known) if (newestMs < nowMs - keepMs) known.delete(key);
        const key = values.join('');
        const series = table.at(nowMs, ...values);
        expect(series.values).toEqual(values);
        if (known.has(key)) expect(series).toBe(known.get(key)?.series);
        else expect([...known.values()].map((one) => one.series)).not.toContain(series);
        known.set(key, { series, newestMs: nowMs });
        expect([...table]).toHaveLength(known.size);
      }
    }),
    { numRuns: runs },
  );
});

/** The counts of a table by label values, after an event for each of `events`. */
function counted(limit: number, events: readonly (readonly [string, string, string, string])[]) {
  const table = new SeriesTable(limit, 4, () => ({ count: 0 }));
  for (const values of events) table.at(0, ...values).state.count++;
  const counts = new Map([...table].map(({ values, state }) => [values.join('|'), state.count]));
  return { table, counts };
}

test('one agent with names without end leaves room for others, and keeps its own name in its overflow', () => {
  const flood = Array.from({ length: 1000 }, (_, i) => ['hostile', `${i}`, 'p', 't'] as const);
  const others = Array.from({ length: 10 }, (_, i) => [`agent ${i}`, '1', 'p', 't'] as const);
  const { table, counts } = counted(100, [...flood, ...others, ...flood]);
  for (const values of others) expect(counts.get(values.join('|'))).toBe(1);
  expect([...counts.keys()].filter((key) => key.startsWith('hostile')).length).toBeLessThanOrEqual(76);
  expect(counts.get('hostile|overflow|p|overflow')).toBeGreaterThan(1800);
  expect(table.size).toBeLessThanOrEqual(100);
});

describe('agents without end', () => {
  const flood = Array.from({ length: 1000 }, (_, i) => [`bot ${i}`, '1', 'p', 't'] as const);
  const known = ['refund', '1.4.0', 'p', 't'] as const;
  const canary = ['refund', '1.5.0', 'p', 't'] as const;
  const late = ['billing', '1', 'p', 't'] as const;

  test('leave room for another release of one that is there; one that comes later has none', () => {
    const { table, counts } = counted(416, [known, ...flood, canary, late]);
    expect(counts.get('refund|1.4.0|p|t')).toBe(1);
    expect(counts.get('refund|1.5.0|p|t')).toBe(1);
    expect([...counts.keys()].filter((key) => key.startsWith('billing'))).toEqual([]);
    const named = [...counts.keys()].filter((key) => key.startsWith('bot ')).length;
    expect(named).toBeGreaterThan(150);
    expect(counts.get('overflow|overflow|overflow|overflow')).toBe(1000 - named + 1);
    expect(table.size).toBeLessThanOrEqual(416);
  });

  test('with releases without end, too, leave those that are there their names', () => {
    const more = Array.from({ length: 100_000 }, (_, i) => [`bot ${i % 1000}`, `${i}`, 'p', 't'] as const);
    const { table, counts } = counted(416, [known, ...flood, ...more, canary]);
    expect([...counts.keys()].filter((key) => key.startsWith('refund'))).toEqual([
      'refund|1.4.0|p|t',
      'refund|overflow|overflow|overflow',
    ]);
    expect(table.size).toBeLessThanOrEqual(416);
  });

  test('make room again when nothing is heard of them', () => {
    const { table } = counted(416, [known, ...flood]);
    table.at(10, ...known);
    table.expire(20, 15);
    expect([...table].map(({ values }) => values)).toEqual([known]);
    expect(table.at(20, ...late).values).toEqual(late);
  });
});

test('what an agent has beyond its share is apart by environment, while there is room for that', () => {
  const releases = Array.from({ length: 1000 }, (_, i) => ['hostile', `${i}`, 'p', 't'] as const);
  const environments = Array.from({ length: 1000 }, (_, i) => ['hostile', '1', `${i}`, 't'] as const);
  const staging = ['hostile', '0', 's', 't'] as const;
  const { table, counts } = counted(100, [...releases, staging, ...environments]);
  expect(counts.get('hostile|overflow|p|overflow')).toBeGreaterThan(900);
  expect(counts.get('hostile|overflow|s|overflow')).toBe(1);
  expect(counts.get('hostile|overflow|overflow|overflow')).toBeGreaterThan(900);
  expect(table.at(0, 'other', '1', 'p', 't').values[0]).toBe('other');
  const durations = new SeriesTable(8, 3, () => ({}), 1);
  const tools = Array.from({ length: 9 }, (_, i) => durations.at(0, 'a', 'p', `${i}`).values);
  expect(tools.at(-1)).toEqual(['a', 'p', 'overflow']);
});

test('property: whoever sends what, series stay within the limit, every event is counted, and whoever is there stays, by name', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'overflow', '');
  const text = fc.oneof(
    { weight: 3, arbitrary: fc.string({ maxLength: 2, unit: 'binary' }) },
    { weight: 1, arbitrary: name },
  );
  const ours = fc.constant('overflow');
  const anyValues: fc.Arbitrary<[string, string, string, string]> = fc.oneof(
    fc.tuple(fc.oneof(name, text), text, name, name),
    fc.tuple(name, ours, ours, ours),
  );
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20 }), fc.array(anyValues, { maxLength: 80 }), (limit, events) => {
      const table = new SeriesTable(limit, 4, () => ({ count: 0 }));
      const first = new Map<string, unknown>();
      const named = new Set<string>();
      for (const values of events) {
        const overflowed = table.overflowed;
        const series = table.at(0, ...values);
        series.state.count++;
        if (series.values[0] !== 'overflow') named.add(values[0]);
        expect(named.has(values[0])).toBe(series.values[0] !== 'overflow');
        const key = values.join('|');
        if (first.has(key)) expect(series).toBe(first.get(key));
        else if (table.overflowed === overflowed) first.set(key, series);
        expect(series.values.includes('overflow')).toBe(table.overflowed > overflowed);
      }
      expect(table.size).toBeLessThanOrEqual(limit);
      const total = [...table].reduce((sum, { state }) => sum + state.count, 0);
      expect(total).toBe(events.length);
    }),
    { numRuns: runs },
  );
});

test.each([
  ['control characters', 'a\u0000b\n\u0085c', 'a b  c'],
  ['characters that turn the direction of writing', 'ab\u202Eba', 'ab ba'],
  ['half a character', 'a\uD83Db', 'a\uFFFDb'],
  ['a character that the limit would cut in two', `${'a'.repeat(127)}\u{1F600}`, 'a'.repeat(127)],
  ['nothing', '', 'unknown'],
  ['blanks', ' \t', 'unknown'],
  ['our word for the rest', 'overflow', 'overflow (sent)'],
])('%s in a label value: %j is %j', (_, text, clean) => {
  const table = new SeriesTable(10, 3, () => ({}));
  expect(table.at(0, text, 'r', 'e').values).toEqual([clean, 'r', 'e']);
  expect(table.at(0, text, 'r', 'e')).toBe(table.at(0, clean === 'overflow (sent)' ? text : clean, 'r', 'e'));
});
