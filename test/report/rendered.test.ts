import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { shownName } from '../../src/report/figure-text.ts';
import { htmlOf } from '../../src/report/html.ts';
import { markdownOf } from '../../src/report/markdown.ts';
import { daysIn, monthAfter, monthAt, monthOf, startOf } from '../../src/report/month.ts';
import { changeOf, rateOf } from '../../src/report/rate.ts';
import { documentOf } from '../../src/report/report-document.ts';
import type { Report } from '../../src/report/report.ts';
import { runs } from '../property-runs.ts';

const file = new URL('../golden/report/2026-10.json', import.meta.url);
const text = readFileSync(file, 'utf8');

/** The report of the generated month, in which everything that senders and owners name is `name`. */
function named(name: string): Report {
  const names = ['agent', 'release', 'title', 'owner', 'reason', 'evaluator', 'severity', 'statement', 'id'];
  const report: Report = JSON.parse(text, (key, value: unknown) =>
    names.includes(key) && typeof value === 'string' ? name : value,
  );
  return { ...report, environment: name };
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc
    .array(
      fc.constantFrom(
        '<',
        '>',
        '&',
        '"',
        "'",
        '|',
        '`',
        '*',
        '_',
        '[',
        ']',
        '(',
        ')',
        '\\',
        '\n',
        '#',
        '-',
        '1.',
        '</style>',
        '<!--',
        '\u202E',
        '\0',
        '\uD800',
        '~',
        '!',
        '&lt;',
        'http://x',
        '@',
      ),
      { maxLength: 30 },
    )
    .map((pieces) => pieces.join('')),
);

/** All that HTML takes for tags, and so for structure. */
const tagsOf = (html: string): readonly string[] => html.match(/<[^>]*>/g) ?? [];

test('whatever names say, they are text: the page has the same elements', () => {
  const plain = tagsOf(htmlOf(documentOf(named('x'))));
  fc.assert(
    fc.property(hostile, (name) => {
      const html = htmlOf(documentOf(named(name)));
      expect(tagsOf(html)).toEqual(plain);
      expect(html.isWellFormed()).toBe(true);
    }),
    { numRuns: Math.ceil(runs / 10) },
  );
});

/** What is left of Markdown when escaped characters and plain text are taken out: its structure. */
const structureOf = (markdown: string): string =>
  markdown.replaceAll(/\\[^\n]/g, '').replaceAll(/[^\n|*#>`[\]<~_]/g, '');

test('whatever names say, they are text: Markdown has the same tables, headings and lists', () => {
  const plain = structureOf(markdownOf(documentOf(named('x'))));
  fc.assert(
    fc.property(hostile, (name) => {
      const markdown = markdownOf(documentOf(named(name)));
      expect(structureOf(markdown)).toBe(plain);
      expect(markdown).not.toMatch(/(?<!\\)&(?:#|\w)|\bhttps?:\/\//);
    }),
    { numRuns: Math.ceil(runs / 10) },
  );
});

test('of many agents the busiest have a row, and the page says how many there are more', () => {
  const report = named('x');
  const agents = Array.from({ length: 500 }, (_, n) => ({ ...report.agents[0]!, agent: `agent ${n}` }));
  const [section] = documentOf({ ...report, agents }).sections;
  const [table, words] = section?.blocks ?? [];
  expect(table?.kind === 'table' && table.rows.map(([name]) => name?.text)).toEqual([
    ...Array.from({ length: 12 }, (_, n) => `agent ${n}`),
    'All agents',
  ]);
  expect(words).toMatchObject({
    text: expect.stringMatching(/^488 agents more, with [\d,]+ runs, are in the report as JSON/),
  });
});

test('a name is one line without anything that nobody sees, and not long', () => {
  expect(shownName('a\u202Eb\n\tc\0d')).toBe('a b c d');
  expect(shownName('x'.repeat(1000))).toBe(`${'x'.repeat(79)}…`);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      expect(shownName(name)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }),
    { numRuns: runs },
  );
});

const cases = fc
  .integer({ min: 1, max: 5000 })
  .chain((of) => fc.tuple(fc.integer({ min: 0, max: of }), fc.constant(of)));

test('an interval lies around its rate and within 0 and 1', () => {
  fc.assert(
    fc.property(cases, ([count, of]) => {
      const { rate, low, high } = rateOf(count, of);
      expect([0, low, rate, high, 1]).toEqual(
        [0, low, rate, high, 1].toSorted((a, b) => Number(a) - Number(b)),
      );
    }),
    { numRuns: runs },
  );
});

test('an interval has the true share in about 95 of 100 months', () => {
  for (const [share, of] of [
    [0.9, 40],
    [0.5, 25],
    [0.97, 300],
    [0.1, 1000],
  ] as const) {
    let within = 0;
    for (let count = 0; count <= of; count++) {
      const { low, high } = rateOf(count, of);
      if (Number(low) <= share && share <= Number(high)) within += chanceOf(count, of, share);
    }
    expect(within, `${share} of ${of}`).toBeGreaterThan(0.92);
    expect(within, `${share} of ${of}`).toBeLessThan(0.985);
  }
});

/** Of so many successes, by the binomial distribution. */
function chanceOf(count: number, of: number, share: number): number {
  let log = 0;
  for (let k = 1; k <= count; k++) log += Math.log((of - count + k) / k);
  return Math.exp(log + count * Math.log(share) + (of - count) * Math.log(1 - share));
}

test('what is surely better one way is surely worse the other, and few runs say nothing', () => {
  const rate = fc.tuple(cases).map(([[count, of]]) => rateOf(count, of));
  fc.assert(
    fc.property(rate, rate, (now, before) => {
      const opposite = {
        better: 'worse',
        worse: 'better',
        unclear: 'unclear',
        too_few: 'too_few',
        redefined: '',
      };
      expect(changeOf(now, before, false)).toBe(opposite[changeOf(now, before, true)]);
      expect(changeOf(before, now, true)).toBe(opposite[changeOf(now, before, true)]);
      if (now.of < 20 || before.of < 20) expect(changeOf(now, before, true)).toBe('too_few');
    }),
    { numRuns: runs },
  );
  expect(changeOf(rateOf(950, 1000), rateOf(900, 1000), true)).toBe('better');
  expect(changeOf(rateOf(19, 20), rateOf(18, 20), true)).toBe('unclear');
});

test('months follow each other over years', () => {
  expect([monthAfter('2026-01', -1), monthAfter('2026-12', 1), monthAfter('2026-03', -3)]).toEqual([
    '2025-12',
    '2027-01',
    '2025-12',
  ]);
  expect([monthOf('2026-13'), monthOf('2026-1'), monthOf('October'), monthOf('2026-10')]).toEqual([
    undefined,
    undefined,
    undefined,
    '2026-10',
  ]);
  expect([daysIn('2026-02'), daysIn('2028-02'), monthAt(startOf('2026-10') - 1)]).toEqual([
    28,
    29,
    '2026-09',
  ]);
});
