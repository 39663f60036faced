import fc from 'fast-check';
import { expect, test } from 'vitest';
import { choiceIn, queryOf } from '../../src/page/site/choice.js';
import { runs } from '../property-runs.ts';

test('whatever an agent is called, its URL chooses it', () => {
  const name = fc.string({ unit: 'grapheme' });
  const choice = fc.oneof(
    fc.record({ agent: name, environment: name, window: fc.constantFrom('5m', '1h', null), find: name }),
    fc.record({
      agent: fc.constant(null),
      environment: fc.constant(null),
      window: fc.constant('24h'),
      find: name,
    }),
  );
  fc.assert(
    fc.property(choice, (chosen) => {
      expect(choiceIn(queryOf(chosen))).toEqual(chosen);
    }),
    { numRuns: runs },
  );
});

test('half a choice is none', () => {
  expect(choiceIn('?agent=refunds')).toEqual({ agent: null, environment: null, window: null, find: '' });
  expect(queryOf({})).toBe('');
});
