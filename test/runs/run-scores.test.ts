import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RunAssembler, type RunSettings } from '../../src/runs/run-assembler.ts';
import type { SpanFacts } from '../../src/semconv/span-facts.ts';
import { noScores } from '../../src/semconv/span-facts.ts';
import { runs } from '../property-runs.ts';
import { lane, Reported, settings, span } from './spans.ts';

function assemble(spans: readonly SpanFacts[], given: Partial<RunSettings> = {}): Reported {
  const reported = new Reported();
  const assembler = new RunAssembler({ ...settings, ...given }, reported);
  const from = lane();
  for (const one of spans) {
    assembler.add(one, from);
    assembler.settle();
    assembler.advance(one.endMs);
  }
  assembler.advance(1e9);
  return reported;
}

const root = span({
  spanId: 'root',
  parentSpanId: '',
  step: 'agent',
  agent: 'refund',
  release: '1',
  endMs: 1000,
});
const scored = (
  spanId: string,
  endMs: number,
  scores: Record<string, number>,
  given: Partial<SpanFacts> = {},
) => span({ spanId, parentSpanId: 'root', endMs, scores: new Map(Object.entries(scores)), ...given });

const task = { ...root, runId: 'task' };

/** A span of an evaluator in a trace of its own, of a run in another one. */
const judge = scored(
  'judge',
  2000,
  { helpful: 0.5 },
  {
    traceId: 'evaluation',
    runId: 'task',
    parentSpanId: '',
    step: 'evaluator',
    agent: 'judge',
    release: '99',
    startMs: 1,
  },
);

