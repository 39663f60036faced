import { deserialize, serialize } from 'node:v8';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FinishedRun, RunSink, SeenRun } from '../../src/runs/finished-run.ts';
import { RunAssembler, type AssemblerState } from '../../src/runs/run-assembler.ts';
import { runRow } from '../../src/runs/run-row.ts';
import type { SpanFacts } from '../../src/semconv/span-facts.ts';
import { runs } from '../property-runs.ts';
import { lane, Reported, settings, span } from './spans.ts';

/** Adds `spans` as one record each and returns what was reported. */
function assemble(spans: readonly SpanFacts[], watermarkMs?: number, given = settings): Reported {
  const reported = new Reported();
  const assembler = new RunAssembler(given, reported);
  const from = lane();
  for (const one of spans) {
    assembler.add(one, from);
    assembler.settle();
  }
  if (watermarkMs !== undefined) assembler.advance(watermarkMs);
  return reported;
}

const root = span({
  spanId: 'root',
  parentSpanId: '',
  step: 'agent',
  agent: 'refund',
  startMs: 1000,
  endMs: 9000,
});
const call = span({
  spanId: 'call',
  parentSpanId: 'root',
  step: 'tool',
  tool: 'pay',
  result: 'ok',
  startMs: 2000,
  endMs: 3000,
});

/** A human's answer to whether `call` may be made. */
function answer(escalationState: 'rejected' | 'aborted' | 'approved'): SpanFacts {
  return span({
    spanId: 'asked',
    parentSpanId: 'call',
    step: 'review',
    escalationReason: 'approval',
    escalationState,
    startMs: 2100,
    endMs: 2900,
  });
}

/** How often a human was asked in the run of `spans` and `root`. */
function requests(...spans: SpanFacts[]): number {
  return assemble([...spans, root]).finishedRuns[0]?.escalationRequests.reduce((a, b) => a + b, 0) ?? NaN;
}

