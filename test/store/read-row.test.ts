import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { stateOf } from '../../src/incidents/incident.ts';
import { incidentRow } from '../../src/incidents/incident-row.ts';
import { policyRow } from '../../src/policy/policy-row.ts';
import { runRow } from '../../src/runs/run-row.ts';
import { readRow } from '../../src/store/read-row.ts';
import { rowTables } from '../../src/store/row-tables.ts';
import { runs } from '../property-runs.ts';
import { bookOf, report } from '../incidents/books.ts';
import { policyFile } from '../policy/policies.ts';
import { finishedRun } from '../runs/finished-runs.ts';

const readRunRow = (line: string): string | undefined => readRow(line, rowTables.get('agent_runs')!);

const anyText = fc.string({ unit: 'binary', maxLength: 1200 });
const anyTime = fc.double({ min: 0, max: 1.8e13, noNaN: true });
const anyUsd = fc.double({ min: 0, max: 1e12, noNaN: true });
const anyCount = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

const anyRun = fc
  .record({
    runId: anyText.filter((id) => id !== ''),
    agent: anyText,
    startMs: anyTime,
    endMs: anyTime,
    closedMs: anyTime,
    priced: fc.boolean(),
    costUsd: fc.record({ llm: anyUsd, tool: anyUsd, review: anyUsd }),
    inputTokens: fc.double({ min: 2 ** 53, max: 1e30, noNaN: true }),
    outputTokens: anyCount,
    toolCalls: fc.record({
      ok: anyCount,
      error: anyCount,
      rejected: anyCount,
      cancelled: anyCount,
      attempts: anyCount,
    }),
    scores: fc
      .array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.double({ min: 0, max: 1, noNaN: true })))
      .map((all) => new Map(all)),
    version: anyCount,
  })
  .map((run) => runRow(finishedRun(run)));

test('property: the row of a run is read as it was written', () => {
  fc.assert(
    fc.property(anyRun, (row) => {
      expect(readRunRow(row)).toBe(row);
    }),
    { numRuns: runs },
  );
});

test('property: a row that was cut off is none', () => {
  fc.assert(
    fc.property(anyRun, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (row, share) => {
      expect(readRunRow(row.slice(0, Math.floor(row.length * share)))).toBeUndefined();
    }),
    { numRuns: runs },
  );
});

test('what a row says beyond the columns is left out, and the rest stands', () => {
  expect(readRunRow('{"RunId":"a","New":{"a":[1]}, "Version":7}')).toBe('{"RunId":"a","Version":7}');
});

test.each(['{"RunId":"a"}', '{"Version":1}', '[{"RunId":"a","Version":1}]', '{"RunId":null,"Version":1}'])(
  '%s is no row: whose it is, and which, is not said',
  (line) => {
    expect(readRunRow(line)).toBeUndefined();
  },
);

test('the row of a policy is read as it was written, and that of one too long for a record is short', () => {
  const shape = rowTables.get('policies')!;
  const { row } = policyRow(policyFile(), 1.5);
  expect(readRow(row, shape)).toBe(row);
  const risk = { id: 'R-1', likelihood: 1, impact: 1, owner: 'o', review_by: '2027-01-31' };
  const said = '語"\n'.repeat(200); // 5 characters of Document each, and 10 bytes of the row, in which that is a text within a text
  const risks = Array.from({ length: 20 }, () => ({ ...risk, statement: said, mitigation: said }));
  const { row: undocumented } = policyRow(policyFile({ risks }), 0);
  expect(undocumented).toContain('"Agents":["search-agent"]');
  expect(undocumented).not.toContain('Document');
  const agents = Array.from({ length: 10_000 }, (_, n) => `agent-${n}`);
  const { row: short } = policyRow(policyFile({ scope: { agents } }), 0);
  expect(short.length).toBeLessThan(1000);
  for (const each of [undocumented, short]) expect(readRow(each, shape)).toBe(each);
  expect(readRow('{"PolicyRevision":"a","Agents":"b","Version":1}', shape)).toBeUndefined();
  expect(readRow('{"PolicyRevision":"a","Agents":[1],"Version":1}', shape)).toBeUndefined();
});

test('the row of an incident is read as it was written, wherever it stands', () => {
  const { book, changed } = bookOf();
  book.open(report(), 0);
  for (const state of ['acknowledged', 'mitigated', 'resolved'] as const)
    book.change({ key: 'double-refund' }, state, 1);
  expect(changed.map(stateOf)).toEqual(['open', 'acknowledged', 'mitigated', 'resolved']);
  for (const incident of changed) {
    const { row } = incidentRow(incident);
    expect(readRow(row, rowTables.get('incidents')!)).toBe(row);
  }
});
