import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCases, type OfflineCase } from '../../src/gate/offline-cases.ts';
import { judgeOffline, type OfflineVerdict } from '../../src/gate/offline-gate.ts';
import { outcomes } from '../../src/semconv/vocabulary.ts';
import { runs } from '../property-runs.ts';

const rules = { minCases: 200, margin: 0.02, goodOutcomes: ['success', 'completed'] } as const;
const of = { release: 'new', baseline: 'old' };

function shipped(name: string): readonly OfflineCase[] {
  const file = new URL(`../../config/policies/fixtures/${name}`, import.meta.url);
  const read = readCases(readFileSync(file, 'utf8'));
  if ('cases' in read) return read.cases;
  throw new Error(read.faults.join('\n'));
}

/** Pairs: so many good with both releases, with the new one alone, with the old one alone, and with none. */
function pairs(both: number, better: number, worse: number, none = 0): readonly OfflineCase[] {
  return Array.from({ length: both + better + worse + none }, (_, i) => [
    tried(`c${i}`, 'new', i < both + better),
    tried(`c${i}`, 'old', i < both || (i >= both + better && i < both + better + worse)),
  ]).flat();
}

function tried(name: string, release: string, good: boolean): OfflineCase {
  return { case: name, release, outcome: good ? 'success' : 'failure', scores: {} };
}

/** So many good and bad cases of a release that no other was tried on. */
function apart(release: string, good: number, bad: number): readonly OfflineCase[] {
  return Array.from({ length: good + bad }, (_, i) => tried(`${release}-${i}`, release, i < good));
}

const judged = (cases: readonly OfflineCase[], more = {}): OfflineVerdict =>
  judgeOffline(cases, of, { ...rules, ...more });

const unpaired = (good: number, bad: number) =>
  judged([...apart('new', good, bad), ...apart('old', 900, 100)]);

const scored = (release: string, score: number): OfflineCase => ({
  ...tried('a', release, true),
  scores: { tone: score },
});

describe('a release on a data set', () => {
  test('that is surely worse fails', () => {
    const found = judgeOffline(
      shipped('refunds-worse.jsonl'),
      { release: '1.5.0-rc1', baseline: '1.4.0' },
      rules,
    );
    expect(found).toMatchObject({
      verdict: 'fail',
      isPaired: true,
      better: 6,
      worse: 30,
      reason:
        '1.5.0-rc1 is good in 192 of 240 cases and 1.4.0 in 216 of 240 cases: −10.0 points, and with 95 % certainty between −15.1 and −5.4; by chance alone that comes in 0.0035 % of trials',
    });
  });

  test('that is better passes', () => {
    const found = judgeOffline(
      shipped('refunds-better.jsonl'),
      { release: '1.5.0-rc2', baseline: '1.4.0' },
      rules,
    );
    expect(found.verdict).toBe('pass');
    expect(found.reason).toMatch(
      /: \+5\.0 points, and with 95 % certainty between \+1\.1 and \+9\.4, which is within the margin of 2 %$/,
    );
  });

  test('that ends every case alike passes from the asked number of cases on, and not before', () => {
    expect(judged(pairs(180, 0, 0, 20)).verdict).toBe('pass');
    expect(judged(pairs(180, 0, 0, 19))).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringContaining('199 pairs of cases are too few, 200 are asked for'),
    });
  });

  test('that ends every case alike needs 189 of them for a margin of 2 %, as the lint of policies says', () => {
    expect(judged(pairs(189, 0, 0), { minCases: 1 }).verdict).toBe('pass');
    expect(judged(pairs(188, 0, 0), { minCases: 1 }).verdict).toBe('inconclusive');
  });

  test('that ends many cases otherwise, as many better as worse, can be told by more cases alone', () => {
    expect(judged(pairs(180, 10, 10))).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringContaining(
        'neither surely worse nor surely within the margin of 2 %; if they are alike, about 970 cases would tell',
      ),
    });
    expect(judged(pairs(1400, 70, 70)).verdict).toBe('pass');
  });

  test('that is surely worse by less than the margin passes: the policy allows that', () => {
    const found = judged(pairs(1991, 0, 9));
    expect(found.chance).toBeLessThan(0.05);
    expect(found.verdict).toBe('pass');
  });

  test('that is surely worse by less than the margin on too few cases does not fail for it', () => {
    const found = judged(pairs(991, 0, 9), { minCases: 2000 });
    expect(found.chance).toBeLessThan(0.05);
    expect(found.verdict).toBe('inconclusive');
  });

  test('that is worse fails even on a few cases', () => {
    expect(judged(pairs(40, 0, 10)).verdict).toBe('fail');
  });

  test('that did not survive some of its cases does not pass', () => {
    const cases = [...pairs(200, 30, 0), tried('crash', 'old', true)];
    expect(judged(cases)).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringMatching(/^1 cases of old were not tried with new, or it did not survive them; /),
    });
    expect(judged([...pairs(200, 30, 0), tried('added', 'new', true)]).verdict).toBe('pass');
  });

  test('without a case is neither good nor bad, and so is one without a baseline', () => {
    expect(judged(apart('old', 300, 0))).toMatchObject({
      verdict: 'inconclusive',
      reason: 'there is no case of new',
      difference: undefined,
    });
    expect(judged(apart('new', 300, 0)).reason).toBe('there is no case of old');
    expect(judged([]).verdict).toBe('inconclusive');
  });

  test('that is compared with itself does not pass, however good it is', () => {
    const found = judgeOffline(pairs(300, 0, 0), { release: 'new', baseline: 'new' }, rules);
    expect(found).toMatchObject({
      verdict: 'inconclusive',
      reason: 'new is compared with itself, which shows nothing',
    });
  });

  test('that was tried on other cases is compared by shares', () => {
    expect(unpaired(800, 200)).toMatchObject({ verdict: 'fail', isPaired: false });
    expect(unpaired(930, 70).verdict).toBe('pass');
    expect(unpaired(900, 100)).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringContaining('about 1730 cases would tell'),
    });
    expect(unpaired(100, 0).reason).toContain('100 cases of each are too few');
  });

  test('is good by what the policy calls good', () => {
    const escalated = pairs(0, 0, 0, 300).map((one): OfflineCase => ({ ...one, outcome: 'escalated' }));
    const alike = judged(escalated, { goodOutcomes: ['escalated'] });
    expect(alike.candidate).toEqual({ good: 300, cases: 300 });
    expect(judged(escalated).candidate).toEqual({ good: 0, cases: 300 });
  });

  test('shows the mean scores, which decide nothing', () => {
    expect(judged([scored('new', 0.2), scored('old', 0.9)]).scores).toEqual([
      { evaluator: 'tone', candidate: 0.2, baseline: 0.9 },
    ]);
  });

  test('is judged the same in whatever order the lines are', () => {
    const cases = shipped('refunds-worse.jsonl');
    const asked = { release: '1.5.0-rc1', baseline: '1.4.0' };
    const { scores: _, ...found } = judgeOffline(cases, asked, rules);
    expect(judgeOffline(cases.toReversed(), asked, rules)).toMatchObject(found);
  });
});