describe('a run', () => {
  test('ends with its root span, at the end of it', () => {
    const { finishedRuns } = assemble([call, root]);
    expect(finishedRuns).toMatchObject([
      { runId: 'trace', agent: 'refund', outcome: 'completed', closedMs: 9000, closedBy: 'root' },
    ]);
  });

  test('is reported once, and revised when its root came before its other spans', () => {
    const model = span({
      spanId: 'model',
      parentSpanId: 'root',
      step: 'llm',
      costUsd: 0.5,
      costSource: 'computed',
    });
    const reported = assemble([root, model]);
    expect(reported.finishedRuns).toHaveLength(1);
    expect(reported.runs).toMatchObject([{ outcome: 'completed', closedMs: 9000, costUsd: { llm: 0.5 } }]);
  });

  test('without a root ends by timeout, that long after its last span', () => {
    const orphan = span({ spanId: 'a', step: 'llm', endMs: 5000 });
    expect(assemble([orphan], 304_999).finishedRuns).toEqual([]);
    expect(assemble([orphan], 305_000).finishedRuns).toMatchObject([
      { outcome: 'unknown', closedMs: 305_000, closedBy: 'idle' },
    ]);
  });

  test('whose topmost span that arrived failed is a failure, whatever came of the root', () => {
    const agent = span({ spanId: 'agent', parentSpanId: 'lost', step: 'agent', failed: true });
    const tool = span({
      spanId: 'tool',
      parentSpanId: 'agent',
      step: 'tool',
      tool: 'x',
      result: 'error',
      failed: true,
    });
    expect(assemble([tool, agent], 1e9).finishedRuns).toMatchObject([{ outcome: 'failure' }]);
  });

  test('whose topmost agent span ended well is completed, for its root may belong to somebody else', () => {
    const agent = span({ spanId: 'agent', parentSpanId: 'gateway', step: 'agent' });
    const inner = span({ spanId: 'inner', parentSpanId: 'agent', step: 'agent', failed: true });
    expect(assemble([inner, agent], 1e9).finishedRuns).toMatchObject([{ outcome: 'completed' }]);
  });

  test('of which only a failed tool call arrived did not provably fail', () => {
    const tool = span({
      spanId: 'tool',
      parentSpanId: 'lost',
      step: 'tool',
      tool: 'x',
      result: 'error',
      failed: true,
    });
    expect(assemble([tool], 1e9).finishedRuns).toMatchObject([{ outcome: 'unknown' }]);
  });

  test('does not fail because a tool call failed', () => {
    const failed = { ...call, result: 'error', failed: true } as const;
    const { finishedRuns, calls } = assemble([failed, root]);
    expect(finishedRuns).toMatchObject([{ outcome: 'completed' }]);
    expect(calls).toMatchObject([{ tool: 'pay', result: 'error', durationMs: 1000 }]);
  });

  test('fails with its root', () => {
    expect(assemble([call, { ...root, failed: true }]).finishedRuns).toMatchObject([
      { outcome: 'failure', evidence: 'none' },
    ]);
  });

  test('takes the outcome that was said, the strongest evidence first', () => {
    const said = span({ spanId: 'a', outcome: 'success', evidence: 'app', endMs: 2 });
    const judged = span({ spanId: 'b', outcome: 'abandoned', evidence: 'human', endMs: 1 });
    expect(assemble([judged, said, { ...root, failed: true }]).finishedRuns).toMatchObject([
      { outcome: 'abandoned', evidence: 'human' },
    ]);
  });

  test('in which a human was asked and never answered is escalated', () => {
    const asked = span({
      spanId: 'q',
      escalationReason: 'approval',
      escalationState: 'requested',
      endMs: 5000,
    });
    expect(assemble([asked, root]).finishedRuns).toMatchObject([
      { outcome: 'escalated', escalationReason: 'approval' },
    ]);
  });

  test('in which a human answered, or work went on, is not escalated but says that one was asked', () => {
    const asked = span({
      spanId: 'q',
      escalationReason: 'approval',
      escalationState: 'requested',
      endMs: 5000,
    });
    const answered = span({
      spanId: 'r',
      escalationReason: 'approval',
      escalationState: 'approved',
      endMs: 6000,
    });
    const worked = span({ spanId: 's', step: 'llm', startMs: 6000, endMs: 7000 });
    for (const spans of [
      [asked, answered, root],
      [worked, asked, root],
    ]) {
      expect(assemble(spans).finishedRuns).toMatchObject([
        { outcome: 'completed', escalationReason: 'approval' },
      ]);
    }
  });

  test('says how often a human was asked, once where a log record repeats it', () => {
    const asked = { escalationReason: 'approval', escalationState: 'approved', step: 'review' } as const;
    const inSpan = span({ ...asked, spanId: 'p', parentSpanId: 'call', endMs: 2900 });
    const inLog = span({ ...asked, spanId: 'q', parentSpanId: 'root', log: 'traced', endMs: 2900 });
    const more = span({ ...asked, spanId: 'r', parentSpanId: 'root', log: 'traced', endMs: 3900 });
    expect(requests(call)).toBe(0);
    for (const spans of [
      [inSpan, inLog],
      [inLog, inSpan],
    ])
      expect(requests(call, ...spans)).toBe(1);
    expect(requests(call, inSpan, inLog, more)).toBe(2);
    expect(requests(inLog, more)).toBe(2);
  });

  test('that was handed to a human stays escalated although the model said goodbye', () => {
    const handoff = span({
      spanId: 'q',
      escalationReason: 'human_handoff',
      escalationState: 'requested',
      endMs: 5000,
    });
    const goodbye = span({ spanId: 's', step: 'llm', startMs: 6000, endMs: 7000 });
    expect(assemble([handoff, goodbye, root]).finishedRuns).toMatchObject([{ outcome: 'escalated' }]);
  });

  test('with an id of its own is one run over two traces, however long the approval took', () => {
    const first = { traceId: 't1', runId: 'order-7' };
    const second = { traceId: 't2', runId: 'order-7' };
    const reported = assemble([
      span({
        ...first,
        spanId: 'q',
        escalationReason: 'approval',
        escalationState: 'requested',
        endMs: 4000,
      }),
      span({ ...first, spanId: 'r1', parentSpanId: '', endMs: 5000 }),
      span({
        ...second,
        spanId: 'a',
        escalationReason: 'approval',
        escalationState: 'approved',
        endMs: 200_000,
      }),
      span({ ...second, spanId: 'r2', parentSpanId: '', endMs: 210_000 }),
    ]);
    expect(reported.finishedRuns).toMatchObject([
      { runId: 'order-7', outcome: 'completed', closedMs: 210_000 },
    ]);
  });

  test('takes in what came of its traces before a span of them named it', () => {
    const usage = { step: 'llm', costUsd: 0.25, costSource: 'computed', inputTokens: 10 } as const;
    const reported = assemble([
      span({ ...usage, traceId: 't1', spanId: 'm1', parentSpanId: 'r1', endMs: 3000 }),
      span({
        traceId: 't1',
        spanId: 'q',
        escalationReason: 'approval',
        escalationState: 'requested',
        endMs: 4000,
      }),
      span({ traceId: 't1', runId: 'order-7', spanId: 'r1', parentSpanId: '', endMs: 5000 }),
      span({
        ...usage,
        traceId: 't2',
        spanId: 'm2',
        parentSpanId: 'r2',
        startMs: 204_000,
        endMs: 205_000,
      }),
      span({
        traceId: 't2',
        spanId: 'c2',
        parentSpanId: 'r2',
        step: 'tool',
        tool: 'pay',
        result: 'ok',
        endMs: 206_000,
      }),
      span({
        traceId: 't2',
        runId: 'order-7',
        spanId: 'r2',
        parentSpanId: '',
        agent: 'refund',
        endMs: 210_000,
      }),
      span({ ...usage, traceId: 't2', spanId: 'm3', parentSpanId: 'r2', endMs: 209_000 }),
    ]);
    expect(reported.runs).toMatchObject([
      { runId: 'order-7', closedMs: 210_000, costUsd: { llm: 0.75 }, inputTokens: 30, version: 7 },
    ]);
    expect(reported.calls).toMatchObject([{ tool: 'pay', agent: 'refund' }]);
  });

  test('takes in a trace that came before, of another partition, too', () => {
    const reported = new Reported();
    const assembler = new RunAssembler(settings, reported);
    const [first, second] = [lane(), lane()];
    assembler.add(span({ traceId: 't1', runId: 'order-7', spanId: 'a' }), first);
    assembler.add(span({ traceId: 't2', spanId: 'b' }), second);
    assembler.add(span({ traceId: 't2', runId: 'order-7', spanId: 'c' }), second);
    expect(assembler.openRuns).toBe(1);
    assembler.advance(1e9);
    expect(reported.finishedRuns).toMatchObject([{ runId: 'order-7', version: 3 }]);
  });

  test('costs what its innermost model calls cost, never the sum over spans that repeat it', () => {
    const cost = {
      step: 'llm',
      costUsd: 0.1,
      costSource: 'computed',
      inputTokens: 100,
      outputTokens: 10,
    } as const;
    const { finishedRuns } = assemble([
      span({ ...cost, spanId: 'inner', parentSpanId: 'outer' }),
      span({ ...cost, spanId: 'outer', parentSpanId: 'root' }),
      span({ ...cost, spanId: 'other', parentSpanId: 'root' }),
      { ...root, costUsd: 0.2, inputTokens: 200, outputTokens: 20 },
    ]);
    expect(finishedRuns).toMatchObject([
      { costUsd: { llm: 0.2 }, inputTokens: 200, outputTokens: 20, priced: true },
    ]);
  });

  test('costs what its tool calls cost, once where several spans tell of one call, in any order', () => {
    const cost = { step: 'tool', result: 'ok', costUsd: 1, costSource: 'static' } as const;
    const spans = [
      span({ ...cost, spanId: 'client', parentSpanId: 'root', tool: 'search' }),
      span({ ...cost, spanId: 'server', parentSpanId: 'client', tool: 'search' }),
      span({ ...cost, spanId: 'execution', parentSpanId: 'server', tool: '' }),
      span({ ...cost, spanId: 'outer', parentSpanId: 'root', tool: 'research', costUsd: 4 }),
      span({ ...cost, spanId: 'within', parentSpanId: 'outer', tool: 'search' }),
      span({ ...cost, spanId: 'again', parentSpanId: 'outer', tool: 'search' }),
      root,
    ];
    const order = fc.shuffledSubarray(spans, { minLength: spans.length });
    fc.assert(
      fc.property(order, (shuffled) => {
        expect(assemble(shuffled).runs).toMatchObject([{ costUsd: { tool: 7, llm: 0 } }]);
      }),
      { numRuns: runs },
    );
  });

  test('costs what tool calls cost that it does not remember', () => {
    const reported = new Reported();
    const assembler = new RunAssembler({ ...settings, maxSpansPerRun: 1 }, reported);
    const from = lane();
    for (const spanId of ['a', 'b', 'c'])
      assembler.add(span({ spanId, step: 'tool', tool: 't', result: 'ok', costUsd: 1 }), from);
    assembler.add(root, from);
    assembler.settle();
    expect(reported.runs).toMatchObject([{ costUsd: { tool: 3 } }]);
  });

  test('with a call of unknown price says that its cost is a lower bound', () => {
    const model = span({ spanId: 'm', step: 'llm', costSource: 'unpriced', inputTokens: 5 });
    expect(assemble([model, root]).finishedRuns).toMatchObject([{ priced: false, inputTokens: 5 }]);
  });

  test('that ended long ago is not counted again for a span that comes too late to change its end', () => {
    const reported = new Reported();
    const assembler = new RunAssembler(settings, reported);
    const from = lane();
    assembler.add(root, from);
    assembler.settle();
    assembler.advance(9000 + settings.rememberMs);
    expect(assembler.size).toBe(0);
    assembler.add(call, from);
    assembler.add(span({ spanId: 'm', step: 'llm', costUsd: 0.25, costSource: 'reported' }), from);
    assembler.settle();
    assembler.advance(1e9);
    expect(reported.finishedRuns).toHaveLength(1);
    expect(reported.calls).toMatchObject([{ agent: 'refund', tool: 'pay' }]);
    expect(reported.runs).toMatchObject([{ outcome: 'completed', costUsd: { llm: 0.25 } }]);
  });

  test('that ended long ago takes the word of who confirms it later, and the word alone makes no run', () => {
    const reported = new Reported();
    const assembler = new RunAssembler(settings, reported);
    const from = lane();
    const word = span({ spanId: 'word', outcome: 'success', evidence: 'human', endMs: 500_000 });
    assembler.add(root, from);
    assembler.settle();
    assembler.advance(9000 + settings.rememberMs);
    assembler.add(word, from);
    expect(reported.runs).toMatchObject([
      { outcome: 'success', evidence: 'human', version: 2, closedMs: 9000 },
    ]);
    assembler.advance(9000 + settings.rememberIdleMs);
    assembler.add({ ...word, spanId: 'later' }, from);
    assembler.advance(1e9);
    expect(reported.finishedRuns).toHaveLength(1);
    expect(assembler.counts.discarded).toBe(1);
  });

  test('that ended before a span of its trace named it stays the run, and is found by that name', () => {
    const reported = assemble([
      { ...root, traceId: 't1', runId: 't1' },
      span({ traceId: 't1', runId: 'order-7', spanId: 'm', step: 'llm', costUsd: 1, costSource: 'reported' }),
      span({ traceId: 't2', runId: 'order-7', spanId: 'n', step: 'llm', costUsd: 1, costSource: 'reported' }),
    ]);
    expect(reported.runs).toMatchObject([{ runId: 't1', agent: 'refund', costUsd: { llm: 2 }, version: 3 }]);
  });

  test('that timed out is corrected when its root comes after all', () => {
    const reported = new Reported();
    const assembler = new RunAssembler(settings, reported);
    const from = lane();
    assembler.add(call, from);
    assembler.settle();
    assembler.advance(400_000);
    assembler.add({ ...root, endMs: 600_000 }, from);
    assembler.settle();
    expect(reported.finishedRuns).toMatchObject([{ outcome: 'unknown', closedMs: 303_000 }]);
    expect(reported.runs).toMatchObject([{ outcome: 'completed', closedMs: 600_000, closedBy: 'root' }]);
  });
});

