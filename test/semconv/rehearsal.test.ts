import fc from 'fast-check';
import { expect, test } from 'vitest';
import { environmentMeant, isRehearsal, rehearsalOf } from '../../src/semconv/rehearsal.ts';

test('a rehearsal means its environment, with a name of its own and without', () => {
  expect(environmentMeant('drill:production')).toBe('production');
  expect(environmentMeant('drill:production#7')).toBe('production');
  expect(environmentMeant('production#7')).toBe('production#7');
});

test('whatever an environment is called, its rehearsals mean it, and differ by their names', () => {
  const names = fc.stringMatching(/^[a-z0-9]{1,12}$/);
  fc.assert(
    fc.property(fc.string(), names, names, (environment, one, other) => {
      const rehearsal = rehearsalOf(environment, one);
      expect(isRehearsal(rehearsal)).toBe(true);
      expect(environmentMeant(rehearsal)).toBe(environment);
      expect(rehearsalOf(environment, other) === rehearsal).toBe(one === other);
    }),
  );
});
