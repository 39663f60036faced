import { expect, test } from 'vitest';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { RunAssembler } from '../../src/runs/run-assembler.ts';
import { SpanIds } from '../../src/semconv/span-facts.ts';
import { capturedRequests } from '../fixtures.ts';
import { lane, Reported, settings } from '../runs/spans.ts';

const enricher = new Enricher({ content: { mode: 'drop' } });

/** What the spans of a captured request become once everything has timed out. */
function assess(name: string): Reported {
  const captured = capturedRequests().find((request) => request.name === `${name}.otlp.json`);
  if (!captured) throw new Error(`no capture named ${name}`);
  const { bytes } = jsonToProtobuf(Buffer.from(captured.json));
  const reported = new Reported();
  const assembler = new RunAssembler(settings, reported);
  const spans = new EnrichedSpans(enricher);
  const from = lane();
  for (const { payload, headers } of enricher.enrich(bytes, 1).records) {
    spans.read({ payload, headers });
    for (let i = 0; i < spans.count; i++) assembler.add(spans.at(i), from);
    assembler.settle();
  }
  assembler.advance(Number.MAX_SAFE_INTEGER);
  return reported;
}

const ok = (tool: string) => [{ tool, result: 'ok' }];
const failed = (tool: string) => [{ tool, result: 'error' }];

test.each([
  ['ai-sdk-v7-tool-success', 'completed', ok('get_order')],
  ['ai-sdk-v7-tool-error', 'completed', failed('flaky')],
  ['ai-sdk-v7-llm-error', 'failure', []],
  ['ai-sdk-v7-approval-granted', 'completed', ok('refund')],
  ['ai-sdk-v7-approval-denied', 'completed', []],
])('%s: one run that is a %s', (name, outcome, calls) => {
  const reported = assess(name);
  expect(reported.finishedRuns).toHaveLength(1);
  expect(reported.runs).toMatchObject([{ outcome, evidence: 'none', environment: 'staging' }]);
  expect(reported.calls.map(({ tool, result }) => ({ tool, result }))).toEqual(calls);
});

test('a run of two model calls costs their sum, not the double that its agent span repeats', () => {
  const { runs } = assess('ai-sdk-v7-tool-success');
  expect(runs).toMatchObject([
    { agent: 'refund-agent', release: '2026.11.1', inputTokens: 250, outputTokens: 30, priced: true },
  ]);
  expect(runs[0]?.costUsd.llm).toBeGreaterThan(0);
  expect(runs[0]?.costUsd).toMatchObject({ tool: 0, review: 0 });
});

test('the ids that are read as words are those that are read as texts', () => {
  const spans = new EnrichedSpans(enricher);
  const ids = new SpanIds();
  let count = 0;
  for (const { json } of capturedRequests()) {
    for (const record of enricher.enrich(jsonToProtobuf(Buffer.from(json)).bytes, 1).records) {
      spans.read(record);
      for (let i = 0; i < spans.count; i++, count++) {
        const facts = spans.at(i);
        facts.readIds(ids);
        const { trace0, trace1, trace2, trace3, span0, span1, parent0, parent1 } = ids;
        expect(hexOf(trace0, trace1, trace2, trace3)).toBe(facts.traceId);
        expect(hexOf(span0, span1)).toBe(facts.spanId);
        expect(parent0 === 0 && parent1 === 0 ? '' : hexOf(parent0, parent1)).toBe(facts.parentSpanId);
        expect(ids.run || facts.traceId).toBe(facts.runId);
      }
    }
  }
  expect(count).toBeGreaterThan(50);
});

function hexOf(...words: readonly number[]): string {
  return Buffer.from(Int32Array.from(words).buffer).toString('hex');
}
