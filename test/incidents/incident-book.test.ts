import { deserialize, serialize } from 'node:v8';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyOf, type Reading, type SeveritiesOf } from '../../src/incidents/conditions.ts';
import type { IncidentBook } from '../../src/incidents/incident-book.ts';
import { stateOf, type Incident } from '../../src/incidents/incident.ts';
import { severities } from '../../src/semconv/vocabulary.ts';
import { runs } from '../property-runs.ts';
import { bookOf, hourMs, judgeAll, minuteMs, reading, report, settings, well, type Told } from './books.ts';

const noon = Date.UTC(2026, 10, 26, 12);
const roundMs = 10_000;

/** A book that is given `readings` every 10 s. */
function watching(over: Parameters<typeof bookOf>[0] = {}) {
  const told = bookOf(over);
  const clock = { nowMs: noon };
  const policies: { severitiesOf: SeveritiesOf } = { severitiesOf: judgeAll };
  return {
    ...told,
    clock,
    policies,
    told,
    /** For so long. */
    sees: (minutes: number, ...readings: readonly Reading[]): void => {
      for (const endMs = clock.nowMs + minutes * minuteMs; clock.nowMs < endMs;) {
        clock.nowMs += roundMs;
        told.book.observe(readings, clock.nowMs, policies.severitiesOf);
      }
    },
  };
}

const only = (book: IncidentBook): Incident => {
  const incidents = [...book.incidents];
  expect(incidents).toHaveLength(1);
  return incidents[0]!;
};

describe('an objective that is not met', () => {
  test('is an incident once that has gone on for as long as its alert waits, and began when it did', () => {
    const { book, sees, opened } = watching();
    sees(5, reading());
    expect(opened).toEqual([]);
    sees(1, reading());
    expect(opened).toHaveLength(1);
    expect(only(book)).toMatchObject({
      source: 'policy',
      policy: 'refund-agent',
      revision: '0123456789ab',
      kpi: 'cost_usd_per_run',
      agent: 'refund-agent',
      release: '1.4.0',
      environment: 'production',
      severity: 'sev3',
      owner: 'team-payments',
      title: 'CostUsdPerRunAboveLimit',
      summary: 'refund-agent 1.4.0 in production: 0.0100 USD.',
      startedMs: noon + roundMs,
      detectedMs: noon + roundMs + 5 * minuteMs,
      resolvedMs: undefined,
      repeats: 0,
    });
  });

  test('is one at once where its alert does not wait', () => {
    const { sees, opened } = watching();
    sees(0.1, reading({ holdMs: 0 }));
    expect(opened).toHaveLength(1);
  });

  test.each([
    ['is met', [well()]],
    ['has too few events to say', []],
  ])('is none when it %s for a moment in between', (_, between) => {
    const { sees, opened } = watching();
    sees(4.9, reading());
    sees(0.1, ...between);
    sees(4.9, reading());
    expect(opened).toEqual([]);
  });

  test('is one incident, however many tools it is seen in and however grave that becomes', () => {
    const { book, sees, opened, changed } = watching();
    sees(6, reading({ part: 'search' }), reading({ part: 'pay' }));
    expect(changed).toHaveLength(1);
    sees(1, reading({ part: 'search' }), reading({ severity: 'sev2', holdMs: 0, violation: 'worse' }));
    sees(1, reading({ part: 'search' }));
    expect(opened).toHaveLength(1);
    expect(changed).toHaveLength(2);
    expect(only(book)).toMatchObject({ severity: 'sev2', summary: 'worse' });
  });

  test('is an incident of each release', () => {
    const { book, sees } = watching();
    sees(6, reading(), reading({ release: '1.5.0' }));
    expect([...book.incidents].map(({ release }) => release)).toEqual(['1.4.0', '1.5.0']);
  });
});