test('property: a case that ends better makes no verdict worse', () => {
  const rank = { fail: 0, inconclusive: 1, pass: 2 } as const;
  const some = fc.nat({ max: 120 });
  fc.assert(
    fc.property(some, some, some, some, fc.double({ min: 0.005, max: 0.3, noNaN: true }), (...drawn) => {
      const [both, better, worse, none, margin] = drawn;
      fc.pre(worse > 0);
      const before = judged(pairs(both, better, worse, none), { minCases: 50, margin });
      const after = judged(pairs(both + 1, better, worse - 1, none), { minCases: 50, margin });
      expect(rank[after.verdict]).toBeGreaterThanOrEqual(rank[before.verdict]);
    }),
    { numRuns: Math.min(runs, 1000) },
  );
});

/** What is wrong with these lines: texts, or what becomes one. */
const faults = (...lines: readonly unknown[]): readonly string[] => {
  const read = readCases(
    lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  );
  return 'faults' in read ? read.faults : [];
};

describe('a line', () => {
  const good = { case: 'a', release: '1', outcome: 'success' };
  test('may have more than is read, and a number for a name', () => {
    const text = `${JSON.stringify({ ...good, case: 17, trace: 'x', scores: { tone: 1 } })}\n\n`;
    expect(readCases(text)).toEqual({
      cases: [{ case: '17', release: '1', outcome: 'success', scores: { tone: 1 } }],
    });
  });

  test.each<[string, unknown, string]>([
    ['that is no JSON', '{"case":', 'line 2: is no JSON: write one object a line'],
    ['that is no object', [1], 'line 2: must be a mapping'],
    ['without a case', { ...good, case: undefined }, 'line 2: case: is missing: name the case'],
    ['with an empty release', { ...good, release: ' ' }, 'line 2: release: is empty: name it'],
    [
      'with an outcome that there is not',
      { ...good, outcome: 'ok' },
      `line 2: outcome: must be one of ${outcomes.join(', ')}`,
    ],
    [
      'without an outcome',
      { ...good, outcome: undefined },
      `line 2: outcome: is missing: write one of ${outcomes.join(', ')}`,
    ],
    ['with a score in percent', { ...good, scores: { tone: 90 } }, 'line 2: scores.tone: must be 1 or less'],
    [
      'that is there already',
      { ...good },
      'line 2: case a of 1 is on line 1 already, and tries of one case are not independent: keep one of them',
    ],
  ])('%s is told by its number', (_, line, sentence) => {
    expect(faults(good, line)).toEqual([sentence]);
  });

  test('is one of twenty that are told', () => {
    expect(faults(...Array<string>(50).fill('x'))).toHaveLength(20);
  });
});
