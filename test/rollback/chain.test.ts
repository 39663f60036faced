import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from '../../src/rollback/canonical-json.ts';
import { eventAfter, eventLine, genesis, verifiedLines, type ChainHead } from '../../src/rollback/chain.ts';
import { runs } from '../property-runs.ts';

/** The lines of a journal of `count` events. */
function linesOf(count: number): readonly string[] {
  const lines: string[] = [];
  let head: ChainHead = genesis;
  for (let index = 0; index < count; index++) {
    const event = eventAfter(head, { event: 'resumed', by: `caller ${index}` }, 1000 + index);
    lines.push(eventLine(event));
    head = event;
  }
  return lines;
}

const lines = linesOf(12);
const someLine = fc.nat(lines.length - 1);

test('a chain that nobody touched is whole', () => {
  expect(verifiedLines(lines)).toMatchObject({ head: { seq: 12 } });
  expect(verifiedLines([])).toMatchObject({ head: genesis });
});

test('the first events, too, are linked: a chain may begin nowhere else', () => {
  expect(verifiedLines(lines.slice(1))).toMatchObject({ fault: expect.stringContaining('line 1') });
});

test('an edit of any letter is found', () => {
  fc.assert(
    fc.property(someLine, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (index, at, letter) => {
      const line = lines[index]!;
      const place = at % line.length;
      fc.pre(line[place] !== letter);
      const edited = line.slice(0, place) + letter + line.slice(place + 1);
      fc.pre(!isSame(edited, line)); // such as 1.0 for 1
      expect(verifiedLines(lines.with(index, edited))).toHaveProperty('fault');
    }),
    { numRuns: runs },
  );
});

test('a line that was removed, doubled or put elsewhere is found', () => {
  fc.assert(
    fc.property(someLine, someLine, (from, to) => {
      if (from < lines.length - 1) expect(verifiedLines(lines.toSpliced(from, 1))).toHaveProperty('fault');
      expect(verifiedLines(lines.toSpliced(to, 0, lines[from]!))).toHaveProperty('fault');
      fc.pre(from !== to);
      const swapped = lines.with(from, lines[to]!).with(to, lines[from]!);
      expect(verifiedLines(swapped)).toHaveProperty('fault');
    }),
    { numRuns: runs },
  );
});

test('who edits a line and gives it its hash is found by the next one', () => {
  const first = verifiedLines(lines.slice(0, 5));
  const head = 'head' in first ? first.head : genesis;
  const forged = eventLine(eventAfter(head, { event: 'resumed', by: 'mallory' }, 2000));
  expect(verifiedLines(lines.with(5, forged))).toMatchObject({ fault: expect.stringContaining('line 7') });
});

test('an event has the time of its writer, whatever the event before it says', () => {
  const first = eventAfter(genesis, { event: 'resumed', by: 'a' }, 5000);
  expect(eventAfter(first, { event: 'resumed', by: 'b' }, 4000).timeMs).toBe(4000);
});

test('canonical JSON is the same for the same value, and gives it back', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(reversed(JSON.parse(text)))).toBe(text);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: runs },
  );
});

test('canonical JSON is that of RFC 8785', () => {
  const value = {
    10: 1,
    9: 2,
    b: [null, true, { d: undefined, c: '\u20ac$\n' }],
    a: 1e21,
    '\u20ac': 0.000001,
  };
  expect(canonicalJson(value)).toBe(
    String.raw`{"10":1,"9":2,"a":1e+21,"b":[null,true,{"c":"€$\n"}],"€":0.000001}`,
  );
});

function isSame(a: string, b: string): boolean {
  try {
    return canonicalJson(JSON.parse(a)) === canonicalJson(JSON.parse(b));
  } catch {
    return false;
  }
}

/** The same value, with its keys in another order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, each]) => [key, reversed(each)]),
  );
}
