import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Judge, type JudgeState } from '../../src/judge/judge.ts';
import { runs as cases } from '../property-runs.ts';
import { oracleTrajectory, type OracleRun } from './oracle.ts';
import { agent, environment, good, minuteMs, noonMs, rulesWith } from './releases.ts';

const ticks = 90;
const holdMs = 30_000;
const tickMs = minuteMs;

const deadlines = [3 * minuteMs, 15 * minuteMs];
const seconds = (most: number) => fc.integer({ min: 0, max: most });

/** A minute's runs: of the candidate, of the baseline; each begins at a second and takes so many. */
const run = fc.record({ at: seconds(59), takes: fc.oneof(seconds(20), seconds(1200)), isBad: fc.boolean() });
const tick = fc.record({
  candidate: fc.array(run, { maxLength: 3 }),
  baseline: fc.array(run, { maxLength: 6 }),
});
const story = fc.record({
  ticks: fc.array(tick, { minLength: 1, maxLength: 25 }),
  quietAfter: fc.constantFrom(0, 0, 5, 58, 62),
  deadlineMs: fc.constantFrom(...deadlines),
  prior: fc.constantFrom(0.02, 0.08, 0.5),
  restarts: fc.array(fc.integer({ min: 1, max: ticks - 1 }), { maxLength: 3 }),
  shuffle: fc.integer(),
  advances: fc.boolean(),
});

type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

/** A run ends at its deadline, which is when a tick closes. */
const endsAtDeadline: Story = {
  ticks: [
    {
      candidate: [{ at: 30, takes: 180, isBad: false }],
      baseline: [1, 2].map((at) => ({ at, takes: 1, isBad: false })),
    },
  ],
  quietAfter: 0,
  deadlineMs: 180_000,
  prior: 0.08,
  restarts: [],
  shuffle: 1,
  advances: true,
};

/** The runs of a story. A candidate comes in the first minute: then its judgement begins. */
function runsOf({ ticks: told, quietAfter }: Story): readonly OracleRun[] {
  return told.flatMap(({ candidate, baseline }, i) => {
    const minute = i < 3 ? i : i + quietAfter;
    const one = (isCandidate: boolean) => (one_: { at: number; takes: number; isBad: boolean }) => {
      const seenMs = noonMs + minute * minuteMs + one_.at * 1000;
      return { isCandidate, seenMs, endedMs: seenMs + one_.takes * 1000, isBad: one_.isBad };
    };
    const first = i === 0 ? [{ at: 1, takes: 1, isBad: false }] : [];
    return [...[...first, ...candidate].map(one(true)), ...baseline.map(one(false))];
  });
}

interface Given {
  readonly timeMs: number;
  readonly order: number;
  readonly give: (judge: Judge) => void;
}

function eventsOf(runs: readonly OracleRun[], shuffle: number): readonly Given[] {
  const events: Given[] = [];
  // The baseline is there before, so that it is the incumbent.
  const all = [
    ...Array.from({ length: 10 }, () => ({
      isCandidate: false,
      seenMs: noonMs - minuteMs,
      endedMs: noonMs - minuteMs,
      isBad: true,
    })),
    ...runs,
  ];
  for (const [slot, { isCandidate, seenMs, endedMs, isBad }] of all.entries()) {
    const order = Math.imul(slot + 1, shuffle | 1) >>> 0;
    const labels = { slot, agent, environment, release: isCandidate ? '2' : '1', sessionId: '', userId: '' };
    const result = { ...labels, ...good, outcome: isBad ? 'failure' : 'completed' } as const;
    const seen = (judge: Judge): void => judge.seen(labels, seenMs);
    const finished = (judge: Judge): void => judge.finished(result, endedMs);
    events.push(
      { timeMs: seenMs, order, give: seen },
      { timeMs: endedMs, order: order + 0.5, give: finished },
    );
    if (shuffle % 2 === 0) {
      events.push({ timeMs: endedMs, order: order + 0.6, give: finished });
      if (endedMs > seenMs) events.push({ timeMs: seenMs, order: order + 0.1, give: seen });
    }
  }
  // Within a tick, runs come in any order, but each begins before it ends.
  return events.toSorted((a, b) => {
    const [tickA, tickB] = [Math.floor(a.timeMs / tickMs), Math.floor(b.timeMs / tickMs)];
    return tickA - tickB || a.order - b.order;
  });
}

/** What the judge says as each tick closes. */
function judged(told: Story): readonly number[] {
  const rules = rulesWith({
    deadlineMs: told.deadlineMs,
    kpis: [{ kpi: 'run_success', weight: 1, reference: told.prior, floor: 0.3 }],
  });
  let judge = new Judge(() => rules);
  let events = eventsOf(runsOf(told), told.shuffle);
  const trajectory: number[] = [];
  for (let i = 0; i < ticks; i++) {
    const closesMs = noonMs + (i + 1) * tickMs + holdMs;
    // A tick's events are given whole before time moves on, often only when the next tick is half over.
    const untilMs = told.advances ? closesMs : noonMs + (i + 2) * tickMs;
    for (const { give } of events.filter(({ timeMs }) => timeMs < untilMs)) give(judge);
    events = events.filter(({ timeMs }) => timeMs >= untilMs);
    judge.advance(closesMs);
    const evidence = judge
      .standings()
      .find(({ release }) => release === '2')
      ?.tests.find(({ test: name }) => name === 'worse');
    trajectory.push(evidence?.logEvidence ?? Number.NaN);
    if (!told.restarts.includes(i)) continue;
    const saved: JudgeState = deserialize(serialize(judge.save()));
    judge = new Judge(() => rules);
    judge.restore(saved);
  }
  return trajectory;
}

test('the judge says what an implementation of its own says, however runs are mixed, given twice, late, and with restarts', () => {
  fc.assert(
    fc.property(story, (told) => {
      const oracle = oracleTrajectory(runsOf(told), noonMs, ticks, {
        prior: told.prior,
        tickMs,
        holdMs,
        deadlineMs: told.deadlineMs,
      });
      for (const [i, evidence] of judged(told).entries())
        expect(Math.abs(evidence - oracle[i]!), `tick ${i}: ${evidence} is ${oracle[i]}`).toBeLessThan(1e-9);
    }),
    { numRuns: Math.ceil(cases / 5), examples: [[endsAtDeadline]] },
  );
});