describe('a run', () => {
  test('has the latest word of each evaluator, and its last word is said in a revision', () => {
    const { finishedRuns, runs: all } = assemble([
      scored('a', 500, { helpful: 0.9, safe: 1 }),
      root,
      scored('b', 400, { helpful: 0.1 }),
      scored('c', 700, { helpful: 0.2 }),
    ]);
    expect(finishedRuns[0]?.scores).toEqual(
      new Map([
        ['helpful', 0.9],
        ['safe', 1],
      ]),
    );
    expect(all[0]?.scores).toEqual(
      new Map([
        ['helpful', 0.2],
        ['safe', 1],
      ]),
    );
  });

  test('keeps what the sixteen evaluators say whose names come first', () => {
    const all = Array.from({ length: 26 }, (_, k) => String.fromCharCode(97 + k));
    const { runs: found } = assemble([
      ...all.toReversed().map((name) => scored(name, 1, { [name]: 1 })),
      root,
    ]);
    expect([...found[0]!.scores.keys()].toSorted()).toEqual(all.slice(0, 16));
  });

  test('without any shares one empty map with all the others', () => {
    expect(assemble([root]).runs[0]?.scores).toBe(noScores);
  });

  test('is neither named, ended nor made worse by whoever judges it from another trace', () => {
    const { runs: all } = assemble([{ ...judge, failed: true, errorType: 'X' }, task]);
    expect(all).toMatchObject([
      { runId: 'task', agent: 'refund', release: '1', outcome: 'completed', endMs: 1000 },
    ]);
    expect(all[0]?.scores).toEqual(new Map([['helpful', 0.5]]));
  });

  test('costs nothing of what its judge and those around it cost, in any order', () => {
    const around = { traceId: 'evaluation', parentSpanId: 'harness' };
    const harness = span({
      ...around,
      spanId: 'harness',
      parentSpanId: '',
      agent: 'harness',
      failed: true,
      endMs: 9000,
    });
    const model = span({
      ...around,
      spanId: 'm',
      step: 'llm',
      costUsd: 5,
      costSource: 'reported',
      endMs: 2500,
    });
    const judging = span({ ...judge, ...around, spanId: 'j', runId: 'task' });
    for (const spans of [
      [task, model, judging, harness],
      [model, judging, task, harness],
      [harness, judging, task, model],
    ]) {
      const found = assemble(spans).runs.toSorted((a, b) => (a.agent < b.agent ? -1 : 1));
      expect(found).toMatchObject([
        { agent: 'harness', outcome: 'failure', costUsd: { llm: 5 } },
        { runId: 'task', agent: 'refund', outcome: 'completed', endMs: 1000, costUsd: { llm: 0 } },
      ]);
      expect(found[1]?.scores).toEqual(new Map([['helpful', 0.5]]));
    }
  });

  test.each<[string, Partial<RunSettings>]>([
    ['remembered', {}],
    ['known by its result alone', { rememberMs: 0 }],
  ])('that ended and is %s takes what is found of it later', (_, given) => {
    const { runs: all, finishedRuns } = assemble([task, span({ runId: 'other', endMs: 1500 }), judge], given);
    expect(finishedRuns.map(({ runId }) => runId).toSorted()).toEqual(['other', 'task']);
    expect(all.find(({ runId }) => runId === 'task')).toMatchObject({ agent: 'refund', endMs: 1000 });
    expect(all.find(({ runId }) => runId === 'task')?.scores).toEqual(new Map([['helpful', 0.5]]));
  });

  test('is none where nothing is known but what an evaluator says of it', () => {
    expect(assemble([judge]).runs).toEqual([]);
    const log = scored('log', 2000, { helpful: 1 }, { step: 'evaluator', log: 'traced' });
    expect(assemble([log]).runs).toEqual([]);
    expect(assemble([judge], { maxRuns: 1 }).runs).toEqual([]);
  });

  const exception = span({ spanId: 'exception', log: 'traced', failed: true, startMs: 50, endMs: 50 });
  const decision = span({ spanId: 'decision', step: 'review', log: 'traced', endMs: 60 });
  test('is none where log records alone tell of its trace, and of no call', () => {
    expect(assemble([exception, decision]).runs).toEqual([]);
    expect(assemble([exception, decision], { maxRuns: 1 }).runs).toEqual([]);
    expect(assemble([exception, root, decision]).runs).toMatchObject([{ outcome: 'completed', version: 3 }]);
  });

  test('did not fail by what a log record says alone that tells of no call', () => {
    const called = logOf({ spanId: 'called', log: 'traced' });
    expect(assemble([exception, called]).runs).toMatchObject([{ outcome: 'unknown' }]);
  });

  test('is none of a trace that was not sampled, whatever log records tell of it, and no call is', () => {
    const call = logOf({ spanId: 'call', log: 'unsampled' });
    const model = llm('model', 100, 2, { log: 'unsampled', failed: true });
    const score = scored('score', 70, { helpful: 1 }, { step: 'evaluator', log: 'unsampled' });
    const { runs: all, calls } = assemble([call, model, { ...exception, log: 'unsampled' }, score]);
    expect([all, calls]).toEqual([[], []]);
    expect(assemble([score, root]).runs).toMatchObject([{ scores: new Map([['helpful', 1]]) }]);
  });

  test('is one where an evaluator is all there is of its own trace', () => {
    const { runs: all } = assemble([
      scored('e', 10, { helpful: 1 }, { parentSpanId: '', step: 'evaluator' }),
    ]);
    expect(all).toMatchObject([{ outcome: 'completed', closedBy: 'root' }]);
  });
});

test('property: the scores of a run are the same in whatever order and however often its spans come, and few', () => {
  const names = Array.from({ length: 30 }, (_, k) => `evaluator ${k}`);
  const spans = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom(...names), fc.constantFrom(0, 0.5, 1)), {
      minLength: 1,
      maxLength: 60,
    })
    .map((all) => all.map(([endMs, name, score], k) => scored(`s${k}`, endMs, { [name]: score })));
  fc.assert(
    fc.property(
      spans.chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: 2 * all.length })),
      ),
      ([all, shuffled]) => {
        const [run] = assemble([...all, root]).runs;
        expect(run!.scores.size).toBeLessThanOrEqual(16);
        expect(Object.fromEntries(assemble([root, ...shuffled]).runs[0]!.scores)).toEqual(
          Object.fromEntries(run!.scores),
        );
      },
    ),
    { numRuns: runs },
  );
});

const spanOf = (given: Partial<SpanFacts> = {}) =>
  span({
    spanId: 'span',
    parentSpanId: 'root',
    step: 'tool',
    tool: 'Bash',
    toolCallId: 'c1',
    result: 'ok',
    startMs: 100,
    endMs: 300,
    ...given,
  });

