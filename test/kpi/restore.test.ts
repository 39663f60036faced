import { deserialize, serialize } from 'node:v8';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KpiRun } from '../../src/kpi/facts.ts';
import type { Family } from '../../src/kpi/family.ts';
import type { Kpis, KpiState } from '../../src/kpi/kpis.ts';
import {
  escalationReasons,
  escalationResolutions,
  evidenceLevels,
  outcomes,
  results,
  severities,
} from '../../src/semconv/vocabulary.ts';
import { runs } from '../property-runs.ts';
import { call, flat, kpisOf, published, run, settings, value } from './events.ts';

const requestKinds = escalationReasons.length * escalationResolutions.length;
const noon = Date.UTC(2026, 10, 23, 12);
const minute = 60_000;

const name = fc.constantFrom('a', 'b', 'c', 'd');
const labels = { agent: name, release: fc.constantFrom('1', '2'), environment: fc.constantFrom('p', 's') };
const agoMs = fc.integer({ min: -5000, max: 90 * minute });
const usd = fc.double({ min: 0, max: 1, noNaN: true });
const known = {
  ...labels,
  outcome: fc.constantFrom(...outcomes),
  evidence: fc.constantFrom(...evidenceLevels),
  escalationReason: fc.constantFrom(undefined, ...escalationReasons),
  escalationRequests: fc.oneof(
    fc.constant([]),
    fc.array(fc.nat(2), { minLength: requestKinds, maxLength: requestKinds }),
  ),
  costUsd: fc.record({ llm: usd, tool: usd, review: usd }),
  priced: fc.boolean(),
  reviewSeconds: fc.integer({ min: 0, max: 9 }),
  scores: fc.dictionary(fc.constantFrom('x', 'y', 'z'), usd).map((scores) => new Map(Object.entries(scores))),
};
const behindMs = fc.constantFrom(0, 0, settings.latenessMs + 1);
const lastsMs = fc.integer({ min: 0, max: 100_000 });
const anyEvent = fc.oneof(
  fc.record({ kind: fc.constant('run'), agoMs, lastsMs, given: fc.record({ ...known, behindMs }) }),
  fc.record({
    kind: fc.constant('revision'),
    of: fc.nat(),
    lastsMs,
    given: fc.record(known, { requiredKeys: [] }),
  }),
  fc.record({
    kind: fc.constant('call'),
    agoMs,
    given: fc.record({
      ...labels,
      tool: name,
      result: fc.constantFrom(...results),
      attempts: fc.integer({ min: 1, max: 3 }),
      durationMs: lastsMs,
      behindMs,
    }),
  }),
  fc.record({
    kind: fc.constant('incident'),
    agoMs,
    given: fc.record({ ...labels, severity: fc.constantFrom(...severities) }),
  }),
  fc.record({ kind: fc.constant('record'), partition: fc.nat(1), agoMs: fc.integer({ min: 0, max: 5000 }) }),
  fc.record({
    kind: fc.constant('pause'),
    afterMs: fc.constantFrom(1000, -10_000, minute, -minute, 20 * minute, 70 * minute),
  }),
  fc.record({ kind: fc.constant('idle') }),
);
type Event = typeof anyEvent extends fc.Arbitrary<infer T> ? T : never;

/** `one` with the most requests by reason that it and the run before it had. */
function peaked(one: KpiRun): KpiRun {
  const width = escalationResolutions.length;
  const peakRequests = escalationReasons.map((_, reason) => {
    const now = one.escalationRequests.slice(reason * width, (reason + 1) * width);
    return Math.max(
      one.peakRequests[reason] ?? 0,
      now.reduce((sum, count) => sum + count, 0),
    );
  });
  return { ...one, peakRequests };
}

/** KPIs with the runs that they were told of, as an assembler remembers them, and a clock. */
class Told {
  kpis = fresh();
  nowMs = noon;
  #runs: KpiRun[] = [];

  take(event: Event): void {
    const { kpis } = this;
    if (event.kind === 'run') {
      const closedMs = this.nowMs - event.agoMs;
      const one = peaked(run(closedMs, { startMs: closedMs - event.lastsMs, ...event.given }));
      kpis.finished(one);
      this.#runs.push(one);
    } else if (event.kind === 'revision') {
      const i = event.of % this.#runs.length;
      const before = this.#runs[i];
      if (!before) return;
      const after = peaked({ ...before, startMs: before.endMs - event.lastsMs, ...event.given });
      kpis.revised(before, after);
      this.#runs[i] = after;
    } else if (event.kind === 'call') kpis.toolCall(call(this.nowMs - event.agoMs, event.given));
    else if (event.kind === 'incident') kpis.incident({ ...event.given, timeMs: this.nowMs - event.agoMs });
    else if (event.kind === 'record')
      kpis.watermark.advance(event.partition, this.nowMs - event.agoMs, this.nowMs, this.nowMs);
    else if (event.kind === 'idle')
      for (const partition of [0, 1]) kpis.watermark.exhaust(partition, this.nowMs);
    else {
      this.nowMs += event.afterMs;
      kpis.sweep(this.nowMs);
    }
  }

