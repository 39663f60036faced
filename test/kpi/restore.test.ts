import { deserialize, serialize } from 'node:v8';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KpiRun } from '../../src/kpi/facts.ts';
import type { Kpis, KpiState } from '../../src/kpi/kpis.ts';
import {
  escalationReasons,
  evidenceLevels,
  outcomes,
  results,
  severities,
} from '../../src/semconv/vocabulary.ts';
import { runs } from '../property-runs.ts';
import { call, flat, kpisOf, published, run, settings, value } from './events.ts';

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
  fc.record({ kind: fc.constant('pause'), afterMs: fc.constantFrom(1000, minute, 20 * minute, 70 * minute) }),
  fc.record({ kind: fc.constant('idle') }),
);
type Event = typeof anyEvent extends fc.Arbitrary<infer T> ? T : never;

/** KPIs with the runs that they were told of, as an assembler remembers them, and a clock. */
class Told {
  kpis = fresh();
  nowMs = noon;
  #runs: KpiRun[] = [];

  take(event: Event): void {
    const { kpis } = this;
    if (event.kind === 'run') {
      const closedMs = this.nowMs - event.agoMs;
      const one = run(closedMs, { startMs: closedMs - event.lastsMs, ...event.given });
      kpis.finished(one);
      this.#runs.push(one);
    } else if (event.kind === 'revision') {
      const i = event.of % this.#runs.length;
      const before = this.#runs[i];
      if (!before) return;
      const after = { ...before, startMs: before.endMs - event.lastsMs, ...event.given };
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
    return this.kpis.save(this.#runs.map(({ place }) => place));
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
  const state = kpis.save([]);
  kpis.finished(run(noon));
  kpis.publish(state);
  expect(completed(kpis)).toBe(1);
  const denominator = 'plimsoll_kpi_run_success_denominator';
  expect(value(kpis.families(noon, true), denominator, { window: '5m' })).toBe(2);
  kpis.restore(state);
  expect(completed(kpis)).toBeUndefined();
  kpis.publish(kpis.save([]));
  expect(completed(kpis)).toBe(1);
  kpis.restart();
  expect(flat(kpis.families(noon, true)).size).toBe(3);
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
  const [place] = kpis.restore(before.save([first.place]));
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

test('counters of a program that counted other things keep what both count; windows begin anew, and say so', () => {
  const before = kpisOf();
  before.finished(run(noon, { costUsd: { llm: 2, tool: 0, review: 0 } }));
  before.watermark.advance(0, noon, noon, noon);
  before.sweep(noon);
  const state = before.save([]);
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
