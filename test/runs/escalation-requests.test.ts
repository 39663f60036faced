import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FinishedRun } from '../../src/runs/finished-run.ts';
import { RunAssembler } from '../../src/runs/run-assembler.ts';
import type { SpanFacts } from '../../src/semconv/span-facts.ts';
import { escalationReasons, escalationResolutions, escalationStates } from '../../src/semconv/vocabulary.ts';
import { kpisOf, published } from '../kpi/events.ts';
import { runs } from '../property-runs.ts';
import { lane, settings, span } from './spans.ts';

const root = span({ spanId: 'root', parentSpanId: '', step: 'agent', endMs: 90_000 });

const asking = {
  startS: fc.integer({ min: 1, max: 20 }),
  lastsS: fc.integer({ min: 0, max: 20 }),
  isOpen: fc.boolean(),
};
const reason = fc.constantFrom('approval', 'guardrail');
const answer = fc.constantFrom('approved', 'modified', 'rejected', 'timed_out');
const state = fc.constantFrom(...escalationStates);

/** Spans of which some are in another one; those say nothing that contradicts it. A log record may repeat one. */
const nested = fc
  .array(
    fc.record({
      reason,
      answer,
      spans: fc.array(fc.record({ ...asking, isLogged: fc.boolean() }), { minLength: 1, maxLength: 3 }),
    }),
    { maxLength: 4 },
  )
  .map((nests) =>
    nests.flatMap((nest, i) =>
      nest.spans.flatMap(({ startS, lastsS, isOpen, isLogged }, k) => {
        const said = span({
          spanId: `${i}.${k}`,
          parentSpanId: k === 0 ? 'root' : `${i}.0`,
          startMs: startS * 1000,
          endMs: (startS + lastsS) * 1000,
          escalationReason: nest.reason,
          escalationState: isOpen ? 'requested' : nest.answer,
        });
        const log = { ...said, spanId: `log ${said.spanId}`, log: 'traced' } as const;
        return isLogged ? [said, log] : [said];
      }),
    ),
  );

/** Spans that are in each other anyhow, in circles, too. */
const anyhow = fc
  .array(fc.record({ ...asking, reason, state, parent: fc.nat(9), isLog: fc.boolean() }), { maxLength: 9 })
  .map((all) =>
    all.map(({ startS, lastsS, parent, isLog, ...said }, i) =>
      span({
        spanId: `${i}`,
        parentSpanId: `${parent}`,
        startMs: startS * 1000,
        endMs: (startS + lastsS) * 1000,
        escalationReason: said.reason,
        escalationState: said.state,
        ...(isLog && { log: 'traced' }),
      }),
    ),
  );

const withOrder = (spans: fc.Arbitrary<readonly SpanFacts[]>) =>
  spans.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray([...all], { minLength: all.length })));

/** How many requests the reports of a run say and how many a counter counts, by reason, when its spans come in this order. */
function told(spans: readonly SpanFacts[]): { reports: readonly number[][]; counted: readonly number[] } {
  const kpis = kpisOf();
  const reports: number[][] = [];
  const report = ({ escalationRequests: requests }: FinishedRun): void => {
    const width = escalationResolutions.length;
    const sum = (at: number): number =>
      requests.slice(at * width, (at + 1) * width).reduce((all, count) => all + count, 0);
    reports.push(escalationReasons.map((_, at) => sum(at)));
  };
  const assembler = new RunAssembler(settings, {
    seen: () => {},
    absorbed: () => {},
    toolCall: () => {},
    finished: (run) => {
      kpis.finished(run);
      report(run);
    },
    revised: (before, after) => {
      kpis.revised(before, after);
      report(after);
    },
  });
  const from = lane();
  for (const one of spans) {
    assembler.add(one, from);
    assembler.settle();
  }
  const { samples } = published(kpis, 91_000).find(
    ({ name }) => name === 'plimsoll_escalation_requests_total',
  )!;
  const counted = escalationReasons.map((name) =>
    samples
      .filter(({ labels }) => labels.some(([key, value]) => key === 'reason' && value === name))
      .reduce((sum, { value }) => sum + value, 0),
  );
  return { reports, counted };
}

test('property: a human was asked as often, whether spans come before the end of the run or after it, in any order', () => {
  fc.assert(
    fc.property(withOrder(nested), ([spans, shuffled]) => {
      const { counted } = told([...spans, root]);
      expect(told([root, ...shuffled]).counted).toEqual(counted);
    }),
    { numRuns: runs },
  );
});

test('property: whatever spans say of each other, the most that was reported is counted, and no more', () => {
  fc.assert(
    fc.property(withOrder(anyhow), ([, shuffled]) => {
      const { reports, counted } = told([root, ...shuffled]);
      expect(counted).toEqual(escalationReasons.map((_, at) => Math.max(...reports.map((all) => all[at]!))));
    }),
    { numRuns: runs },
  );
});
