import { describe, expect, test } from 'vitest';
import { enriched } from './one-span.ts';

const chat = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'gpt-4o',
};
const tokens = { 'gen_ai.usage.input_tokens': 1000, 'gen_ai.usage.output_tokens': 100 };

describe('what a span cost', () => {
  test('is computed from the tokens of a model call, and says by which prices', () => {
    const { facts, own } = enriched({ ...chat, ...tokens });
    expect([facts.costUsd, facts.costSource]).toEqual([0.0035, 'computed']);
    expect(own['plimsoll.cost.prices']).toMatch(/^genai-prices \d/);
  });

  test.each(['plimsoll.cost.usd', 'gen_ai.usage.cost.amount', 'gen_ai.usage.cost'])(
    'is what %s reports',
    (key) => {
      const { facts, own } = enriched({ ...chat, ...tokens, [key]: 0.5 });
      expect([facts.costUsd, facts.costSource]).toEqual([0.5, 'reported']);
      expect(own['plimsoll.cost.prices']).toBeUndefined();
    },
  );

  test('may be reported as nothing', () => {
    expect(enriched({ ...chat, ...tokens, 'gen_ai.usage.cost': 0 }).facts.costUsd).toBe(0);
  });

  test.each([-1, Number.NaN, 1e12, 'free'])('is not what a nonsensical report (%s) says', (cost) => {
    for (const key of ['plimsoll.cost.usd', 'gen_ai.usage.cost']) {
      expect(enriched({ ...chat, ...tokens, [key]: cost }).facts.costUsd).toBe(0.0035);
    }
  });

  test('is computed where the report is in another currency', () => {
    const euros = { 'gen_ai.usage.cost.amount': 9, 'gen_ai.usage.cost.currency': 'EUR' };
    expect(enriched({ ...chat, ...tokens, ...euros }).facts.costUsd).toBe(0.0035);
    const { facts } = enriched({ ...chat, ...tokens, ...euros, 'gen_ai.request.model': 'mine' });
    expect([facts.costUsd, facts.costSource]).toEqual([undefined, 'unpriced']);
  });

  test('is unpriced without a price, and nothing without tokens', () => {
    const { facts } = enriched({ ...chat, ...tokens, 'gen_ai.request.model': 'my-own-model' });
    expect([facts.costUsd, facts.costSource]).toEqual([undefined, 'unpriced']);
    expect(enriched(chat).facts.costSource).toBeUndefined();
  });

  test('is never what an agent repeats of its calls', () => {
    const { facts } = enriched({
      ...chat,
      ...tokens,
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.usage.cost': 3,
    });
    expect([facts.costUsd, facts.costSource, facts.inputTokens]).toEqual([undefined, undefined, undefined]);
  });

  test('is nothing on a handoff', () => {
    expect(
      enriched({ 'gen_ai.handoff.to_agent': 'Billing', 'gen_ai.usage.cost': 3 }).facts.costUsd,
    ).toBeUndefined();
  });

  test('is what the sender says with our key, on any step', () => {
    expect(enriched({ 'gen_ai.tool.name': 'search', 'plimsoll.cost.usd': 0.01 }).facts.costUsd).toBe(0.01);
  });

  test('counts cached tokens once, whether the input includes them or not', () => {
    const cached = {
      'gen_ai.usage.cache_read.input_tokens': 8000,
      'gen_ai.usage.cache_creation.input_tokens': 1000,
    };
    const sonnet = {
      ...chat,
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': 'claude-sonnet-4-5',
      ...cached,
    };
    const inclusive = enriched({
      ...sonnet,
      'gen_ai.usage.input_tokens': 10_000,
      'gen_ai.usage.output_tokens': 500,
    }).facts;
    const exclusive = enriched({
      ...sonnet,
      'gen_ai.usage.input_tokens': 1000,
      'gen_ai.usage.output_tokens': 500,
    }).facts;
    expect([inclusive.inputTokens, inclusive.costUsd]).toEqual([10_000, 0.01665]);
    expect([exclusive.inputTokens, exclusive.costUsd]).toEqual([10_000, 0.01665]);
  });

  test('leaves a count that the sender gave with our key', () => {
    const cached = { 'gen_ai.usage.cache_read.input_tokens': 8000 };
    const { facts } = enriched({
      ...chat,
      ...cached,
      'plimsoll.usage.input_tokens': 5,
      'gen_ai.usage.output_tokens': 1,
    });
    expect(facts.inputTokens).toBe(5);
  });

  test('counts reasoning as output, whether the output includes it or not', () => {
    const thinking = {
      ...chat,
      'gen_ai.usage.output_tokens': 10,
      'gen_ai.usage.reasoning.output_tokens': 90,
    };
    expect(enriched(thinking).facts.outputTokens).toBe(100);
    expect(enriched({ ...thinking, 'gen_ai.usage.output_tokens': 100 }).facts.outputTokens).toBe(100);
  });

  test('takes numbers that came as text', () => {
    expect(
      enriched({ ...chat, 'gen_ai.usage.input_tokens': '1000', 'gen_ai.usage.output_tokens': '100' }).facts
        .costUsd,
    ).toBe(0.0035);
  });
});

test('a cost in millionths of a dollar is one in dollars, and comes before one that was rounded', () => {
  const { facts } = enriched({ cost_usd_micros: 1500, cost_usd: 0.002 }, { name: 'claude_code.api_request' });
  expect([facts.costUsd, facts.costSource]).toEqual([0.0015, 'reported']);
});