describe('tool calls', () => {
  test('carry the agent that the root names, not the service of their own span', () => {
    const own = { ...call, agent: 'orders-service' };
    expect(assemble([own, root]).calls).toMatchObject([{ agent: 'refund', tool: 'pay' }]);
  });

  test('do not wait for the root of a long run', () => {
    const own = { ...call, agent: 'orders-service' };
    const { calls, finishedRuns } = assemble([own], 3000 + settings.holdMs);
    expect(finishedRuns).toEqual([]);
    expect(calls).toMatchObject([{ agent: 'orders-service', tool: 'pay' }]);
  });

  test('seen by client and server are one call, which took what the server took', () => {
    const server = { ...call, spanId: 'server', parentSpanId: 'call', startMs: 2500 };
    expect(assemble([server, call, root]).calls).toMatchObject([{ durationMs: 500, endMs: 3000 }]);
  });

  test('seen by a server whose clock is ahead of the client are one call all the same', () => {
    const server = { ...call, spanId: 'server', parentSpanId: 'call', startMs: 1500, endMs: 1600 };
    expect(assemble([server, call, root]).calls).toMatchObject([{ durationMs: 100 }]);
  });

  test('whose inner span failed or has no name are the outer call, and failed', () => {
    const execution = { ...call, spanId: 'e', parentSpanId: 'call', tool: '', result: 'error' } as const;
    expect(assemble([execution, call, root]).calls).toMatchObject([{ tool: 'pay', result: 'error' }]);
  });

  test('whose inner spans failed and then went well went well, unless the outer one failed', () => {
    const first = { ...call, spanId: 'a', parentSpanId: 'call', result: 'error', endMs: 2400 } as const;
    const second = { ...call, spanId: 'b', parentSpanId: 'call', startMs: 2500, endMs: 2900 };
    expect(assemble([second, first, call, root]).calls).toMatchObject([{ result: 'ok', durationMs: 400 }]);
    const lost = { ...call, result: 'error' } as const;
    expect(assemble([second, lost, root]).calls).toMatchObject([{ result: 'error' }]);
  });

  test('with one call id at one time are one call, whoever is whose parent', () => {
    const named = { ...call, toolCallId: 'c1' };
    const other = { ...named, spanId: 'other', parentSpanId: 'elsewhere', startMs: 2200, endMs: 2900 };
    expect(assemble([other, named, root]).calls).toMatchObject([{ durationMs: 700 }]);
  });

  test('with one call id inside each other took what the innermost took, in whatever order they came', () => {
    const agent = { ...call, toolCallId: 'c1', parentSpanId: 'a', startMs: 2000 };
    const client = { ...agent, spanId: 'client', parentSpanId: 'b', startMs: 2200, endMs: 2900 };
    const server = { ...agent, spanId: 'server', parentSpanId: 'c', startMs: 2300, endMs: 2500 };
    for (const spans of [
      [agent, client, server],
      [server, client, agent],
      [client, server, agent],
    ])
      expect(assemble([...spans, root]).calls).toMatchObject([{ durationMs: 200, endMs: 3000 }]);
  });

  test('of one tool side by side are as many calls', () => {
    const other = { ...call, spanId: 'other' };
    expect(assemble([other, call, root]).calls).toHaveLength(2);
  });

  test('that name each other as their parents are still a call', () => {
    const first = { ...call, parentSpanId: 'second' };
    const second = { ...call, spanId: 'second', parentSpanId: 'call' };
    expect(assemble([first, second, root]).calls).toHaveLength(1);
  });

  test('that a human refused did not run, though their spans say nothing', () => {
    expect(assemble([answer('rejected'), call, root]).calls).toMatchObject([{ result: 'rejected' }]);
    expect(assemble([call, answer('aborted'), root]).calls).toMatchObject([{ result: 'cancelled' }]);
    expect(assemble([answer('approved'), call, root]).calls).toMatchObject([{ result: 'ok' }]);
  });
});

