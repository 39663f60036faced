import {
  calcPrice,
  findProvider,
  type ModelPrice,
  type PriceCalculation,
  type TieredPrices,
} from '@pydantic/genai-prices';
import { limitUsd } from '../semconv/plimsoll.ts';
import { PriceList, type ModelRates } from './price-list.ts';

/** The package and version that computed costs come from, stamped beside them so that they can be computed anew. */
export const priceRevision = 'genai-prices 0.1.8';

/** Tokens of one model call. `input` includes both cache counts, `output` includes reasoning. */
export interface Usage {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
}

type Price = number | TieredPrices;

/** US dollars per million tokens, and per call. Undefined cache prices are charged as other input. */
export interface Rates {
  /** Whose prices these are, so that a cost can be computed anew. */
  readonly revision: string;
  readonly input: Price;
  readonly output: Price;
  readonly cacheRead: Price | undefined;
  readonly cacheWrite: Price | undefined;
  readonly usdPerCall: number;
}

/** Prices of one model by period: a day, or a minute where the list price depends on the time of day. */
interface Model {
  readonly periodMs: number;
  /** By period. */
  readonly rates: Map<number, Rates | undefined>;
}

/** The rates of a model in the period [fromMs, toMs), found without asking for them by name. */
interface RecentRates {
  readonly provider: string;
  readonly model: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly rates: Rates | undefined;
}

/** By the length of the model's name; a power of two. */
const recentCount = 32;

const dayMs = 86_400_000;
const minuteMs = 60_000;
const memoLimit = 4096;

/** OpenTelemetry's names of providers that the price list does not know or takes for another. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['x_ai', 'x-ai'],
  ['gcp.gen_ai', 'google'],
  ['azure.ai.openai', 'azure'],
  ['az.ai.openai', 'azure'],
  ['azure.ai.inference', 'azure'],
]);

/** Whoever runs a model himself pays no list price for it, whatever the model is called. */
const selfHosted: ReadonlySet<string> = new Set([
  'ollama',
  'vllm',
  'sglang',
  'llama.cpp',
  'llamacpp',
  'llama_cpp',
  'lmstudio',
  'lm_studio',
  'localai',
  'mlx',
  'tgi',
]);

/**
 * What things cost: what the operator states, else list prices of model calls from `@pydantic/genai-prices`, offline
 * and dated: the price is that of the call's start. Looking a model up costs 20 µs, so its rates are remembered by period.
 */
export class Prices {
  /** What the operator states. */
  readonly list: PriceList;
  readonly #models = new Map<string, Map<string, Model>>();
  #remembered = 0;
  readonly #recent: (RecentRates | undefined)[] = Array.from({ length: recentCount }, () => undefined);

  constructor(list = new PriceList()) {
    this.list = list;
  }

  /** What a call of `model` at `startMs` costs; undefined when no price is known. */
  ratesAt(provider: string, model: string, startMs: number): Rates | undefined {
    const place = model.length & (recentCount - 1);
    const recent = this.#recent[place];
    if (
      recent !== undefined &&
      recent.model === model &&
      recent.provider === provider &&
      startMs >= recent.fromMs &&
      startMs < recent.toMs
    )
      return recent.rates;
    const { periodMs, rates } = this.#modelOf(provider, model, startMs);
    const period = Math.floor(startMs / periodMs);
    const fromMs = period * periodMs;
    const found = rates.get(period);
    this.#recent[place] = { provider, model, fromMs, toMs: fromMs + periodMs, rates: found };
    return found;
  }

