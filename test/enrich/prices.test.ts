import { readFileSync } from 'node:fs';
import { calcPrice, findProvider } from '@pydantic/genai-prices';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PriceList } from '../../src/enrich/price-list.ts';
import { costUsd, priceRevision, Prices, type Usage } from '../../src/enrich/prices.ts';
import { runs } from '../property-runs.ts';

const day = Date.parse('2026-11-01T12:00:00Z');
const usage = (input: number, output = 0, cacheRead = 0, cacheWrite = 0) => ({
  input,
  output,
  cacheRead,
  cacheWrite,
});
function usdOf(prices: Prices, provider: string, model: string, startMs: number, tokens: Usage) {
  const rates = prices.ratesAt(provider, model, startMs);
  return rates && costUsd(rates, tokens);
}

const million = usage(1_000_000);

describe('the price of a model call', () => {
  test('comes from the package that the revision names', () => {
    const file = new URL('../../node_modules/@pydantic/genai-prices/package.json', import.meta.url);
    const [name, version] = priceRevision.split(' ');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ name: `@pydantic/${name}`, version });
  });

  test.each([
    ['tokens at list price', 'openai', 'gpt-4o', usage(1000, 100), 0.0035],
    ['a dated model name', 'openai', 'gpt-4o-2024-08-06', usage(1000, 100), 0.0035],
    [
      'cached tokens as part of the input',
      'anthropic',
      'claude-sonnet-4-5',
      usage(10_000, 500, 8000, 1000),
      0.01665,
    ],
    ['a long prompt at the rate of its tier', 'google', 'gemini-2.5-pro', usage(300_000), 0.75],
    ['a call that costs by itself', 'perplexity', 'sonar', usage(0), 0.012],
    ['a provider by its OpenTelemetry name', 'x_ai', 'grok-4', usage(1_000_000), 3],
    ['a provider by another OpenTelemetry name', 'gcp.gen_ai', 'gemini-2.5-flash', usage(0, 1_000_000), 2.5],
    ['a framework that says it is the provider', 'strands-agents', 'gpt-4o', usage(1000, 100), 0.0035],
    ['a model without a provider', '', 'gpt-4o', usage(1000, 100), 0.0035],
  ])('counts %s', (_, provider, model, tokens, usd) => {
    expect(usdOf(new Prices(), provider, model, day, tokens)).toBeCloseTo(usd, 9);
  });

  test('is that of the day of the call', () => {
    const prices = new Prices();
    expect(usdOf(prices, 'openai', 'o3', Date.parse('2025-05-01'), million)).toBe(10);
    expect(usdOf(prices, 'openai', 'o3', Date.parse('2025-06-11'), million)).toBe(2);
    expect(usdOf(prices, 'openai', 'o3', Date.parse('2025-05-01'), million)).toBe(10);
  });

  test('is that of its own provider, model and time, whichever call came before', () => {
    const times = ['2025-05-01T01:00Z', '2025-05-01T20:00Z', '2025-06-11T01:00Z', '2025-06-11T20:00Z'];
    const calls = ['openai', 'azure', 'ollama', 'deepseek'].flatMap((provider) =>
      ['gpt-4o', 'gpt-41', 'o3', 'deepseek-chat'].flatMap((model) =>
        times.map((time) => [provider, model, Date.parse(time)] as const),
      ),
    );
    const stated = { input: 1, output: 0, usdPerCall: 0, fromMs: Date.parse('2025-06-11') };
    const models = { 'deepseek-*': [stated], o3: [{ ...stated, input: 7, provider: 'azure' }] };
    const fresh = () => new Prices(new PriceList({ models }));
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...calls), { minLength: 2, maxLength: 60, size: 'max' }),
        (sequence) => {
          const prices = fresh();
          for (const [provider, model, startMs] of sequence) {
            const alone = usdOf(fresh(), provider, model, startMs, million);
            expect(usdOf(prices, provider, model, startMs, million)).toBe(alone);
          }
        },
      ),
      { numRuns: Math.min(runs, 100) },
    );
  });

  test('is that of the time of day also where the operator stated it for a later day', () => {
    const stated = [{ input: 1, output: 0, usdPerCall: 0, fromMs: Date.parse('2026-01-01') }];
    const prices = new Prices(new PriceList({ models: { 'deepseek-chat': stated } }));
    const at = (time: string) => usdOf(prices, 'deepseek', 'deepseek-chat', Date.parse(time), million);
    expect([at('2026-02-01T01:00Z'), at('2025-05-01T01:00Z'), at('2025-05-01T20:00Z')]).toEqual([
      1, 0.27, 0.135,
    ]);
  });

  test('is that of the time of day where the provider says so', () => {
    const prices = new Prices();
    const at = (time: string) =>
      usdOf(prices, 'deepseek', 'deepseek-chat', Date.parse(`2025-05-01T${time}Z`), million);
    expect([at('00:29:59'), at('00:30:00'), at('16:29:59'), at('16:30:00')]).toEqual([
      0.135, 0.27, 0.27, 0.135,
    ]);
  });

  test.each([
    ['an unknown model', 'openai', 'no-such-model'],
    ['no model', 'openai', ''],
    ['a model of another provider', 'openai', 'claude-sonnet-4-5'],
    ['a model that somebody runs himself', 'ollama', 'deepseek-chat'],
  ])('is unknown for %s: never 0 and never a guess', (_, provider, model) => {
    expect(usdOf(new Prices(), provider, model, day, million)).toBeUndefined();
  });

  test('changes by the minute at the finest, which is how finely it is remembered', () => {
    const models = ['deepseek', 'openai', 'anthropic', 'google', 'aws', 'azure', 'mistral', 'x-ai'].flatMap(
      (providerId) => findProvider({ providerId })?.models ?? [],
    );
    const constraints = models
      .flatMap((model) => (Array.isArray(model.prices) ? model.prices : []))
      .flatMap((price) => price.constraint ?? []);
    expect(constraints.length).toBeGreaterThan(0);
    for (const constraint of constraints) {
      if (constraint.type === 'start_date') expect(constraint.start_date).toMatch(/^\d{4}-\d\d-\d\d$/);
      else expect(`${constraint.start_time} ${constraint.end_time}`).toMatch(/^\d\d:\d\d:00Z \d\d:\d\d:00Z$/);
    }
  });

  test('is what the price list computes, whatever was asked before', () => {
    const prices = new Prices();
    const known = ['openai', 'anthropic', 'google', 'aws', 'deepseek', 'perplexity'].flatMap((providerId) =>
      (findProvider({ providerId })?.models ?? []).map((model) => ({ providerId, model: model.id })),
    );
    const tokens = fc.integer({ min: 0, max: 400_000 });
    fc.assert(
      fc.property(
        fc.constantFrom(...known),
        fc.date({ min: new Date('2024-01-01'), max: new Date('2027-06-01'), noInvalidDate: true }),
        fc.tuple(tokens, tokens, tokens, tokens),
        ({ providerId, model }, timestamp, [cacheRead, cacheWrite, rest, output]) => {
          const input = cacheRead + cacheWrite + rest;
          const list = calcPrice(
            {
              input_tokens: input,
              output_tokens: output,
              cache_read_tokens: cacheRead,
              cache_write_tokens: cacheWrite,
            },
            model,
            { providerId, timestamp },
          );
          const ours = usdOf(
            prices,
            providerId,
            model,
            timestamp.getTime(),
            usage(input, output, cacheRead, cacheWrite),
          );
          if (ours === undefined) expect(list === null || !hasTokenPrice(list.model_price)).toBe(true);
          else expect(Math.abs(ours - (list?.total_price ?? Number.NaN))).toBeLessThan(2e-9 + ours * 1e-12);
        },
      ),
      { numRuns: runs },
    );
  });
});

function hasTokenPrice(price: Readonly<Record<string, unknown>>): boolean {
  return price['input_mtok'] !== undefined || price['output_mtok'] !== undefined;
}