  save(): KpiState {
    return this.kpis.save(
      this.#runs.map(({ place }) => place),
      this.nowMs,
    );
  }

  /** Goes on with other KPIs, as a process that read `state`. */
  restore(state: KpiState): void {
    this.kpis = fresh();
    const places = this.kpis.restore(state);
    this.#runs = this.#runs.map((one, i) => ({ ...one, place: places[i] }));
  }
}

/** Room for 5 label sets, of which one is the overflow and one the overflow of an agent, and for 7 of tools. */
function fresh(): Kpis {
  return kpisOf(2, { maxSeries: 5 * 24, expireAfterMs: 60 * minute });
}

test('property: saved, restored and gone on is the same as gone on', () => {
  fc.assert(
    fc.property(
      fc.array(anyEvent, { maxLength: 40 }),
      fc.array(anyEvent, { maxLength: 40 }),
      (before, after) => {
        const [one, other] = [new Told(), new Told()];
        for (const each of before) for (const told of [one, other]) told.take(each);
        const state = other.save();
        one.kpis.publish(one.save());
        const bytes = serialize(state);
        const read: KpiState = deserialize(bytes);
        other.restore(read);
        expect(flat(other.kpis.families(other.nowMs, true))).toEqual(
          flat(one.kpis.families(one.nowMs, true)),
        );
        for (const each of after) for (const told of [one, other]) told.take(each);
        expect(serialize(state).equals(bytes), 'a saved state that later events touched').toBe(true);
        for (const told of [one, other]) told.kpis.publish(told.save());
        expect(flat(other.kpis.families(other.nowMs, true))).toEqual(
          flat(one.kpis.families(one.nowMs, true)),
        );
        expect(counts(other.save())).toEqual(counts(one.save()));
      },
    ),
    { numRuns: runs },
  );
});

/** What `state` counts, without where runs are: the same in another order, or of what is forgotten. */
function counts({ totals, windows, watermark }: KpiState): unknown {
  return { totals, watermark, windows: { ...windows, held: undefined } };
}

const done = { outcome: 'completed', evidence: 'none' };
const completed = (kpis: Kpis): number | undefined =>
  value(kpis.families(noon, true), 'plimsoll_runs_total', done);

test('a counter is what was published, although more is counted; gauges are of this moment', () => {
  const kpis = kpisOf();
  kpis.watermark.advance(0, noon, noon, noon);
  kpis.finished(run(noon));
  expect(completed(kpis)).toBeUndefined();
  const state = kpis.save([], noon);
  kpis.finished(run(noon));
  kpis.publish(state);
  expect(completed(kpis)).toBe(1);
  const denominator = 'plimsoll_kpi_run_success_denominator';
  expect(value(kpis.families(noon, true), denominator, { window: '5m' })).toBe(2);
  kpis.restore(state);
  expect(completed(kpis)).toBe(1);
  kpis.publish(kpis.save([], noon));
  expect(completed(kpis)).toBe(1);
  kpis.restart();
  expect(flat(kpis.families(noon, true)).size).toBe(3);
});

const zeroForMs = 15_000;
const anyStep = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('run'), agent: fc.constantFrom('a', 'b') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('time'),
      afterMs: fc.constantFrom(1000, 5000, zeroForMs, minute),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('save'),
      becomes: fc.constantFrom('nothing', 'durable', 'exported', 'exported'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('death') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clock'), backMs: fc.constantFrom(1000, minute) }) },
);

/** A process that assesses, with a clock that may be set back, and who takes over when it dies. */
class Owner {
  #kpis = kpisOf(1, { zeroForMs });
  #clockMs = noon;
  #timeMs = noon;
  #saved: KpiState | undefined;
  /** Since when a counter is exported without a break. */
  #since = new Map<string, number>();
  #before = new Map<string, number>();