describe('a tool call that failed and was made again', () => {
  const failed = { ...call, result: 'error', failed: true, argumentsPrint: 7 } as const;
  const again = { ...failed, spanId: 'again', startMs: 4000, endMs: 5000 };
  const good = { ...again, result: 'ok', failed: false } as const;

  test('is one call of several attempts, and the last decides', () => {
    expect(assemble([failed, good, root]).calls).toMatchObject([
      { result: 'ok', attempts: 2, endMs: 5000, durationMs: 1000 },
    ]);
    expect(assemble([again, failed, root]).calls).toMatchObject([{ result: 'error', attempts: 2 }]);
  });

  test('is the same by its call id, or because it says that it is no first attempt', () => {
    const byId = { ...good, argumentsPrint: 0, toolCallId: 'c1' };
    expect(assemble([{ ...failed, toolCallId: 'c1' }, byId, root]).calls).toMatchObject([{ attempts: 2 }]);
    expect(assemble([failed, { ...good, argumentsPrint: 0, attempt: 2 }, root]).calls).toMatchObject([
      { attempts: 2 },
    ]);
  });

  test('counts the attempts that it says, though only the last was seen', () => {
    expect(assemble([{ ...good, attempt: 3 }, root]).calls).toMatchObject([{ attempts: 3 }]);
    expect(
      assemble([{ ...good, attempt: 3 }, { ...call, tool: 'look', spanId: 'x' }, root]).calls,
    ).toMatchObject([{ attempts: 1 }, { attempts: 3 }]);
  });

  test.each([
    ['with other arguments', { argumentsPrint: 8 }],
    ['with arguments that nobody recorded', { argumentsPrint: 0 }],
    ['of another tool', { tool: 'refund' }],
    ['before the failed one ended', { startMs: 2500 }],
    ['ten minutes later', { startMs: 603_000, endMs: 604_000 }],
  ])('is another call %s', (_, other) => {
    const end = { ...root, endMs: 700_000 };
    expect(assemble([failed, { ...good, ...other }, end]).calls.map(({ attempts }) => attempts)).toEqual([
      1, 1,
    ]);
  });

  test('is another call when the one before went well', () => {
    const well = { ...failed, result: 'ok', failed: false } as const;
    expect(assemble([well, good, root]).calls).toHaveLength(2);
  });
});

describe('the agent of a run', () => {
  const server = { ...root, agent: 'shop', namesAgent: false };
  const clerk = { ...root, spanId: 'clerk', parentSpanId: 'root', agent: 'clerk' };

  test('is whom a span names, not the service whose root it is', () => {
    const model = span({ ...clerk, step: 'llm' });
    for (const spans of [
      [clerk, server],
      [server, clerk],
      [model, server],
    ])
      expect(assemble(spans, 1e9).runs).toMatchObject([{ agent: 'clerk' }]);
  });

  test('is the service where no span names one', () => {
    expect(assemble([{ ...clerk, namesAgent: false, agent: 'worker' }, server]).runs).toMatchObject([
      { agent: 'shop' },
    ]);
  });
});

describe('the labels of tool calls', () => {
  test('are those of the run', () => {
    expect(
      assemble([
        { ...call, agent: 'x' },
        { ...root, release: 'r' },
      ]).calls,
    ).toMatchObject([{ agent: 'refund', release: 'r' }]);
  });
});

test('an end in the future is taken back to what the record allows, and counted', () => {
  const reported = new Reported();
  const assembler = new RunAssembler(settings, reported);
  const from = { ...lane(), latestMs: 5000 };
  assembler.add({ ...root, endMs: 9e15 }, from);
  assembler.add({ ...call, endMs: Number.NaN }, from);
  assembler.settle();
  expect(reported.finishedRuns).toMatchObject([{ closedMs: 5000, endMs: 5000 }]);
  expect(reported.calls).toMatchObject([{ endMs: 5000 }]);
  expect(assembler.counts.clamped).toBe(2);
  expect(from.newestMs).toBe(5000);
});