describe('an incident of a policy', () => {
  test('is over when its objective was met for five minutes', () => {
    const { book, sees, clock } = watching();
    sees(6, reading());
    sees(5, well());
    expect(stateOf(only(book))).toBe('open');
    sees(0.1, well());
    expect(only(book)).toMatchObject({ resolvedMs: clock.nowMs, resolution: 'recovered' });
  });

  test.each([
    ['is not met for a moment', [reading()]],
    ['says nothing for a moment', []],
  ])('goes on when its objective %s', (_, between) => {
    const { book, sees } = watching();
    sees(6, reading());
    sees(4.9, well());
    sees(0.1, ...between);
    sees(4.9, well());
    expect(stateOf(only(book))).toBe('open');
  });

  test('goes on while one of the tools that it is about is not well', () => {
    const { book, sees } = watching();
    sees(6, reading({ part: 'search' }), reading({ part: 'pay' }));
    sees(60, well({ part: 'search' }), reading({ part: 'pay' }));
    expect(stateOf(only(book))).toBe('open');
    sees(6, well({ part: 'search' }), well({ part: 'pay' }));
    expect(stateOf(only(book))).toBe('resolved');
  });

  test('goes on while nothing is heard of its release, for a day, and says that nobody knows', () => {
    const { book, sees } = watching();
    sees(6, reading());
    sees(24 * 60 - 1);
    expect(stateOf(only(book))).toBe('open');
    sees(2);
    expect(only(book)).toMatchObject({ resolution: 'no_data' });
  });

  test('that comes back within half an hour is the same one', () => {
    const { book, sees, opened } = watching();
    sees(6, reading());
    const { id } = only(book);
    sees(6, well());
    sees(6, reading({ severity: 'sev2' }));
    expect(only(book)).toMatchObject({ id, severity: 'sev2', repeats: 1, resolution: undefined });
    expect(stateOf(only(book))).toBe('open');
    expect(opened).toHaveLength(1);
  });

  test('that comes back later is another one', () => {
    const { book, sees, opened } = watching();
    sees(6, reading());
    sees(40, well());
    sees(6, reading());
    expect([...book.incidents].map(stateOf)).toEqual(['resolved', 'open']);
    expect(new Set(opened.map(({ id }) => id)).size).toBe(2);
  });

  test('that was reported is over when who reported it knows that it is, without anybody having seen it', () => {
    const { book } = bookOf();
    book.open(report({ key: 'rollback/x' }), hourMs);
    book.recovered('rollback/x', hourMs + 1000);
    book.recovered('rollback/x', hourMs + 2000);
    book.recovered('nobody knows', hourMs);
    expect([...book.incidents]).toMatchObject([
      { resolution: 'recovered', resolvedMs: hourMs + 1000, acknowledgedMs: undefined },
    ]);
    expect(book.open(report({ key: 'rollback/y' }), hourMs)).toMatchObject({ kind: 'opened' });
  });

  test('that somebody resolved comes back after five minutes when it is not well', () => {
    const { book, sees, clock } = watching();
    sees(6, reading());
    const { key } = only(book);
    book.change({ key }, 'resolved', clock.nowMs);
    sees(4.8, reading());
    expect(only(book)).toMatchObject({ resolution: 'api' });
    sees(0.2, reading());
    expect(only(book)).toMatchObject({ resolvedMs: undefined, repeats: 1 });
  });

  test('that comes back under a newer policy says what that says', () => {
    const { book, sees } = watching();
    sees(6, reading());
    sees(6, well());
    const newer = {
      revision: 'ba9876543210',
      owner: 'team-refunds',
      title: 'CostIsTooHigh',
      violation: '0.02 USD.',
    };
    sees(6, reading(newer));
    const { violation: summary, ...said } = newer;
    expect(only(book)).toMatchObject({ ...said, summary, repeats: 1 });
  });

  test.each([
    ['is not met', reading],
    ['is met, though not for five minutes,', well],
  ])(
    "is its new owner's, by the new revision, once the policy is edited while its objective %s",
    (_, seen) => {
      const { book, sees, changed } = watching();
      sees(6, reading());
      const { version } = only(book);
      sees(1, seen({ revision: 'ba9876543210', owner: 'team-refunds' }));
      expect(changed).toHaveLength(2);
      expect(only(book)).toMatchObject({ revision: 'ba9876543210', owner: 'team-refunds', severity: 'sev3' });
      expect(only(book).version).toBeGreaterThan(version);
      expect(only(book).resolvedMs).toBeUndefined();
    },
  );

  test('is over at once when no policy judges what it is about any more, which is no recovery', () => {
    const { book, sees, policies, clock } = watching();
    sees(6, reading(), reading({ agent: 'a/b%2F' }));
    policies.severitiesOf = ({ agent }) => (agent === 'a/b%2F' ? ['sev3'] : []);
    sees(0.1, reading({ agent: 'a/b%2F' }));
    const [gone, stays] = [...book.incidents];
    expect(gone).toMatchObject({ resolution: 'withdrawn', resolvedMs: clock.nowMs });
    expect(stays).toMatchObject({ agent: 'a/b%2F', resolvedMs: undefined });
  });

  test.each([
    ['graver', 'sev2', 'sev2'],
    ['less grave', 'sev4', 'sev3'],
  ] as const)(
    'goes on when its objective becomes %s, and is over as it would have been',
    (_, severity, gravest) => {
      const { book, sees, policies } = watching();
      sees(6, reading({ part: 'search' }));
      policies.severitiesOf = () => [severity];
      sees(2, reading({ part: 'search', severity }));
      expect(only(book)).toMatchObject({ severity: gravest, repeats: 0, resolvedMs: undefined });
      sees(5, well({ part: 'search', severity }));
      expect(stateOf(only(book))).toBe('open');
      sees(0.1, well({ part: 'search', severity }));
      expect(only(book)).toMatchObject({ resolution: 'recovered', repeats: 0 });
    },
  );

  test('goes on until the other alert on its budget is well when the one that fired is removed', () => {
    const { book, sees, policies } = watching();
    sees(6, reading({ severity: 'sev2', violation: undefined }), reading({ severity: 'sev3' }));
    policies.severitiesOf = () => ['sev2'];
    sees(4.9, well({ severity: 'sev2' }));
    expect(stateOf(only(book))).toBe('open');
    sees(0.2, well({ severity: 'sev2' }));
    expect(only(book)).toMatchObject({ resolution: 'recovered' });
  });

  test('goes on when the alert that fired is removed and the other one on its budget is about to fire', () => {
    const { book, sees, policies } = watching();
    sees(1, reading({ severity: 'sev2' }), reading({ severity: 'sev3', holdMs: 0 }));
    policies.severitiesOf = () => ['sev2'];
    sees(1, reading({ severity: 'sev2' }));
    expect(only(book)).toMatchObject({ resolvedMs: undefined, repeats: 0 });
  });

  test('waits anew for what nobody watched', () => {
    const { book, sees, clock, opened } = watching();
    sees(4, reading());
    clock.nowMs += 2 * hourMs;
    sees(4.9, reading());
    expect(opened).toEqual([]);
    sees(0.2, reading());
    expect(only(book).startedMs).toBeGreaterThan(noon + 2 * hourMs);
    sees(4, well());
    clock.nowMs += 2 * hourMs;
    sees(4.9, well());
    expect(stateOf(only(book))).toBe('open');
  });
});