  take(step: typeof anyStep extends fc.Arbitrary<infer T> ? T : never): void {
    if (step.kind === 'run') this.#kpis.finished(run(this.#timeMs, { agent: step.agent }));
    else if (step.kind === 'clock') this.#clockMs -= step.backMs;
    else if (step.kind === 'death') {
      this.#kpis = kpisOf(1, { zeroForMs });
      if (this.#saved) this.#kpis.restore(this.#saved);
      // Nobody need have scraped what was not exported for long enough.
      for (const [agent, ms] of this.#since) if (this.#timeMs - ms < zeroForMs) this.#since.delete(agent);
    } else if (step.kind === 'time') {
      this.#clockMs += step.afterMs;
      this.#timeMs += step.afterMs;
      this.#kpis.watermark.advance(0, this.#timeMs, this.#timeMs, this.#clockMs);
      this.#kpis.sweep(this.#clockMs);
    } else {
      const state = this.#kpis.save([], this.#clockMs);
      if (step.becomes !== 'nothing') this.#saved = state;
      if (step.becomes === 'exported') this.#kpis.publish(state);
    }
    this.#scrape();
  }

  #scrape(): void {
    const families = this.#kpis.families(this.#clockMs, true);
    for (const agent of ['a', 'b']) {
      const shown = value(families, 'plimsoll_runs_total', { ...done, agent });
      const before = this.#before.get(agent);
      if (shown === undefined) {
        expect(before).toBeUndefined();
        continue;
      }
      const sinceMs = this.#since.get(agent) ?? this.#timeMs;
      this.#since.set(agent, sinceMs);
      expect(shown).toBeGreaterThanOrEqual(before ?? 0);
      if (shown > 0 && !before) expect(this.#timeMs - sinceMs).toBeGreaterThanOrEqual(zeroForMs);
      this.#before.set(agent, shown);
    }
  }
}

test('property: a counter begins with 0, long enough to be scraped, and never falls, whatever dies and whoever sets clocks back', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const owner = new Owner();
      for (const step of steps) owner.take(step);
    }),
    { numRuns: 3 * runs },
  );
});

test('a counter does not fall when its next owner has a clock that is behind', () => {
  const [one, other] = [kpisOf(1, { zeroForMs }), kpisOf(1, { zeroForMs })];
  for (let i = 0; i < 7; i++) one.finished(run(noon));
  for (const atMs of [noon, noon + zeroForMs]) one.publish(one.save([], atMs));
  expect(completed(one)).toBe(7);
  other.restore(one.save([], noon + zeroForMs));
  expect(completed(other)).toBe(7);
  other.finished(run(noon));
  other.sweep(noon + 5000);
  other.publish(other.save([], noon + 5000));
  expect(completed(other)).toBe(8);
});

test('a new counter is 0 at first however far apart states are saved, and a sweep says when one more would show it', () => {
  const kpis = kpisOf(1, { zeroForMs });
  const sweep = (nowMs: number): boolean => {
    kpis.watermark.advance(0, nowMs, nowMs, nowMs);
    return kpis.sweep(nowMs);
  };
  kpis.publish(kpis.save([], noon));
  for (let i = 0; i < 7; i++) kpis.finished(run(noon));
  for (let second = 1; second <= 60; second++) expect(sweep(noon + second * 1000)).toBe(false);
  kpis.publish(kpis.save([], noon + minute));
  expect(completed(kpis)).toBe(0);
  expect(sweep(noon + minute + zeroForMs - 1)).toBe(false);
  expect(sweep(noon + minute + zeroForMs)).toBe(true);
  kpis.publish(kpis.save([], noon + minute + zeroForMs));
  expect(completed(kpis)).toBe(7);
  expect(sweep(noon + 2 * minute)).toBe(false);
});

/** The number of runs in a window, and whether it is complete. */
function inWindow(kpis: Kpis, window: string, nowMs: number): (number | undefined)[] {
  const families = published(kpis, nowMs);
  return ['plimsoll_kpi_run_success_denominator', 'plimsoll_kpi_window_complete'].map((family) =>
    value(families, family, { window }),
  );
}

test('a window that there was not before a restart is complete once it has been filled', () => {
  const before = kpisOf(1, { windowsMs: [5 * minute] });
  const first = run(noon);
  before.finished(first);
  before.watermark.advance(0, noon, noon, noon);
  before.sweep(noon);
  const kpis = kpisOf(1, { windowsMs: [5 * minute, 60 * minute] });
  const [place] = kpis.restore(before.save([first.place], noon));
  expect(inWindow(kpis, '5m', noon)).toEqual([1, 1]);
  expect(inWindow(kpis, '1h', noon)).toEqual([0, 0]);
  kpis.revised({ ...first, place }, { ...first, outcome: 'failure' });
  expect(inWindow(kpis, '5m', noon)).toEqual([1, 1]);
  expect(inWindow(kpis, '1h', noon)).toEqual([0, 0]);
  const later = noon + 61 * minute;
  kpis.finished(run(later));
  kpis.watermark.advance(0, later, later, later);
  expect(inWindow(kpis, '1h', later)).toEqual([1, 1]);
});