const logOf = (given: Partial<SpanFacts> = {}) =>
  spanOf({ spanId: 'log', startMs: 310, endMs: 310, log: 'traced', ...given });

const callsOf = (...spans: readonly SpanFacts[]) =>
  assemble(spans).calls.map(({ tool, result, durationMs }) => [tool, result, durationMs]);

describe('a tool call that a span and a log record tell of', () => {
  test.each([
    ['at once', [spanOf(), logOf(), root]],
    ['at once, the other way', [logOf(), spanOf(), root]],
    ['when it was counted', [spanOf(), root, logOf()]],
    [
      'when its call and the execution in it were counted',
      [spanOf(), root, logOf(), logOf({ spanId: 'again' })],
    ],
  ])('is one, and lasted as long as the span says: %s', (_, spans) => {
    expect(callsOf(...spans)).toEqual([['Bash', 'ok', 200]]);
  });

  test('is one when the log record was counted before the spans came', () => {
    const execution = spanOf({ spanId: 'execution', parentSpanId: 'span', toolCallId: '', tool: '' });
    expect(callsOf(logOf(), root, spanOf(), execution)).toEqual([['Bash', 'ok', 0]]);
  });

  test('failed when the log record says so', () => {
    expect(callsOf(spanOf(), logOf({ result: 'error' }), root)).toEqual([['Bash', 'error', 200]]);
  });

  const first = spanOf({ spanId: 'first', result: 'error' });
  const second = spanOf({ spanId: 'second', startMs: 300, endMs: 600 });
  const logOfFirst = logOf({ startMs: 301, endMs: 301, result: 'error' });
  const logOfSecond = logOf({ spanId: 'log2', startMs: 601, endMs: 601 });
  test.each<[string, SpanFacts[], string]>([
    ['of the first attempt alone', [first, second, logOfFirst], 'ok'],
    ['of the first attempt that came before it', [logOfFirst, second, first], 'ok'],
    ['of both attempts', [first, second, logOfSecond, logOfFirst], 'ok'],
    ['of a first attempt of which no span tells', [{ ...second, startMs: 310 }, logOfFirst], 'ok'],
    ['of the second attempt', [first, second, { ...logOfSecond, result: 'error' }], 'error'],
    ['of a whole millisecond', [spanOf({ startMs: 301.7, endMs: 301.9 }), logOfFirst], 'error'],
  ])('went as its last attempt did with the log records %s', (_, spans, result) => {
    const { calls } = assemble([...spans, root]);
    expect(calls).toMatchObject([{ result, attempts: spans.length > 2 || result === 'ok' ? 2 : 1 }]);
  });

  test('is two where the ids differ or nobody says any', () => {
    expect(callsOf(spanOf(), logOf({ toolCallId: 'c2' }), root)).toHaveLength(2);
    expect(callsOf(spanOf({ toolCallId: '' }), logOf({ toolCallId: '' }), root)).toHaveLength(2);
  });

  test('did not run when a log record says that a human refused it', () => {
    const no = span({
      spanId: 'no',
      step: 'review',
      toolCallId: 'c1',
      log: 'traced',
      escalationReason: 'approval',
      escalationState: 'rejected',
    });
    expect(callsOf(no, logOf({ result: 'error' }), root)).toEqual([['Bash', 'rejected', 0]]);
    expect(callsOf(no, spanOf({ toolCallId: 'c2' }), root)).toEqual([['Bash', 'ok', 200]]);
  });
});

const answerOf = (escalationState: 'rejected' | 'requested' | 'approved', given: Partial<SpanFacts>) =>
  span({
    spanId: 'answer',
    parentSpanId: 'span',
    step: 'review',
    escalationReason: 'approval',
    escalationState,
    endMs: 90,
    ...given,
  });

const costOf = (...spans: readonly SpanFacts[]) => assemble(spans).runs[0]?.costUsd.tool;