describe('a report', () => {
  test('opens an incident, and is the same one when it comes again', () => {
    const { book, opened } = bookOf();
    expect(book.open(report({ startedMs: noon - hourMs }), noon)).toMatchObject({ kind: 'opened' });
    expect(book.open(report({ severity: 'sev2' }), noon + 1)).toMatchObject({ kind: 'repeated' });
    expect(opened).toHaveLength(1);
    expect(only(book)).toMatchObject({
      source: 'api',
      policy: '',
      severity: 'sev1',
      startedMs: noon - hourMs,
      detectedMs: noon,
      repeats: 1,
    });
  });

  test('that comes back within half an hour opens its incident again, as grave as that says', () => {
    const { book, opened } = bookOf();
    book.open(report({ severity: 'sev2' }), noon);
    book.change({ key: 'double-refund' }, 'resolved', noon);
    const again = book.open(report({ severity: 'sev1' }), noon + 30 * minuteMs);
    expect(again).toMatchObject({ kind: 'reopened', incident: { severity: 'sev1', resolution: undefined } });
    book.change({ key: 'double-refund' }, 'resolved', noon + hourMs);
    expect(book.open(report(), noon + hourMs + 31 * minuteMs)).toMatchObject({ kind: 'opened' });
    expect(opened).toHaveLength(2);
  });

  test('never began later than it was heard of', () => {
    const { book } = bookOf();
    book.open(report({ startedMs: noon + hourMs }), noon);
    expect(only(book).startedMs).toBe(noon);
  });

  test('of another release may not have the key of one', () => {
    const { book } = bookOf();
    book.open(report(), noon);
    expect(book.open(report({ release: '2' }), noon)).toMatchObject({ kind: 'taken' });
    expect(only(book)).toMatchObject({ release: '1.4.0', repeats: 0 });
  });

  test('of another release may have the key of one that is resolved, and is another one', () => {
    const { book } = bookOf();
    book.open(report(), noon);
    book.change({ key: 'double-refund' }, 'resolved', noon);
    expect(book.open(report({ release: '2' }), noon + 1)).toMatchObject({ kind: 'opened' });
    expect([...book.incidents].map(stateOf)).toEqual(['resolved', 'open']);
    expect(book.change({ key: 'double-refund' }, 'resolved', noon + 2)).toMatchObject({
      incident: { release: '2' },
    });
  });

  test('is refused where too many are open, and room is made by resolving one', () => {
    const { book } = bookOf({ openLimit: 2 });
    for (const key of ['a', 'b']) book.open(report({ key }), noon);
    expect(book.open(report({ key: 'c' }), noon)).toEqual({ kind: 'full', limit: 2, of: 'incidents' });
    book.change({ key: 'a' }, 'resolved', noon);
    expect(book.open(report({ key: 'c' }), noon)).toMatchObject({ kind: 'opened' });
  });

  test('leaves room for what policies find, whose incidents take none of the room for reports', () => {
    const { book, sees, told, clock } = watching({ openLimit: 4, reportLimit: 2 });
    const full = { kind: 'full', limit: 2, of: 'reported incidents' };
    for (const key of ['a', 'b']) book.open(report({ key }), noon);
    expect(book.open(report({ key: 'c' }), noon)).toEqual(full);
    sees(6, reading());
    book.change({ key: 'a' }, 'resolved', clock.nowMs);
    expect(book.open(report({ key: 'c' }), clock.nowMs)).toMatchObject({ kind: 'opened' });
    expect(book.open(report({ key: 'a' }), clock.nowMs)).toEqual(full);
    sees(6, reading(), reading({ release: '2' }));
    expect(told.unopened).toBe(0);
    expect([...book.incidents].filter((each) => each.source === 'policy').map(stateOf)).toEqual([
      'open',
      'open',
    ]);
  });
});

