import { describe, expect, test } from 'vitest';
import { Enricher } from '../../src/enrich/enricher.ts';
import type { PriceListOptions } from '../../src/enrich/price-list.ts';
import { failedStatus, enriched, type Values } from './one-span.ts';

const chat = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'gpt-4o',
  'gen_ai.usage.input_tokens': 1000,
  'gen_ai.usage.output_tokens': 100,
};
const call = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'web_search' };
const drop = { mode: 'drop' } as const;

const rates = (input: number, provider?: string) => [{ input, output: 0, usdPerCall: 0, provider }];
const changed = (fromMs: number, input: number) => ({ input, output: 0, usdPerCall: 0, fromMs });
const revision = (prices?: PriceListOptions) => new Enricher({ content: drop, prices }).revision;

function priced(prices: PriceListOptions, values: Values, rest = {}) {
  const { facts, own } = enriched(values, rest, {}, drop, { prices });
  return { usd: facts.costUsd, source: facts.costSource, by: own['plimsoll.cost.prices'] };
}

/** A span named plimsoll.review of 12 minutes. */
function review(values: Values = {}, minutes = 12) {
  const name = 'plimsoll.review';
  return [
    { 'plimsoll.reviewer.role': 'clerk', ...values },
    { name, endTimeUnixNano: String(1_760_000_000_000_000_000n + BigInt(minutes * 60) * 1_000_000_000n) },
  ] as const;
}

describe('a model price that the operator states', () => {
  const models = { 'gpt-4o': [{ input: 1, output: 10, usdPerCall: 0 }] };

  test('comes before the list price, and is named', () => {
    const { usd, source, by } = priced({ models }, chat);
    expect([usd, source]).toEqual([0.002, 'computed']);
    expect(by).toMatch(/^configured [0-9a-f]{12}$/);
  });

  test('leaves other models to the price list, and gives unknown ones a price', () => {
    const other = { ...chat, 'gen_ai.request.model': 'gpt-4o-mini' };
    expect(priced({ models }, other).by).toMatch(/^genai-prices/);
    const mine = { ...chat, 'gen_ai.request.model': 'our-llama-70b' };
    expect(priced({ models }, mine)).toEqual({ usd: undefined, source: 'unpriced', by: undefined });
    const own = { 'our-llama*': [{ input: 0.5, output: 0, usdPerCall: 0.001 }] };
    expect(priced({ models: own }, mine).usd).toBe(0.0015);
  });

  test('is the longest name that fits, of the provider it is for', () => {
    const all = { 'g*': rates(1), 'gpt-*': rates(2) };
    expect(priced({ models: all }, chat).usd).toBe(0.002);
    expect(priced({ models: { ...all, 'gpt-4*': rates(3, 'OpenAI') } }, chat).usd).toBe(0.003);
    expect(priced({ models: { 'gpt-4*': rates(3, 'azure.ai.openai') } }, chat).by).toMatch(/^genai-prices/);
  });

  test("is not hidden by a more exact name of another provider's, or that has not begun", () => {
    const all = { 'gpt-*': rates(2), 'gpt-4*': rates(3, 'azure.ai.openai'), 'gpt-4o': rates(4, 'azure') };
    expect(priced({ models: all }, chat).usd).toBe(0.002);
    const later = { 'gpt-*': rates(2), 'gpt-4o': [changed(Date.parse('2026-01-01'), 9)] };
    expect(priced({ models: later }, chat).usd).toBe(0.002);
  });

  test('is the one that had begun when the call was made', () => {
    const [before, after] = [Date.parse('2025-10-09'), Date.parse('2025-10-10')];
    const dated = { 'gpt-4o': [changed(after, 9), changed(before, 5), changed(0, 1)] };
    expect(priced({ models: dated }, chat).usd).toBe(0.005); // 2025-10-09T08:53:20Z
  });

  test('charges cached tokens as stated, else as others', () => {
    const cached = { ...chat, 'gen_ai.usage.cache_read.input_tokens': 400 };
    const one = { input: 1, output: 0, usdPerCall: 0 };
    expect(priced({ models: { 'gpt-4o': [one] } }, cached).usd).toBe(0.001);
    expect(priced({ models: { 'gpt-4o': [{ ...one, cacheRead: 0.1 }] } }, cached).usd).toBe(0.00064);
  });
});

describe('a tool price that the operator states', () => {
  const tools = { web_search: 0.01, 'crm.*': 0.002 };

  test('is what each attempt that ran costs, whether it failed or not', () => {
    expect(priced({ tools }, call)).toEqual({
      usd: 0.01,
      source: 'static',
      by: expect.stringMatching(/^configured/),
    });
    expect(priced({ tools }, call, failedStatus).usd).toBe(0.01);
    expect(priced({ tools }, { ...call, 'gen_ai.tool.name': 'crm.find' }).usd).toBe(0.002);
  });

  test('costs nothing when the call did not run, or has no price', () => {
    const refused = { ...call, 'plimsoll.escalation.state': 'rejected' };
    for (const values of [refused, { ...call, 'gen_ai.tool.name': 'get_order' }])
      expect(priced({ tools }, values)).toEqual({ usd: undefined, source: undefined, by: undefined });
  });

  test('does not replace what the sender reports', () => {
    expect(priced({ tools }, { ...call, 'plimsoll.cost.usd': 0.5 })).toMatchObject({
      usd: 0.5,
      source: 'reported',
    });
  });
});

describe('what a human review costs', () => {
  const prices = { review: { usdPerHour: 60, usdPerHourByRole: { lawyer: 240 }, limitMs: 3_600_000 } };

  test('is the time of its span at the stated rate, by role', () => {
    expect(priced(prices, ...review())).toMatchObject({ usd: 12, source: 'static' });
    expect(priced(prices, ...review({ 'plimsoll.reviewer.role': 'lawyer' })).usd).toBe(48);
    expect(priced(prices, ...review({ 'plimsoll.reviewer.role': 'constructor' })).usd).toBe(12);
  });

  test('is by the seconds that somebody states, whatever the span is', () => {
    expect(priced(prices, ...review({ 'plimsoll.review.seconds': 90 })).usd).toBe(1.5);
    expect(priced(prices, { 'plimsoll.review.seconds': 90 }).usd).toBe(1.5);
  });

  test('takes a longer span for one of the limit', () => {
    expect(priced(prices, ...review({}, 600)).usd).toBe(60);
  });

  test.each(['requested', 'timed_out', 'auto'])(
    'is nothing while the answer is %s: nobody worked',
    (state) => {
      expect(priced(prices, ...review({ 'plimsoll.escalation.state': state })).usd).toBeUndefined();
    },
  );

  test('is nothing where no rate is stated', () => {
    expect(priced({}, ...review())).toEqual({ usd: undefined, source: undefined, by: undefined });
  });
});

test('other prices are another revision of the enrichment', () => {
  expect(new Set([revision(), revision({ tools: { a: 1 } }), revision({ tools: { a: 2 } })]).size).toBe(3);
  expect(revision({})).toBe(revision());
});
