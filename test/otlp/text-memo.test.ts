import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TextMemo } from '../../src/otlp/text-memo.ts';
import { runs } from '../property-runs.ts';

const doubled = (text: string): string | undefined => (text === '' ? undefined : text + text);

describe('what is remembered of a text', () => {
  test('is what is computed of it, whatever was asked before and however little is remembered', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3 })), fc.integer({ min: 1, max: 4 }), (texts, limit) => {
        const memo = new TextMemo(doubled, limit);
        for (const text of texts) expect(memo.get(text)).toBe(doubled(text));
      }),
      { numRuns: runs },
    );
  });

  test('is nothing of a long text, with which a sender could fill the memory', () => {
    let asked = 0;
    const memo = new TextMemo(() => ++asked);
    const long = 'x'.repeat(1000);
    expect([memo.get(long), memo.get(long)]).toEqual([1, 2]);
  });

  test('is computed once, also when another text has taken its place', () => {
    const asked: string[] = [];
    const memo = new TextMemo((text) => {
      asked.push(text);
      return asked.length;
    });
    // Of one length and with one last character: they share a place.
    for (let round = 0; round < 3; round++) {
      expect(memo.get('chat')).toBe(1);
      expect(memo.get('part')).toBe(2);
    }
    expect(asked).toEqual(['chat', 'part']);
  });

  test('does not grow beyond its limit: then all is forgotten', () => {
    const asked: string[] = [];
    const memo = new TextMemo((text) => asked.push(text), 2);
    for (const text of ['a1', 'b1', 'c1', 'a1']) memo.get(text);
    expect(asked).toEqual(['a1', 'b1', 'c1', 'a1']);
  });
});