describe('a tool call of which the price is stated', () => {
  const price = { costUsd: 0.5, costSource: 'static' } as const;
  const paid = (given: Partial<SpanFacts> = {}) => spanOf({ ...price, ...given });
  const paidLog = (given: Partial<SpanFacts> = {}) => logOf({ ...price, ...given });
  const told = { toolCallId: 'c1', parentSpanId: 'root', log: 'traced' } as const;

  test('costs once where a span and a log record tell of it, whichever comes when', () => {
    expect(costOf(paid(), paidLog(), root)).toBe(0.5);
    expect(costOf(paidLog(), root, paid())).toBe(0.5);
    expect(costOf(paidLog(), paid({ toolCallId: 'c2' }), root)).toBe(1);
    expect(costOf(paidLog({ toolCallId: '' }), paid({ toolCallId: '' }), root)).toBe(1);
  });

  test('costs once where two spans with its id tell of it at one time, and each attempt costs', () => {
    const server = paid({ spanId: 'server', parentSpanId: 'elsewhere', startMs: 150, endMs: 250 });
    expect(costOf(paid(), server, root)).toBe(0.5);
    expect(costOf(server, paid(), paidLog(), root)).toBe(0.5);
    const again = paid({ spanId: 'again', startMs: 400, endMs: 500 });
    expect(costOf(paid({ result: 'error' }), again, paidLog(), root)).toBe(1);
  });

  test.each([
    ['in a review below it', {}],
    ['in a log record', told],
  ])('costs nothing when a human refused it or did not answer %s', (_, where) => {
    expect(costOf(paid(), answerOf('rejected', where), root)).toBe(0);
    expect(costOf(answerOf('requested', where), paid(), paidLog(), root)).toBe(0);
    expect(costOf(paid(), root, answerOf('rejected', where))).toBe(0);
    expect(costOf(paid(), answerOf('approved', where), root)).toBe(0.5);
    expect(costOf(paid({ costSource: 'reported' }), answerOf('rejected', where), root)).toBe(0.5);
    const other = paid({ spanId: 'other', toolCallId: 'c2' });
    expect(costOf(paid(), other, answerOf('rejected', where), root)).toBe(0.5);
  });

  test('costs nothing when it was refused around the span that costs', () => {
    const execution = paid({ spanId: 'execution', parentSpanId: 'span', toolCallId: '', tool: '' });
    expect(costOf(execution, paid(), answerOf('rejected', told), root)).toBe(0);
    expect(costOf(execution, paid(), root)).toBe(0.5);
  });
});

const llm = (spanId: string, inputTokens: number, costUsd: number, given: Partial<SpanFacts> = {}) =>
  span({
    spanId,
    parentSpanId: 'root',
    step: 'llm',
    inputTokens,
    outputTokens: 10,
    costUsd,
    costSource: 'computed',
    ...given,
  });

describe('the cost of model calls that spans and log records tell of', () => {
  test('is what the log records say, and no call counts twice', () => {
    const log = llm('log', 100, 2, { log: 'traced', costSource: 'reported' });
    const [run] = assemble([llm('a', 100, 1), log, llm('b', 200, 4), root]).runs;
    expect(run).toMatchObject({ costUsd: { llm: 6 }, inputTokens: 300, outputTokens: 20 });
  });

  test('is known where a log record says it though the span has no price', () => {
    const log = llm('log', 100, 2, { log: 'traced', costSource: 'reported' });
    const unpriced = llm('a', 100, 0, { costUsd: undefined, costSource: 'unpriced' });
    expect(assemble([unpriced, log, root]).runs[0]).toMatchObject({ costUsd: { llm: 2 }, priced: true });
  });
});

const told = (spanId: string, endMs: number, failed: boolean) =>
  span({ spanId, parentSpanId: 'nobody', step: 'llm', log: 'untraced', endMs, failed });

describe('a run of which only log records without a trace tell', () => {
  test('ends when nothing more comes, as its latest model call did', () => {
    expect(assemble([told('a', 10, true), told('b', 20, false)]).runs).toMatchObject([
      { closedBy: 'idle', outcome: 'completed' },
    ]);
    expect(assemble([told('b', 20, true), told('a', 10, false)]).runs).toMatchObject([
      { outcome: 'failure' },
    ]);
  });

  test('says nothing of how a traced run ended whose root never came', () => {
    expect(assemble([span({ spanId: 'x', step: 'llm', log: 'traced', endMs: 10 })]).runs).toMatchObject([
      { outcome: 'unknown' },
    ]);
  });
});