test('runs that are forgotten make room for others', () => {
  const assembler = new RunAssembler({ ...settings, maxSpans: 3 }, new Reported());
  const from = lane();
  for (let i = 0; i < 20; i++) {
    const ids = { runId: `${i}`, traceId: `${i}`, startMs: i * 1e6, endMs: i * 1e6 };
    assembler.add({ ...call, ...ids }, from);
    assembler.add({ ...root, ...ids }, from);
    assembler.settle();
    assembler.advance((i + 1) * 1e6);
  }
  assembler.add({ ...call, runId: 'last' }, from);
  assembler.settle();
  expect(assembler.counts.spilled).toBe(0);
  expect(assembler.openRuns).toBe(1);
});

const steps = ['tool', 'llm', 'agent', 'other', 'review', 'evaluator'] as const;
const arbitrarySpan = fc.record({
  run: fc.integer({ min: 0, max: 5 }),
  id: fc.integer({ min: 1, max: 9 }),
  parent: fc.integer({ min: 0, max: 9 }),
  startMs: fc.integer({ min: 0, max: 30_000 }),
  durationMs: fc.integer({ min: 1, max: 30_000 }),
  step: fc.constantFrom(...steps),
  agent: fc.constantFrom('a', 'b', 'unknown'),
  session: fc.constantFrom('s', 't', ''),
  trace: fc.constantFrom('x', 'y'),
  namesAgent: fc.boolean(),
  failed: fc.boolean(),
  asked: fc.constantFrom(undefined, 'requested', 'approved'),
  outcome: fc.option(fc.constantFrom('success', 'failure'), { nil: undefined, freq: 8 }),
  nanos: fc.integer({ min: 0, max: 10_000_000_000 }),
  tokens: fc.integer({ min: 0, max: 2 }),
  log: fc.option(fc.constantFrom('traced', 'untraced'), { nil: undefined, freq: 3 }),
  scores: fc.array(fc.tuple(fc.constantFrom('helpful', 'safe'), fc.constantFrom(0, 0.25, 1)), {
    maxLength: 2,
  }),
});
/** The one of them that has an id of its own, and two traces. */
const namedRun = 5;

/** At most one span for each run and id; the root has id 1, and parents come before their children by id. */
const spansOfSomeRuns = fc
  .uniqueArray(arbitrarySpan, { selector: ({ run, id }) => `${run}.${id}`, maxLength: 40 })
  .map((rows) =>
    rows.map(
      ({ run, id, parent, startMs, durationMs, step: drawn, agent, failed, outcome, nanos, ...row }) => {
        const step = run === namedRun && drawn === 'evaluator' ? 'other' : drawn; // that would be a judge of the run
        return span({
          traceId: run === namedRun ? row.trace : `t${run}`,
          runId: `t${run}`,
          sessionId: row.session,
          spanId: `${id}`,
          parentSpanId: id === 1 ? '' : `${Math.min(parent, id - 1) || 1}`,
          startMs,
          endMs: startMs + durationMs,
          step,
          agent,
          namesAgent: row.namesAgent,
          failed,
          ...(step === 'tool' && { tool: `tool${id}`, result: failed ? 'error' : 'ok' }),
          // A call is not revised once it was handed on, so no later answer may be that it did not run.
          ...(row.asked &&
            run !== namedRun && {
              escalationReason: 'approval',
              escalationState: step === 'review' ? 'approved' : row.asked,
            }),
          outcome: step === 'other' && id > 1 ? undefined : outcome, // no more than a word would make no run
          ...(step !== 'other' && { costUsd: nanos / 1e9, costSource: 'computed' }),
          ...(step === 'llm' && { inputTokens: row.tokens, outputTokens: 0 }),
          // No log record is a root, and which of the spans and log records of a call came first is seen of its duration.
          ...(id > 1 && step !== 'tool' && { log: row.log }),
          scores: new Map(row.scores),
        });
      },
    ),
  );

function known(reported: Reported): unknown {
  const calls = reported.calls.map(({ tool, result, endMs, durationMs }) => ({
    tool,
    result,
    endMs,
    durationMs,
  }));
  return {
    runs: reported.runs
      .toSorted((a, b) => (a.runId < b.runId ? -1 : 1))
      .map((run) => ({
        ...run,
        scores: Object.fromEntries(run.scores),
        behindMs: 0,
        peakUsd: run.costUsd,
        peakRequests: [],
      })),
    calls: calls.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  };
}

test('property: what is known in the end does not depend on the order in which spans arrive', () => {
  fc.assert(
    fc.property(
      spansOfSomeRuns.chain((spans) =>
        fc.tuple(fc.constant(spans), fc.shuffledSubarray(spans, { minLength: spans.length })),
      ),
      ([spans, shuffled]) => {
        expect(known(assemble(shuffled, 1e9))).toEqual(known(assemble(spans, 1e9)));
      },
    ),
    { numRuns: runs },
  );
});

/** What each trace has for its run where its root names one; the ids of spans are of their trace. */
function namedBy(spans: readonly SpanFacts[], isEveryone: boolean): readonly SpanFacts[] {
  const runOf = new Map(
    spans
      .filter(({ parentSpanId, traceId }) => parentSpanId === '' && traceId < 't4')
      .map(({ traceId }) => [traceId, traceId < 't2' ? 'order-7' : 'order-8']),
  );
  return spans.map((one) => {
    const isRoot = one.parentSpanId === '';
    return span({
      ...one,
      spanId: `${one.traceId}.${one.spanId}`,
      parentSpanId: isRoot ? '' : `${one.traceId}.${one.parentSpanId}`,
      step: one.step === 'evaluator' ? 'other' : one.step, // with the id of a run it would be a judge of that
      // Whether a run that can be resumed has ended depends on what was known of its gates when its root came.
      escalationReason: undefined,
      escalationState: undefined,
      runId: (isRoot || isEveryone ? runOf.get(one.traceId) : undefined) ?? one.traceId,
    });
  });
}