describe('a change', () => {
  test('says when an incident was seen, mitigated and resolved, each once', () => {
    const { book, changed } = bookOf();
    book.open(report(), noon);
    const { id } = only(book);
    expect(book.change({ id }, 'acknowledged', noon + 1)).toMatchObject({ kind: 'changed' });
    expect(book.change({ id }, 'acknowledged', noon + 2)).toMatchObject({ kind: 'unchanged' });
    book.change({ key: 'double-refund' }, 'mitigated', noon + 3);
    book.change({ id }, 'resolved', noon + 4);
    expect(book.change({ id }, 'resolved', noon + 5)).toMatchObject({ kind: 'unchanged' });
    expect(book.change({ id }, 'acknowledged', noon + 5)).toMatchObject({ kind: 'over' });
    expect(only(book)).toMatchObject({
      acknowledgedMs: noon + 1,
      mitigatedMs: noon + 3,
      resolvedMs: noon + 4,
      resolution: 'api',
    });
    expect(changed.map(stateOf)).toEqual(['open', 'acknowledged', 'mitigated', 'resolved']);
  });

  test('of an incident that nobody knows is none', () => {
    const { book } = bookOf();
    expect(book.change({ id: 'x' }, 'resolved', noon)).toEqual({ kind: 'unknown' });
    expect(book.change({ key: 'x' }, 'resolved', noon)).toEqual({ kind: 'unknown' });
  });

  test('to mitigated says that somebody has seen it', () => {
    const { book } = bookOf();
    book.open(report(), noon);
    book.change({ key: 'double-refund' }, 'mitigated', noon + 1);
    expect(only(book)).toMatchObject({ acknowledgedMs: noon + 1 });
  });
});

