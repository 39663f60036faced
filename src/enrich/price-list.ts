import { hash } from 'node:crypto';
import { ByName } from './by-name.ts';

/** US dollars per million tokens of one model from some time on. Cached tokens without a price cost what others do. */
export interface ModelRates {
  /** Whose model it is, as spans name the provider; any provider's when left out. */
  readonly provider?: string | undefined;
  /** Unix milliseconds, when a day begins in UTC; always when left out. */
  readonly fromMs?: number | undefined;
  readonly input: number;
  readonly output: number;
  readonly cacheRead?: number | undefined;
  readonly cacheWrite?: number | undefined;
  /** US dollars that each call costs besides. */
  readonly usdPerCall: number;
}

/** Of rates that say none. */
const begin = Number.NEGATIVE_INFINITY;

/** What a person's time costs: a review of so many seconds costs that share of the hour. */
export interface ReviewPrice {
  readonly usdPerHour: number;
  /** Instead of it, by what spans say in `plimsoll.reviewer.role`. */
  readonly usdPerHourByRole: Readonly<Record<string, number>>;
  /** A review whose span is longer is taken to have lasted so long; seconds that somebody states are not cut. */
  readonly limitMs: number;
}

/** Prices that an operator states, by names as of `ByName`. */
export interface PriceListOptions {
  /**
   * By model; they come before any other price of it. Rates of another provider, or that have not begun, are none; of
   * several the most exact name is the price, and of that the latest.
   */
  readonly models?: Readonly<Record<string, readonly ModelRates[]>> | undefined;
  /** US dollars a call, by tool. */
  readonly tools?: Readonly<Record<string, number>> | undefined;
  readonly review?: ReviewPrice | undefined;
}

/** The prices that an operator states, found by name. */
export class PriceList {
  /** Names the list, so that a cost can be computed anew; '' when it is empty. */
  readonly revision: string;
  readonly review: ReviewPrice | undefined;
  readonly #models: ByName<readonly ModelRates[]>;
  readonly #tools: ByName<number>;
  readonly #reviewers: ReadonlyMap<string, number>;

  constructor({ models = {}, tools = {}, review }: PriceListOptions = {}) {
    const isEmpty = Object.keys(models).length + Object.keys(tools).length === 0 && !review;
    this.revision = isEmpty
      ? ''
      : `configured ${hash('sha256', JSON.stringify({ models, tools, review })).slice(0, 12)}`;
    this.review = review;
    this.#models = new ByName(models);
    this.#tools = new ByName(tools);
    this.#reviewers = new Map(Object.entries(review?.usdPerHourByRole ?? {}));
  }

  /** The rates of a model at `startMs`; undefined when none are stated. */
  ratesOf(provider: string, model: string, startMs: number): ModelRates | undefined {
    const fits = ({ provider: whose, fromMs = begin }: ModelRates): boolean =>
      fromMs <= startMs && (whose === undefined || whose.toLowerCase() === provider.toLowerCase());
    return this.#models
      .all(model)
      .map((rates) => rates.filter(fits))
      .find((rates) => rates.length > 0)
      ?.reduce((latest, rates) => ((rates.fromMs ?? begin) > (latest.fromMs ?? begin) ? rates : latest));
  }

  /** US dollars that a call of `tool` costs; undefined when nobody states it. */
  toolUsd(tool: string): number | undefined {
    return this.#tools.get(tool);
  }

  /** US dollars that an hour of a reviewer with this role costs; undefined when nobody states it. */
  reviewUsdPerHour(role: string): number | undefined {
    return this.#reviewers.get(role) ?? this.review?.usdPerHour;
  }
}
