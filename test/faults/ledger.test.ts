import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../property-runs.ts';
import { Ledger, spanIdOf, type Answer } from './ledger.ts';

const idOf = (request: number, index: number): string => spanIdOf(request, index).toString('hex');

/** A ledger of requests of two spans each, answered as `answers` say. */
function ledgerOf(...answers: readonly (Answer | 'pending')[]): Ledger {
  const ledger = new Ledger();
  for (const answer of answers) {
    const request = ledger.open(2);
    if (answer !== 'pending') ledger.answer(request, answer);
  }
  return ledger;
}

/** One row for every span of `requests`. */
const rowsOf = (...requests: readonly number[]) =>
  requests.flatMap((request) => [0, 1].map((index) => [idOf(request, index), 1] as const));

const nothingWrong = { lost: 0, duplicated: 0, storedAndDead: 0, strangers: 0, examples: [] };

describe('the ledger of what was sent', () => {
  test('finds nothing wrong where every acknowledged span has one row', () => {
    const verdict = ledgerOf('acknowledged', 'acknowledged').compare(rowsOf(0, 1), []);
    expect(verdict).toMatchObject({ accepted: 4, stored: 4, deadLettered: 0, ...nothingWrong });
  });

  test('sees an acknowledged span that is nowhere, and names it', () => {
    const verdict = ledgerOf('acknowledged', 'acknowledged').compare(rowsOf(0, 1).slice(0, 3), []);
    expect(verdict).toMatchObject({ stored: 3, lost: 1, examples: [`${idOf(1, 1)} has 0 rows`] });
  });

  test.each(['acknowledged', 'refused', 'unknown'] as const)(
    'sees a span that has two rows: %s',
    (answer) => {
      const grouped = ledgerOf(answer).compare([[idOf(0, 1), 2]], []);
      const apart = ledgerOf(answer).compare([...rowsOf(0), [idOf(0, 1), 1]], []);
      expect(grouped).toMatchObject({ duplicated: 1 });
      expect(apart).toMatchObject({ duplicated: 1, examples: [`${idOf(0, 1)} has 2 rows`] });
    },
  );

  test('takes a dead letter for neither lost nor stored, however often it is there', () => {
    const verdict = ledgerOf('acknowledged').compare([[idOf(0, 0), 1]], [idOf(0, 1), idOf(0, 1)]);
    expect(verdict).toMatchObject({ stored: 1, deadLettered: 1, ...nothingWrong });
  });

  test('sees a span that has a row and is a dead letter', () => {
    expect(ledgerOf('acknowledged').compare(rowsOf(0), [idOf(0, 0)])).toMatchObject({ storedAndDead: 1 });
  });

  test('lets spans of which nobody was told be there or not', () => {
    const verdict = ledgerOf('unknown', 'refused', 'pending').compare(rowsOf(0, 1), []);
    expect(verdict).toMatchObject({
      accepted: 0,
      unknown: { sent: 4, stored: 2 },
      refused: { sent: 2, stored: 2 },
      ...nothingWrong,
    });
  });

  test('counts rows of spans that nobody sent', () => {
    const verdict = ledgerOf('acknowledged').compare(
      [...rowsOf(0), [idOf(1, 0), 1], [idOf(0, 2), 1], ['00f067aa0ba902b7', 1]],
      ['b9c7c989f97918e1'],
    );
    expect(verdict).toMatchObject({ stored: 2, strangers: 4 });
  });

  test('counts as many lost and duplicated spans as were taken away and added, wherever they are', () => {
    const request = fc.record({
      spans: fc.integer({ min: 1, max: 20 }),
      answer: fc.constantFrom<Answer>('acknowledged', 'refused', 'unknown'),
      rows: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 20, maxLength: 20 }),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 30 }), (requests) => {
        const ledger = new Ledger();
        const rows: [string, number][] = [];
        let [lost, duplicated] = [0, 0];
        for (const { spans, answer, rows: counts } of requests) {
          const number = ledger.open(spans);
          ledger.answer(number, answer);
          for (const [index, count] of counts.slice(0, spans).entries()) {
            if (count > 0) rows.push([idOf(number, index), count]);
            if (count === 0 && answer === 'acknowledged') lost++;
            if (count > 1) duplicated++;
          }
        }
        expect(ledger.compare(rows, [])).toMatchObject({ lost, duplicated, strangers: 0 });
      }),
      { numRuns: runs },
    );
  });
});
