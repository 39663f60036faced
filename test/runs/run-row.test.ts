import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { runColumns, runRow } from '../../src/runs/run-row.ts';
import { runs } from '../property-runs.ts';
import { finishedRun } from './finished-runs.ts';

function textOf(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('T', ' ').slice(0, -1);
}

test('property: times are those of a Date, in UTC and to the millisecond', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e13, noNaN: true }),
      fc.double({ min: 0, max: 1e13, noNaN: true }),
      (startMs, endMs) => {
        expect(JSON.parse(runRow(finishedRun({ startMs, endMs, closedMs: endMs })))).toMatchObject({
          StartTime: textOf(startMs),
          EndTime: textOf(endMs),
          ClosedTime: textOf(endMs),
        });
      },
    ),
    { numRuns: runs },
  );
});

test('property: whatever a run says, its row is one line with columns of the table alone, and short', () => {
  const names: ReadonlySet<string> = new Set(runColumns.map(({ name }) => name));
  const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 900, maxLength: 2000 }));
  fc.assert(
    fc.property(anyText, anyText, fc.double({ min: 0, noNaN: true }), (name, id, amount) => {
      const row = runRow(
        finishedRun({
          runId: id,
          agent: name,
          release: name,
          userId: name,
          sessionId: id,
          taskType: name,
          costUsd: { llm: amount, tool: amount, review: amount },
          inputTokens: amount,
        }),
      );
      expect(row).not.toContain('\n');
      expect(Buffer.byteLength(row)).toBeLessThan(60_000);
      const said: Readonly<Record<string, unknown>> = JSON.parse(row);
      expect(Object.keys(said).filter((key) => !names.has(key))).toEqual([]);
      expect(JSON.stringify(said).isWellFormed()).toBe(true);
    }),
    { numRuns: runs },
  );
});