test('property: a run that only the roots of its traces name is the one that every span names, in any order', () => {
  fc.assert(
    fc.property(
      spansOfSomeRuns.chain((spans) =>
        fc.tuple(fc.constant(spans), fc.shuffledSubarray(spans, { minLength: spans.length })),
      ),
      ([spans, shuffled]) => {
        expect(known(assemble(namedBy(shuffled, false), 1e9))).toEqual(
          known(assemble(namedBy(spans, true), 1e9)),
        );
      },
    ),
    { numRuns: runs },
  );
});

test('property: a resent span counts once', () => {
  fc.assert(
    fc.property(
      spansOfSomeRuns.chain((spans) =>
        fc.tuple(fc.constant(spans), fc.shuffledSubarray(spans), fc.infiniteStream(fc.nat())),
      ),
      ([spans, resent, places]) => {
        const sent = [...spans];
        for (const one of resent) {
          const place = places.next().value % (sent.length + 1);
          sent.splice(place, 0, one);
        }
        expect(known(assemble(sent, 1e9))).toEqual(known(assemble(spans, 1e9)));
      },
    ),
    { numRuns: runs },
  );
});

/** Adds `spans`, cut into records of as many as `lengths` says, and returns what was to be kept. */
function keptOf(spans: readonly SpanFacts[], lengths: Iterator<number>): ReadonlyMap<string, string> {
  const reported = new Reported();
  const assembler = new RunAssembler(settings, reported);
  const from = lane();
  for (let at = 0; at < spans.length;) {
    const length = lengths.next().value ?? 1;
    for (const one of spans.slice(at, at + length)) assembler.add(one, from);
    assembler.settle();
    at += length;
  }
  assembler.advance(1e9);
  return kept([reported]);
}

/** The rows that a table makes of what was to be kept: of each run the one with the greatest version. */
function kept(processes: readonly Reported[]): ReadonlyMap<string, string> {
  const versions = new Map<string, number>();
  const rows = new Map<string, string>();
  for (const run of processes.flatMap(({ knownRuns }) => knownRuns)) {
    if (run.version < (versions.get(run.runId) ?? 0)) continue;
    versions.set(run.runId, run.version);
    rows.set(run.runId, runRow(run));
  }
  return rows;
}

test('property: a run has one row, whatever the order, splitting and repetition of its spans', () => {
  fc.assert(
    fc.property(
      spansOfSomeRuns.chain((spans) =>
        fc.tuple(
          fc.constant(spans),
          fc.shuffledSubarray([...spans, ...spans], { minLength: 2 * spans.length }),
        ),
      ),
      fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
      ([spans, shuffled], lengths) => {
        expect(keptOf(shuffled, lengths)).toEqual(keptOf(spans, [spans.length].values()));
      },
    ),
    { numRuns: runs },
  );
});

function nanosOfSpans(spans: readonly SpanFacts[]): bigint {
  return spans.reduce((sum, { costUsd = 0 }) => sum + BigInt(Math.round(costUsd * 1e9)), 0n);
}

function nanosOfDecimal(decimal = '0.0'): bigint {
  return BigInt(decimal.replace('.', ''));
}

function sumsOf(row: Readonly<Record<string, string>>) {
  return {
    llm: nanosOfDecimal(row['LlmCostUsd']),
    tool: nanosOfDecimal(row['ToolCostUsd']),
    review: nanosOfDecimal(row['ReviewCostUsd']),
    inputTokens: row['InputTokens'] ?? 0,
  };
}

/** What `spans` of one run cost, in billionths of a dollar, and their tokens: each innermost model call once; agents where there is none. */
function leafSums(spans: readonly SpanFacts[]) {
  const leaves = (step: string): readonly SpanFacts[] => {
    const all = spans.filter((one) => one.step === step);
    return all.filter(({ spanId }) => !all.some(({ parentSpanId }) => parentSpanId === spanId));
  };
  const models = spans.some(({ step }) => step === 'llm') ? leaves('llm') : leaves('agent');
  return {
    llm: nanosOfSpans(models),
    tool: nanosOfSpans(spans.filter(({ step }) => step === 'tool')),
    review: nanosOfSpans(spans.filter(({ step }) => step === 'review')),
    inputTokens: models.reduce((sum, { inputTokens = 0 }) => sum + inputTokens, 0),
  };
}

test('property: the sums over the rows of runs are those over their innermost spans, to the last digit', () => {
  fc.assert(
    fc.property(spansOfSomeRuns, (some) => {
      const spans = some.map((one) => span({ ...one, log: undefined })); // a log record repeats what a span says
      const rows = [...keptOf(spans, [3, 2, 1].values()).values()].map(
        (row): Readonly<Record<string, string>> => JSON.parse(row),
      );
      const ids = [...new Set(spans.map(({ runId }) => runId))];
      expect(new Map(rows.map((row) => [row['RunId'], sumsOf(row)]))).toEqual(
        new Map(ids.map((id) => [id, leafSums(spans.filter(({ runId }) => runId === id))])),
      );
    }),
    { numRuns: runs },
  );
});

/** Spans of two traces, of which some name the run that they belong to, with calls inside calls, and sent again. */
const spansOfLargeRuns = fc
  .array(
    fc.record({
      id: fc.integer({ min: 1, max: 40 }),
      parent: fc.integer({ min: 0, max: 39 }),
      trace: fc.constantFrom('x', 'y'),
      isNamed: fc.boolean(),
      tool: fc.constantFrom('pay', 'look', ''),
      endMs: fc.integer({ min: 0, max: 250_000 }),
    }),
    { maxLength: 80 },
  )
  .map((rows) =>
    rows.map(({ id, parent, trace, isNamed, tool, endMs }) =>
      span({
        traceId: trace,
        runId: isNamed ? 'order-7' : trace,
        spanId: `${id}`,
        parentSpanId: parent === 0 ? '' : `${Math.min(parent, id - 1) || 39}`,
        step: 'tool',
        tool,
        result: 'ok',
        startMs: endMs,
        endMs,
      }),
    ),
  );

