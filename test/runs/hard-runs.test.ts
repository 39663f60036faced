import { describe, expect, test } from 'vitest';
import { RunAssembler } from '../../src/runs/run-assembler.ts';
import type { SpanFacts } from '../../src/semconv/span-facts.ts';
import { lane, Reported, settings, span } from './spans.ts';

const root = span({ spanId: 'root', parentSpanId: '', step: 'agent', agent: 'refund', endMs: 9000 });

/** All in one record, which reaches no further than `latestMs`. */
function assemble(spans: readonly SpanFacts[], latestMs = Number.MAX_SAFE_INTEGER) {
  const reported = new Reported();
  const assembler = new RunAssembler({ ...settings, maxSpansPerRun: 10_000, maxSpans: 1_000_000 }, reported);
  const from = { ...lane(), latestMs };
  for (const one of spans) assembler.add(one, from);
  assembler.settle();
  return { reported, assembler };
}

test('a run of 50,000 spans costs the sum of them to the last billionth, in bounded memory', () => {
  const model = { step: 'llm', parentSpanId: 'root', costUsd: 0.000_000_001, inputTokens: 3 } as const;
  const spans = Array.from({ length: 50_000 }, (_, i) => span({ ...model, spanId: `m${i}` }));
  const { reported, assembler } = assemble([...spans, root]);
  expect(reported.runs).toMatchObject([
    { outcome: 'completed', costUsd: { llm: 0.000_05 }, inputTokens: 150_000, version: 50_001 },
  ]);
  expect(assembler.counts.unremembered).toBe(40_001);
  expect(assembler.entryCount).toBeLessThanOrEqual(20_000);
});

const made = (i: number) => ({ startMs: i / 10, endMs: (i + 1) / 10 });

describe('of a run of 50,000 spans of tool calls in one record each call counts once, for the agent of its root', () => {
  const pay = { step: 'tool', tool: 'pay', result: 'ok', parentSpanId: 'root' } as const;
  const many = (given: (i: number) => Partial<SpanFacts>) =>
    Array.from({ length: 50_000 }, (_, i) => span({ ...pay, ...made(i), spanId: `${i}`, ...given(i) }));

  test.each<[string, readonly SpanFacts[], number]>([
    [
      'that log records tell of, too',
      many((i) => ({ ...made(i >> 1), toolCallId: `${i >> 1}`, log: i % 2 === 0 ? undefined : 'traced' })),
      25_000,
    ],
    [
      'that clients and servers tell of',
      many((i) => ({ ...made(i >> 1), parentSpanId: i % 2 === 0 ? `${i + 1}` : 'root' })),
      25_000,
    ],
    ['that have one id', many(() => ({ toolCallId: 'call' })), 50_000],
    ['that have one id, at one time', many(() => ({ ...made(0), toolCallId: 'call' })), 50_000],
    ['that is inside the one before', many((i) => ({ parentSpanId: i === 0 ? 'root' : `${i - 1}` })), 1],
  ])('%s', (_, spans, count) => {
    const { reported, assembler } = assemble([...spans, root]);
    expect(reported.calls).toHaveLength(count);
    expect(new Set(reported.calls.map(({ agent }) => agent))).toEqual(new Set(['refund']));
    expect(reported.runs).toMatchObject([{ toolCalls: { ok: count }, version: 50_001 }]);
    expect(assembler.entryCount).toBeLessThanOrEqual(20_000);
  });
});

test('of 30,000 open runs on two partitions those that began first make room, one by one', () => {
  const reported = new Reported();
  const assembler = new RunAssembler({ ...settings, maxRuns: 15_000, maxSpans: 1_000_000 }, reported);
  const [one, two] = [lane(), lane()];
  for (let i = 0; i < 30_000; i++) {
    const ids = { traceId: `${i}`, runId: `${i}`, startMs: i, endMs: i };
    for (const from of i % 2 === 0 ? [one, two] : [two, one]) {
      assembler.add(span({ ...ids, spanId: `${i} on ${from === one ? 'one' : 'two'}` }), from);
      assembler.settle();
    }
  }
  expect(reported.finishedRuns.map(({ runId }) => Number(runId))).toEqual(
    Array.from({ length: 15_000 }, (_, i) => i),
  );
});

test('a run with two roots is one run, and the root that ended last decides', () => {
  const failed = span({ spanId: 'second', parentSpanId: '', failed: true, endMs: 12_000 });
  for (const spans of [
    [root, failed],
    [failed, root],
  ]) {
    const { reported } = assemble(spans);
    expect(reported.runs).toMatchObject([{ outcome: 'failure', endMs: 12_000, closedBy: 'root' }]);
  }
});

test('what came before the release of its trace was known counts for that release', () => {
  const call = span({
    spanId: 'call',
    parentSpanId: 'root',
    step: 'tool',
    tool: 'pay',
    result: 'error',
    endMs: 3000,
  });
  const { reported } = assemble([call, { ...root, release: '1.5.0', environment: 'production' }]);
  const labels = { agent: 'refund', release: '1.5.0', environment: 'production' };
  expect(reported.calls).toMatchObject([{ ...labels, tool: 'pay', result: 'error' }]);
  expect(reported.runs).toMatchObject([labels]);
});

test('a span of a clock that is ahead ends no later than its record allows, and the run ends with its root', () => {
  const ahead = span({
    spanId: 'ahead',
    step: 'tool',
    tool: 'pay',
    result: 'ok',
    startMs: 3_600_000,
    endMs: 3_601_000,
  });
  const { reported, assembler } = assemble([ahead, root], 14_000);
  expect(assembler.counts.clamped).toBe(1);
  expect(reported.calls).toMatchObject([{ endMs: 14_000, durationMs: 0 }]);
  expect(reported.runs).toMatchObject([{ outcome: 'completed', closedMs: 9000 }]);
});