  /** The model, with the rates at `startMs`. */
  #modelOf(provider: string, model: string, startMs: number): Model {
    const known = this.#models.get(provider)?.get(model);
    const isKnown = known?.rates.has(Math.floor(startMs / known.periodMs));
    return known && isKnown ? known : this.#remember(provider, model, startMs);
  }

  /** Names and times are the sender's, so what is remembered has a limit. */
  #remember(provider: string, model: string, startMs: number): Model {
    if (++this.#remembered > memoLimit) {
      this.#models.clear();
      this.#remembered = 1;
    }
    const stated = this.list.ratesOf(provider, model, startMs);
    const price = lookUp(provider, model, startMs); // also of a stated one: at another time the list may be what counts
    let models = this.#models.get(provider);
    if (!models) this.#models.set(provider, (models = new Map()));
    let entry = models.get(model);
    if (!entry) models.set(model, (entry = { periodMs: periodMsOf(price), rates: new Map() }));
    const rates = stated ? ratesOf(stated, this.list.revision) : price && ratesIn(price.model_price);
    entry.rates.set(Math.floor(startMs / entry.periodMs), rates);
    return entry;
  }
}

/** US dollars of a call with `usage`, rounded to 10⁻⁹ like the column that stores them; undefined when that is absurd. */
export function costUsd(rates: Rates, { input, output, cacheRead, cacheWrite }: Usage): number | undefined {
  let plain = input;
  let perMillion = 0;
  if (rates.cacheRead !== undefined) {
    plain -= cacheRead;
    perMillion += cacheRead * priceAt(rates.cacheRead, input);
  }
  if (rates.cacheWrite !== undefined) {
    plain -= cacheWrite;
    perMillion += cacheWrite * priceAt(rates.cacheWrite, input);
  }
  perMillion += plain * priceAt(rates.input, input) + output * priceAt(rates.output, input);
  return rounded(rates.usdPerCall + perMillion / 1e6);
}

/** US dollars rounded to 10⁻⁹; undefined when more than the column can hold. */
export function rounded(usd: number): number | undefined {
  const nearest = Math.round(usd * 1e9) / 1e9;
  return nearest <= limitUsd ? nearest : undefined;
}

/** The tier that the whole prompt reaches is the price of every token of the call. */
function priceAt(price: Price, inputTokens: number): number {
  if (typeof price === 'number') return price;
  let reached = price.base;
  for (const tier of price.tiers) if (inputTokens > tier.start) reached = tier.price;
  return reached;
}

/**
 * Asks the price list for the price of a call without tokens. A provider it does not know (a framework that names
 * itself, a gateway) does not hide whose model it is; a provider it knows does not lend its name to another's price.
 */
function lookUp(provider: string, model: string, startMs: number): PriceCalculation | undefined {
  const name = provider.toLowerCase();
  if (model === '' || selfHosted.has(name)) return undefined;
  const providerId = aliases.get(name) ?? name;
  const isKnown = providerId !== '' && findProvider({ providerId }) !== undefined;
  const options = { timestamp: new Date(startMs), ...(isKnown ? { providerId } : {}) };
  try {
    return calcPrice({ input_tokens: 0, output_tokens: 0 }, model, options) ?? undefined;
  } catch {
    return undefined; // a model the list cannot price is unpriced, whatever its reason
  }
}

function periodMsOf(price: PriceCalculation | undefined): number {
  const prices = price?.model.prices;
  return Array.isArray(prices) && prices.some((dated) => dated.constraint?.type === 'time_of_date')
    ? minuteMs
    : dayMs;
}

function ratesIn(price: ModelPrice): Rates | undefined {
  const input = price['input_mtok'];
  const output = price['output_mtok'];
  if (input === undefined && output === undefined) return undefined; // priced by something else than tokens
  const calls = price['requests_kcount'];
  return {
    revision: priceRevision,
    input: input ?? 0,
    output: output ?? 0,
    cacheRead: price['cache_read_mtok'],
    cacheWrite: price['cache_write_mtok'],
    usdPerCall: typeof calls === 'number' ? calls / 1000 : 0,
  };
}

function ratesOf({ input, output, cacheRead, cacheWrite, usdPerCall }: ModelRates, revision: string): Rates {
  return { revision, input, output, cacheRead, cacheWrite, usdPerCall };
}