/** As it comes out of a snapshot. */
function saved(assembler: RunAssembler): AssemblerState {
  const state: AssemblerState = deserialize(serialize(assembler.save()));
  return state;
}

test('property: an assembler that goes on with what another saved reports what that would have', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        spansOfSomeRuns,
        spansOfSomeRuns.map((spans) => namedBy(spans, false)),
        spansOfLargeRuns,
      ),
      fc.array(fc.nat(80), { maxLength: 4 }),
      fc.constantFrom(settings, { ...settings, maxRuns: 3, maxSpans: 10, maxSpansPerRun: 4 }),
      (spans, cuts, limits) => {
        const reportedBy = (restarts: readonly number[]): Reported => {
          const reported = new Reported();
          const sink = placing(reported);
          let assembler = new RunAssembler(limits, sink);
          const from = lane();
          for (const [i, one] of spans.entries()) {
            for (const _ of restarts.filter((at) => at === i)) {
              const [state, places] = [saved(assembler), [...assembler.places]];
              assembler = new RunAssembler(limits, sink);
              assembler.restore(state, places);
            }
            assembler.add(one, from);
            assembler.settle();
            assembler.advance(one.endMs - 60_000);
          }
          assembler.advance(1e9);
          expect(assembler.openRuns).toBe(0);
          return reported;
        };
        const [broken, unbroken] = [reportedBy(cuts), reportedBy([])];
        expect(broken.finishedRuns).toEqual(unbroken.finishedRuns);
        expect(broken.revisions).toEqual(unbroken.revisions);
        expect(broken.calls).toEqual(unbroken.calls);
      },
    ),
    { numRuns: runs },
  );
});

/** Leaves something else with each report of a run. */
function placing(reported: Reported): RunSink {
  let places = 0;
  return {
    seen: (run) => reported.seen(run),
    absorbed: (slot, into) => reported.absorbed(slot, into),
    finished: (run) => {
      run.place = ++places;
      reported.finished(run);
    },
    revised: (before, after) => {
      after.place = ++places;
      reported.revised(before, after);
    },
    toolCall: (one) => reported.toolCall(one),
  };
}

describe('past the limit on spans of a run', () => {
  const limited = { ...settings, maxSpansPerRun: 2 };
  const model = span({ step: 'llm', parentSpanId: 'root', costUsd: 0.5, costSource: 'computed' });

  test('cost and calls go on adding up', () => {
    const spans = Array.from({ length: 6 }, (_, i) => [
      { ...model, spanId: `m${i}` },
      { ...call, spanId: `c${i}` },
    ]).flat();
    const reported = assemble([...spans, root], 1e9, limited);
    expect(reported.runs).toMatchObject([{ outcome: 'completed', costUsd: { llm: 3 } }]);
    expect(reported.calls).toHaveLength(6);
  });

  test('what is kept of a run has a greater version with each span, also with those that come after it was forgotten', () => {
    const reported = new Reported();
    const assembler = new RunAssembler(limited, reported);
    const from = lane();
    const add = (one: SpanFacts): void => {
      assembler.add(one, from);
      assembler.settle();
    };
    add(root);
    for (let i = 0; i < 4; i++) add({ ...model, spanId: `m${i}` });
    assembler.advance(9000 + settings.rememberMs);
    expect(assembler.size).toBe(0);
    for (let i = 0; i < 3; i++) add({ ...call, spanId: `late ${i}` });
    expect(reported.knownRuns.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(reported.knownRuns.at(-1)).toMatchObject({
      costUsd: { llm: 2 },
      toolCalls: { ok: 3, attempts: 3 },
    });
  });

  test('a span that wraps a remembered one does not count twice, nor does a remembered one that wraps', () => {
    const inner = { ...model, spanId: 'inner', parentSpanId: 'outer' };
    const wraps = { ...model, spanId: 'wraps' };
    const outer = { ...model, spanId: 'outer' };
    const wrapped = { ...model, spanId: 'wrapped', parentSpanId: 'wraps' };
    expect(assemble([inner, wraps, outer, wrapped, root], 1e9, limited).runs).toMatchObject([
      { costUsd: { llm: 1 } },
    ]);
  });

  test('the topmost span still decides where the root never comes', () => {
    const inner = span({
      spanId: 'inner',
      parentSpanId: 'top',
      step: 'agent',
      failed: true,
      startMs: 5,
      endMs: 6,
    });
    const top = span({ spanId: 'top', parentSpanId: 'lost', step: 'agent', startMs: 1, endMs: 9 });
    const later = span({
      spanId: 'later',
      parentSpanId: 'top',
      step: 'agent',
      failed: true,
      startMs: 7,
      endMs: 8,
    });
    const spans = [inner, { ...model, spanId: 'm' }, later, top];
    expect(assemble(spans, 1e9, limited).runs).toMatchObject([{ outcome: 'completed' }]);
  });

  test('property: a run holds no more than the limit allows, however many spans it has', () => {
    fc.assert(
      fc.property(spansOfSomeRuns, fc.integer({ min: 0, max: 6 }), (spans, limit) => {
        const assembler = new RunAssembler(
          { ...settings, maxSpansPerRun: limit, holdMs: -1e9 },
          new Reported(),
        );
        const from = lane();
        for (const [i, one] of spans.entries()) {
          assembler.add({ ...one, traceId: 'trace', runId: 'run', spanId: `${i} ${one.spanId}` }, from);
          assembler.settle();
          assembler.advance(0);
          expect(assembler.entryCount).toBeLessThanOrEqual(2 * limit);
        }
        expect(assembler.spanIds).toBe(Math.min(limit, spans.length));
      }),
      { numRuns: runs },
    );
  });
});

test('property: no run and no tool call is lost, however little memory there is', () => {
  fc.assert(
    fc.property(
      spansOfSomeRuns,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 12 }),
      (spans, maxRuns, maxSpans) => {
        const reported = new Reported();
        const assembler = new RunAssembler({ ...settings, maxRuns, maxSpans }, reported);
        const from = lane();
        for (const one of spans) {
          assembler.add(one, from);
          expect(assembler.size).toBeLessThanOrEqual(maxRuns);
          assembler.settle();
        }
        assembler.advance(1e9);
        const calls = spans.filter((one) => one.result !== undefined).length;
        expect(reported.calls).toHaveLength(calls);
        // What evaluators say of a run makes none, nor do log records of its trace that tell of no call.
        const work = spans.filter(({ step, log, result }) =>
          log === 'traced' ? step === 'llm' || result !== undefined : step !== 'evaluator' || !log,
        );
        expect(reported.finishedRuns.length).toBeGreaterThanOrEqual(
          new Set(work.map((one) => one.runId)).size,
        );
        expect(assembler.openRuns).toBe(0);
      },
    ),
    { numRuns: runs },
  );
});