describe('a book', () => {
  test('forgets what was resolved first when that is too many, or a day old', () => {
    const { book } = bookOf({ resolvedLimit: 2 });
    for (const key of ['a', 'b', 'c', 'd']) book.open(report({ key }), noon);
    for (const [at, key] of ['c', 'a', 'b'].entries()) book.change({ key }, 'resolved', noon + at);
    expect([...book.incidents].map(({ key }) => key)).toEqual(['a', 'b', 'd']);
    book.observe([], noon + 24 * hourMs + 2, judgeAll);
    expect([...book.incidents].map(({ key }) => key)).toEqual(['b', 'd']);
  });

  test('tells once of what it has no room for, and opens it when there is', () => {
    const { book, told, sees, opened, clock } = watching({ openLimit: 1 });
    sees(6, reading(), reading({ release: '2' }));
    expect([opened.length, told.unopened]).toEqual([1, 1]);
    book.change({ id: only(book).id }, 'resolved', clock.nowMs);
    sees(1, reading({ release: '2' }));
    expect(opened.map(({ release }) => release)).toEqual(['1.4.0', '2']);
  });

  test('opens nothing for what it had no room for once that is met, though not for five minutes', () => {
    const { book, told, sees, opened, clock } = watching({ openLimit: 1 });
    sees(6, reading(), reading({ release: '2' }));
    book.change({ id: only(book).id }, 'resolved', clock.nowMs);
    sees(1, well({ release: '2' }));
    expect([opened.length, told.unopened]).toEqual([1, 1]);
  });

  test('watches no more objectives than it may, and tells once of each beyond', () => {
    const { told, sees, opened } = watching({ conditions: { ...settings.conditions, limit: 2 } });
    const violated = ['1', '2', '3', '4'].map((release) => reading({ release, holdMs: 0 }));
    sees(0.1, ...violated);
    expect([opened.length, told.unopened]).toEqual([2, 2]);
    sees(1, ...violated);
    expect([opened.length, told.unopened]).toEqual([2, 2]);
  });

  test('never gives the id of an incident that a crash took back to another one', () => {
    const { book, opened } = bookOf();
    book.open(report({ key: 'kept' }), noon);
    const kept = book.save();
    book.open(report({ key: 'lost' }), noon + 1);
    book.restore(kept);
    expect([...book.incidents].map(({ key }) => key)).toEqual(['kept']);
    book.open(report({ key: 'next' }), noon + 1000);
    expect(new Set(opened.map(({ id }) => id)).size).toBe(3);
  });

  test('gives a change after a crash a greater version than that of the change which it took back', () => {
    const { book, changed } = bookOf();
    book.open(report(), noon);
    const kept = book.save();
    for (const state of ['acknowledged', 'mitigated'] as const)
      book.change({ key: 'double-refund' }, state, noon + 1);
    book.restore(kept);
    book.change({ key: 'double-refund' }, 'resolved', noon + 1000);
    expect(changed[3]!.version).toBeGreaterThan(changed[2]!.version);
  });

  test('has other ids than that of another process', () => {
    const [one, other] = [bookOf(), bookOf()];
    one.book.open(report(), noon);
    other.book.open(report(), noon);
    expect(only(one.book).id).not.toBe(only(other.book).id);
  });
});