/** What all series together say, of metrics that add up. */
function sums(families: readonly Family[]): readonly number[] {
  const metrics = [
    'plimsoll_runs_total',
    'plimsoll_tool_calls_total',
    'plimsoll_run_duration_seconds',
    ...['run_failure', 'run_duration', 'quality_score', 'tool_call_duration'].flatMap((kpi) =>
      ['numerator', 'denominator'].map((side) => `plimsoll_kpi_${kpi}_${side}`),
    ),
  ];
  return metrics.map((metric) => {
    const samples = families.filter((family) => family.name === metric).flatMap((family) => family.samples);
    return Math.round(1e6 * samples.reduce((sum, sample) => sum + sample.value, 0));
  });
}

const anyEnded = fc.record({
  given: fc.record({
    agent: name,
    release: fc.integer({ min: 1, max: 9 }).map(String),
    outcome: known.outcome,
    scores: known.scores,
  }),
  agoMs: fc.integer({ min: 0, max: 58 * minute }),
  revised: known.outcome,
});
const labelSets = fc.integer({ min: 2, max: 40 });

test('property: with less room after a restart there are no more series than allowed, sums are the same, and runs are where they were', () => {
  const check = (
    events: readonly (typeof anyEnded extends fc.Arbitrary<infer T> ? T : never)[],
    room: number[],
  ) => {
    const [one, other] = [kpisOf(1, { maxSeries: 24 * room[0]! }), kpisOf(1, { maxSeries: 24 * room[1]! })];
    const ended = events.map(({ agoMs: ms, given }) => run(noon - ms, given));
    for (const each of ended) {
      one.finished(each);
      one.toolCall(call(each.closedMs, { agent: each.agent, release: each.release }));
    }
    one.watermark.advance(0, noon, noon, noon);
    one.sweep(noon);
    const placesOfOne = ended.map(({ place }) => place);
    const state = one.save(placesOfOne, noon);
    one.publish(state);
    const placesOfOther = other.restore(state);
    const families = other.families(noon, true);
    expect(sums(families)).toEqual(sums(one.families(noon, true)));
    for (const { name: metric, kind, samples } of families)
      if (kind !== 'histogram' && !metric.includes('duration'))
        expect(samples.length, metric).toBeLessThanOrEqual(24 * room[1]!);
    for (const [i, before] of ended.entries()) {
      const after = { ...before, outcome: events[i]!.revised };
      one.revised({ ...before, place: placesOfOne[i] }, { ...after });
      other.revised({ ...before, place: placesOfOther[i] }, { ...after });
    }
    expect(sums(other.families(noon, true))).toEqual(sums(one.families(noon, true)));
  };
  fc.assert(fc.property(fc.array(anyEnded, { maxLength: 60 }), fc.tuple(labelSets, labelSets), check), {
    numRuns: runs,
  });
});

test('quantiles of series that have no room of their own after a restart are of all of them', () => {
  const [one, other] = [kpisOf(), kpisOf(1, { maxSeries: 24 })];
  const seconds = { 1: 1, 2: 10, 3: 100 };
  for (const [release, lasts] of Object.entries(seconds))
    for (let i = 0; i < 10; i++)
      one.finished(run(noon - 1000 * i, { release, startMs: noon - 1000 * (i + lasts) }));
  one.watermark.advance(0, noon, noon, noon);
  other.restore(one.save([], noon));
  const stats = ['p50', 'p95'].map((stat) =>
    value(other.families(noon, true), 'plimsoll_kpi_run_duration_seconds', { window: '5m', stat }),
  );
  expect(stats.map((found) => Math.round(found ?? 0))).toEqual([10, 100]);
});

test('counters of a program that counted other things keep what both count; windows begin anew, and say so', () => {
  const before = kpisOf();
  before.finished(run(noon, { costUsd: { llm: 2, tool: 0, review: 0 } }));
  before.watermark.advance(0, noon, noon, noon);
  before.sweep(noon);
  const state = before.save([], noon);
  const { totals, windows } = state;
  const columns = totals.runs.columns.map((column) => column.replace('costUsd llm', 'cost of old'));
  const kpis = kpisOf();
  kpis.restore({
    ...state,
    totals: { ...totals, runs: { ...totals.runs, columns } },
    windows: {
      ...windows,
      runs: { ...windows.runs, sums: ['something else', ...windows.runs.sums.slice(1)] },
    },
  });
  const families = published(kpis, noon);
  expect(value(families, 'plimsoll_runs_total', done)).toBe(1);
  expect(value(families, 'plimsoll_cost_usd_total', { category: 'llm' })).toBe(0);
  expect(inWindow(kpis, '5m', noon)).toEqual([0, 0]);
});