describe('an open run', () => {
  test('is told of with its first span, and again when it is better known', () => {
    const { seenRuns } = assemble([
      { ...call, agent: 'mcp-server', release: '9' },
      call,
      { ...root, release: '2' },
    ]);
    expect(seenRuns).toMatchObject([
      { agent: 'mcp-server', release: '9', sessionId: '' },
      { agent: 'refund', release: '2' },
    ]);
    expect(new Set(seenRuns.map(({ slot }) => slot)).size).toBe(1);
  });

  test('is not told of while only an evaluator speaks of it', () => {
    const word = span({ step: 'evaluator', log: 'untraced', spanId: 'word', endMs: 1000 });
    expect(assemble([word]).seenRuns).toEqual([]);
    expect(assemble([word, root]).seenRuns).toHaveLength(1);
  });

  test('that is part of another one is told of as such, and does not end', () => {
    const early = span({ traceId: 'second', runId: 'second', spanId: 'early', startMs: 1000, endMs: 2000 });
    const named = span({ traceId: 'first', runId: 'task', spanId: 'named', startMs: 1000, endMs: 2000 });
    const joins = { ...early, runId: 'task', spanId: 'joins' };
    const { seenRuns, absorbedSlots, finishedRuns } = assemble([named, early, joins], 1e9);
    expect(seenRuns).toHaveLength(2);
    expect(absorbedSlots).toEqual([{ slot: seenRuns[1]?.slot, into: seenRuns[0]?.slot }]);
    expect(finishedRuns).toHaveLength(1);
  });
});

test('property: every run is told of before its end, as it then is, and ends or is part of another one, however little memory there is', () => {
  fc.assert(
    fc.property(
      spansOfSomeRuns,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 5 }),
      (spans, maxRuns, maxSpans, spansPerRecord) => {
        const open = new Map<number, SeenRun>();
        const sink: RunSink = {
          seen: (run) => void open.set(run.slot, run),
          absorbed: (slot) => void open.delete(slot),
          finished: (run) => {
            expect(run).toMatchObject({ ...open.get(run.slot) });
            expect(open.delete(run.slot)).toBe(true);
          },
          revised: () => {},
          toolCall: () => {},
        };
        const assembler = new RunAssembler({ ...settings, maxRuns, maxSpans }, sink);
        const from = lane();
        for (const [i, one] of spans.entries()) {
          assembler.add(one, from);
          if (i % spansPerRecord === 0) assembler.settle();
        }
        assembler.settle();
        assembler.advance(1e12);
        expect(open).toEqual(new Map());
      },
    ),
    { numRuns: runs },
  );
});

test('property: each revision of a run takes up where the last report of it ended, however little memory there is', () => {
  fc.assert(
    fc.property(
      spansOfSomeRuns,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 8 }),
      (spans, maxRuns, maxSpans, spansPerRecord) => {
        const last = new Map<string, unknown>();
        const sink = {
          seen: () => {},
          absorbed: () => {},
          finished: (run: FinishedRun) => void last.set(run.runId, run),
          revised: (before: FinishedRun, after: FinishedRun) => {
            expect(before).toEqual(last.get(before.runId));
            expect(after.version).toBeGreaterThan(before.version);
            last.set(after.runId, after);
          },
          toolCall: () => {},
        };
        const assembler = new RunAssembler({ ...settings, maxRuns, maxSpans }, sink);
        const lanes = [lane(), lane()] as const;
        for (const [i, one] of spans.entries()) {
          const from = lanes[(i >> 3) & 1] ?? lanes[0];
          assembler.add(one, from);
          if (i % spansPerRecord === 0) assembler.settle();
        }
        assembler.settle();
        assembler.advance(1e12);
        expect([assembler.size, assembler.spanIds, assembler.entryCount]).toEqual([0, 0, 0]);
      },
    ),
    { numRuns: runs },
  );
});

test('the sink finds what it left with a run when that is revised, also when only the result is left', () => {
  const places: unknown[] = [];
  const sink = {
    seen: () => {},
    absorbed: () => {},
    finished: (run: FinishedRun) => void (run.place = 'finished'),
    revised: (before: FinishedRun, after: FinishedRun) => {
      places.push(before.place);
      after.place = `revised ${places.length}`;
    },
    toolCall: () => {},
  };
  const assembler = new RunAssembler(settings, sink);
  const from = lane();
  const late = span({ step: 'llm', costUsd: 1, costSource: 'reported' });
  const add = (one: SpanFacts): void => {
    assembler.add(one, from);
    assembler.settle();
  };
  add(root);
  add({ ...late, spanId: 'a' });
  add({ ...late, spanId: 'b' });
  assembler.advance(9000 + settings.rememberMs);
  expect(assembler.size).toBe(0);
  add({ ...late, spanId: 'c' });
  add({ ...late, spanId: 'd' });
  expect(places).toEqual(['finished', 'revised 1', 'revised 2', 'revised 3']);
});
