import { deserialize, serialize } from 'node:v8';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mixed } from '../../src/runs/row-index.ts';
import { none } from '../../src/runs/rows.ts';
import { byte, cell, RunTable, text } from '../../src/runs/run-table.ts';
import { SpanIds } from '../../src/semconv/span-facts.ts';
import { runs } from '../property-runs.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';

/** Ids of a span of this trace, and of the run that is named. */
function idsOf(trace: string, run = ''): SpanIds {
  const bytes = Buffer.from(trace, 'hex');
  const ids = new SpanIds();
  ids.trace0 = bytes.readInt32LE(0);
  ids.trace1 = bytes.readInt32LE(4);
  ids.trace2 = bytes.readInt32LE(8);
  ids.trace3 = bytes.readInt32LE(12);
  ids.run = run;
  return ids;
}

function isResumable(table: RunTable, run: number): boolean {
  return table.bytes[table.byteAt(run) + byte.resumable] !== 0;
}

describe('a run', () => {
  test('is named by its trace where nobody names it', () => {
    const table = new RunTable(1000);
    const run = table.begin(idsOf(traceId));
    expect(table.id(run)).toBe(traceId);
    expect(isResumable(table, run)).toBe(false);
  });

  test('that is named as a trace is the run of that trace, and can be resumed by another one', () => {
    const table = new RunTable(1000);
    const other = 'ff'.repeat(16);
    const run = table.begin(idsOf(other, traceId));
    expect(table.find(idsOf(traceId))).toBe(run);
    expect(table.find(idsOf(other))).toBe(none);
    expect(table.id(run)).toBe(traceId);
    expect(isResumable(table, run)).toBe(true);
    expect(isResumable(table, table.begin(idsOf(other, other)))).toBe(false);
  });

  test('with a name of its own is found by that on every trace, and never by its trace', () => {
    const table = new RunTable(1000);
    const run = table.begin(idsOf(traceId, 'order-7'));
    expect(table.find(idsOf('ff'.repeat(16), 'order-7'))).toBe(run);
    expect(table.find(idsOf(traceId))).toBe(none);
    expect(table.id(run)).toBe('order-7');
    expect(isResumable(table, run)).toBe(true);
  });
});

test('of traces that belong to runs with other ids only so many are known, the latest', () => {
  const table = new RunTable(2);
  const traces = ['a1', 'b2', 'c3'].map((byte_) => byte_.repeat(16));
  const run = table.begin(idsOf(traceId, 'order-7'));
  for (const trace of traces) {
    expect(table.joins(idsOf(trace, 'order-7'))).toBe(true);
    table.join(idsOf(trace, 'order-7'), run);
  }
  expect(traces.map((trace) => table.find(idsOf(trace)))).toEqual([none, run, run]);
  table.drop(run);
  expect(traces.map((trace) => table.find(idsOf(trace)))).toEqual([none, none, none]);
});

test('ids that all fell into one chain, were the numbers in the code all there is, are spread', () => {
  const places = new Set<number>();
  for (let n = 0; n < 20_000; n++) places.add(mixed(n, Math.imul(n, 0x85ebca6b)) & 1023);
  expect(places.size).toBeGreaterThan(900);
});

test('property: runs are found as long as they are there, and begin empty', () => {
  const id = fc.integer({ min: 0, max: 40 });
  fc.assert(
    fc.property(fc.array(fc.tuple(id, fc.boolean()), { maxLength: 120 }), (steps) => {
      const table = new RunTable(1000);
      const known = new Map<number, number>();
      for (const [n, named] of steps) {
        const hex = n.toString(16).padStart(32, '0');
        const ids = n % 2 === 0 ? idsOf(hex, named ? hex : '') : idsOf(traceId, `run ${n}`);
        const run = table.find(ids);
        expect(run).toBe(known.get(n) ?? none);
        if (run !== none) {
          table.drop(run);
          known.delete(n);
          continue;
        }
        const begun = table.begin(ids);
        known.set(n, begun);
        const at = table.cellAt(begun);
        for (const place of Object.values(cell)) {
          expect(table.cells[at + place]).toBe(0);
          table.cells[at + place] = 1;
        }
        expect(table.label(begun, text.agent)).toBe('unknown');
        table.setText(begun, text.agent, 'refund');
      }
      expect(table.count).toBe(known.size);
    }),
    { numRuns: runs },
  );
});

test('a restored run takes its second id and its traces with it when it is forgotten', () => {
  const before = new RunTable(1000);
  const run = before.begin(idsOf(traceId));
  const other = traceId.replaceAll('1', '2');
  before.alias(idsOf(traceId, 'order-7'), run);
  before.join(idsOf(other, 'order-7'), run);
  const table = new RunTable(1000);
  table.restore(deserialize(serialize(before.save())), []);
  for (const ids of [idsOf(traceId), idsOf(traceId, 'order-7'), idsOf(other)])
    expect(table.find(ids)).toBe(run);
  table.drop(run);
  for (const ids of [idsOf(traceId), idsOf(traceId, 'order-7'), idsOf(other)])
    expect(table.find(ids)).toBe(none);
});
