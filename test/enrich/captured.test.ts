import { describe, expect, test } from 'vitest';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { capturedRequests, thirdPartyRequests } from '../fixtures.ts';
import { decodeRequest } from '../otlp/oracle.ts';

const enricher = new Enricher({ content: { mode: 'drop' } });
const spans = new EnrichedSpans(enricher);
const captured = new Map(
  [...capturedRequests(), ...thirdPartyRequests()].map(({ name, json }) => [
    name.replace('.otlp.json', ''),
    json,
  ]),
);

interface Totals {
  tools: Record<string, number>;
  steps: Record<string, number>;
  failed: string[];
  input: number;
  output: number;
  costUsd: number;
}

function totalsOf(name: string): Totals {
  const [record] = enricher.enrich(jsonToProtobuf(Buffer.from(captured.get(name)!)).bytes, 1).records;
  spans.read(record!);
  const totals: Totals = { tools: {}, steps: {}, failed: [], input: 0, output: 0, costUsd: 0 };
  for (let row = 0; row < spans.count; row++) {
    const facts = spans.at(row);
    totals.steps[facts.step] = (totals.steps[facts.step] ?? 0) + 1;
    if (facts.step === 'tool')
      totals.tools[`${facts.tool} ${facts.result}`] =
        (totals.tools[`${facts.tool} ${facts.result}`] ?? 0) + 1;
    if (facts.failed) totals.failed.push(`${facts.step} ${facts.errorType}`);
    totals.input += facts.inputTokens ?? 0;
    totals.output += facts.outputTokens ?? 0;
    totals.costUsd += facts.costUsd ?? 0;
  }
  return totals;
}

describe('what the AI SDK exports', () => {
  test('of a good tool call counts each token once, though the agent repeats them', () => {
    const totals = totalsOf('ai-sdk-v7-tool-success');
    expect(totals).toMatchObject({ tools: { 'get_order ok': 1 }, failed: [], input: 250, output: 30 });
    expect(totals.steps).toMatchObject({ llm: 2, tool: 1, agent: 1 });
    expect(totals.costUsd).toBeCloseTo(0.0000525, 9);
  });

  test('of a handled tool error fails the tool alone', () => {
    expect(totalsOf('ai-sdk-v7-tool-error')).toMatchObject({
      tools: { 'flaky error': 1 },
      failed: ['tool TypeError'],
    });
  });

  test('of a model error fails the call, the step and the agent', () => {
    const { failed, tools } = totalsOf('ai-sdk-v7-llm-error');
    expect([tools, failed.toSorted()]).toEqual([
      {},
      ['agent APICallError', 'llm APICallError', 'other APICallError'],
    ]);
  });

  test.each([
    ['requested', {}],
    ['granted', { 'refund ok': 1 }],
    ['denied', {}],
  ])('of an approval %s counts the tools that ran', (how, tools) => {
    expect(totalsOf(`ai-sdk-v7-approval-${how}`)).toMatchObject({ tools, failed: [] });
  });
});

/** Where a checkout has no third-party payloads beside it, these are no tests at all. */
const others = (
  [
    ['google-adk-2025-08-28', { tools: { 'say_hello ok': 1 }, input: 67, output: 9 }],
    ['microsoft-agent-2025-12-17', { tools: { 'get_weather ok': 1 }, input: 293, output: 106 }],
    ['koog-2025-08-26', { tools: { 'HelloTool ok': 1, 'ByeTool ok': 1 } }],
    ['pydantic-ai-0.7-tool-call', { tools: { 'roulette_wheel ok': 1 } }],
    ['pydantic-ai-tools-2025-12-04', { input: 1315 }],
    ['vercel-aisdk-2025-11-17', { input: 62, output: 85 }],
  ] as const
).filter(([name]) => captured.has(name));

for (const [name, totals] of others) {
  test(`what others export with gen_ai keys is understood in ${name}`, () => {
    expect(totalsOf(name)).toMatchObject(totals);
  });
}

test.each([...captured.keys()])('no content of %s goes on', (name) => {
  const { records } = enricher.enrich(jsonToProtobuf(Buffer.from(captured.get(name)!)).bytes, 1);
  const text = JSON.stringify(records.map(({ payload }) => decodeRequest(payload)));
  for (const key of [
    'gen_ai.input.messages',
    'gen_ai.output.messages',
    'gen_ai.tool.call.arguments',
    'gen_ai.tool.call.result',
  ]) {
    expect(text).not.toContain(`"${key}"`);
  }
  for (const key of ['exception.message', 'exception.stacktrace']) expect(text).not.toContain(`"${key}"`);
});