type Seen = 'violated' | 'well' | 'silent';

/** What one step of a property test does. */
type Step =
  | { readonly kind: 'round'; readonly afterMs: number; readonly seen: readonly Seen[] }
  | { readonly kind: 'report'; readonly key: string; readonly severity: (typeof severities)[number] }
  | {
      readonly kind: 'change';
      readonly which: number;
      readonly state: 'acknowledged' | 'mitigated' | 'resolved';
    };

const watched: readonly Reading[] = [
  reading(),
  reading({ severity: 'sev2', holdMs: 0 }),
  reading({ part: 'search', release: '2' }),
  reading({ part: 'pay', release: '2' }),
];

const round = fc.record({
  kind: fc.constant('round' as const),
  afterMs: fc.constantFrom(roundMs, roundMs, roundMs, 50_000, 90_000),
  seen: fc.tuple(
    ...watched.map(() => fc.constantFrom<Seen>('violated', 'violated', 'well', 'well', 'silent')),
  ),
});
/** The same for a while, so that something comes of it. */
const spell = fc
  .tuple(round, fc.integer({ min: 1, max: 45 }))
  .map(([step, times]) => Array.from({ length: times }, (): Step => step));
const word = fc.oneof(
  fc.record({
    kind: fc.constant('report' as const),
    key: fc.constantFrom('a', 'b'),
    severity: fc.constantFrom(...severities),
  }),
  fc.record({
    kind: fc.constant('change' as const),
    which: fc.nat(5),
    state: fc.constantFrom('acknowledged' as const, 'mitigated' as const, 'resolved' as const),
  }),
);
const steps = fc
  .array(fc.oneof({ weight: 2, arbitrary: spell }, word), { maxLength: 30 })
  .map((parts): readonly Step[] => parts.flat());

function readingsOf(seen: readonly Seen[]): readonly Reading[] {
  return watched.flatMap((each, i) =>
    seen[i] === 'silent' ? [] : [seen[i] === 'well' ? { ...each, violation: undefined } : each],
  );
}

const small = { openLimit: 3, reportLimit: 1, resolvedLimit: 3 };

/** Does `step` at `nowMs`. */
function take({ book }: Told, step: Step, nowMs: number): void {
  if (step.kind === 'round') book.observe(readingsOf(step.seen), nowMs, judgeAll);
  else if (step.kind === 'report') book.open(report({ key: step.key, severity: step.severity }), nowMs);
  else {
    const incidents = [...book.incidents];
    const incident = incidents[step.which % Math.max(1, incidents.length)];
    if (incident) book.change({ id: incident.id }, step.state, nowMs);
  }
}

const afterOf = (step: Step): number => (step.kind === 'round' ? step.afterMs : 1000);

const counting = (ids: { last: number }) => (): string => String(++ids.last);

describe('whatever is seen and said', () => {
  test('no two incidents are open with one key, and all stays within its bounds and in order', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const told = bookOf(small);
        let nowMs = noon;
        for (const step of taken) {
          take(told, step, (nowMs += afterOf(step)));
          const incidents = [...told.book.incidents];
          const open = incidents.filter(({ resolvedMs }) => resolvedMs === undefined);
          expect(new Set(open.map(({ key }) => key)).size).toBe(open.length);
          expect(open.length).toBeLessThanOrEqual(small.openLimit);
          const reported = open.filter(({ source }) => source === 'api');
          expect(reported.length).toBeLessThanOrEqual(small.reportLimit);
          expect(incidents.length - open.length).toBeLessThanOrEqual(small.resolvedLimit);
          for (const each of incidents) {
            const { startedMs, detectedMs, acknowledgedMs = detectedMs, mitigatedMs = acknowledgedMs } = each;
            const times = [startedMs, detectedMs, acknowledgedMs, mitigatedMs, each.resolvedMs ?? nowMs];
            expect(times).toEqual(times.toSorted((a, b) => a - b));
          }
        }
        const ids = told.opened.map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: runs / 4 },
    );
  });

  test('a policy opens one only when its alert would fire, and ends it only when that was well for five minutes', () => {
    const ended = { recovered: 0, opened: 0 };
    fc.assert(
      fc.property(steps, (taken) => {
        const { book } = bookOf();
        const told = { ...bookOf(), book };
        let past: { readonly atMs: number; readonly seen: readonly Seen[] }[] = [];
        let nowMs = noon;
        for (const step of taken) {
          const before = new Map([...book.incidents].map(({ id, resolvedMs }) => [id, resolvedMs]));
          take(told, step, (nowMs += afterOf(step)));
          if (step.kind !== 'round') continue;
          if (nowMs - (past.at(-1)?.atMs ?? 0) > minuteMs) past = []; // nobody watched
          past.push({ atMs: nowMs, seen: step.seen });
          /** Whether one of what the incident is about was seen to be `what` in every round of that time. */
          const was = (key: string, what: Seen, msOf: (reading: Reading) => number): boolean =>
            watched.some((each, i) => {
              const from = past.findLastIndex(({ atMs }) => atMs <= nowMs - msOf(each));
              return (
                keyOf(each) === key && from >= 0 && past.slice(from).every(({ seen }) => seen[i] === what)
              );
            });
          for (const { id, key, source, resolvedMs, resolution } of book.incidents) {
            if (source !== 'policy') continue;
            const isNew = resolvedMs === undefined && (!before.has(id) || before.get(id) !== undefined);
            if (isNew) expect(was(key, 'violated', ({ holdMs }) => holdMs)).toBe(true);
            const isOver = resolution === 'recovered' && before.get(id) === undefined;
            if (isOver) expect(was(key, 'well', () => 5 * minuteMs)).toBe(true);
            if (isNew) ended.opened++;
            if (isOver) ended.recovered++;
          }
        }
      }),
      { numRuns: runs / 4 },
    );
    expect(Math.min(ended.recovered, ended.opened)).toBeGreaterThan(0);
  });

  test('a book that is saved and restored goes on as if nothing had been', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 9 }), (taken, every) => {
        const whole = bookOf(small, counting({ last: 0 }));
        const ids = { last: 0 };
        let parts = bookOf(small, counting(ids));
        const opened: string[] = [];
        let nowMs = noon;
        for (const [at, step] of taken.entries()) {
          nowMs += afterOf(step);
          take(whole, step, nowMs);
          take(parts, step, nowMs);
          expect([...parts.book.incidents]).toEqual([...whole.book.incidents]);
          expect(parts.book.save()).toEqual(whole.book.save());
          if (at % every > 0) continue;
          const state: ReturnType<IncidentBook['save']> = deserialize(serialize(parts.book.save()));
          opened.push(...parts.opened.splice(0).map(({ id }) => id));
          const { last } = ids;
          parts = bookOf(small, counting(ids));
          parts.book.open(report({ key: 'of before' }), noon);
          parts.opened.length = 0;
          ids.last = last;
          parts.book.restore(state);
        }
        opened.push(...parts.opened.map(({ id }) => id));
        expect(opened).toEqual(whole.opened.map(({ id }) => id));
      }),
      { numRuns: runs / 4 },
    );
  });

  test('what was saved is not touched by what comes later', () => {
    const { book, sees, clock } = watching();
    sees(6, reading());
    book.open(report(), clock.nowMs);
    const saved = book.save();
    const before = structuredClone(saved);
    sees(3, well());
    book.change({ key: 'double-refund' }, 'resolved', clock.nowMs);
    expect(saved).toEqual(before);
  });
});
