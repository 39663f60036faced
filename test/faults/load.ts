import { setTimeout as sleep } from 'node:timers/promises';
import { GrpcLoad } from '../../bench/grpc-load.ts';
import { until } from '../until.ts';
import type { Ledger } from './ledger.ts';
import { spansPerRequest, type LedgerRequest, type LedgerRequests } from './requests.ts';

/** Requests under way at once: as many may wait for Kafka while it is away. */
const senders = 32;
/** A load that was held up does not make up for more than this. */
const mostBehindMs = 1000;
const retryMs = 200;
const poisonEveryMs = 20_000;

/** Sends requests of the ledger over OTLP gRPC at a steady rate, each once, and notes what became of each. */
export class Load {
  readonly ledger: Ledger;
  readonly #requests: LedgerRequests;
  readonly #url: () => Promise<string>;
  readonly #everyMs: number;
  #nextMs = 0;
  #poisonMs = Date.now() + poisonEveryMs;
  #isOn = false;
  #running: readonly Promise<void>[] = [];
  /** Answered with an error, by gRPC status. */
  readonly refusals = new Map<number, number>();

  /** `url` chooses a receiver that is up, for every connection anew. */
  constructor(ledger: Ledger, requests: LedgerRequests, url: () => Promise<string>, spansPerSecond: number) {
    this.ledger = ledger;
    this.#requests = requests;
    this.#url = url;
    this.#everyMs = (1000 * spansPerRequest) / spansPerSecond;
  }

  start(): void {
    this.#isOn = true;
    this.#nextMs = performance.now();
    this.#running = Array.from({ length: senders }, async () => this.#send());
  }

  /** Resolves when everything that was sent has been answered, or never will be. */
  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#running);
  }

  /** Resolves with the numbers of `count` requests that were sent from now on and acknowledged. */
  async acknowledged(count: number, limitMs: number): Promise<readonly number[]> {
    const from = this.ledger.requests;
    const enough = (): readonly number[] | undefined => {
      const requests = this.ledger.acknowledgedSince(from);
      return requests.length >= count ? requests : undefined;
    };
    return until(
      `${count} requests to be acknowledged`,
      async () => enough() ?? (await sleep(retryMs), undefined),
      limitMs,
    );
  }

  async #send(): Promise<void> {
    let load: GrpcLoad | undefined;
    while (await this.#turn()) {
      try {
        load ??= new GrpcLoad(await this.#url(), 1);
      } catch {
        continue; // no receiver is up
      }
      const { request, bytes } = this.#next();
      try {
        const status = await load.send(bytes);
        this.ledger.answer(request, status === 0 ? 'acknowledged' : 'refused');
        if (status !== 0) this.refusals.set(status, (this.refusals.get(status) ?? 0) + 1);
      } catch {
        this.ledger.answer(request, 'unknown');
        load.close();
        load = undefined;
        await sleep(retryMs);
      }
    }
    load?.close();
  }

  #next(): LedgerRequest {
    const nowMs = Date.now();
    if (nowMs < this.#poisonMs) return this.#requests.next(nowMs);
    this.#poisonMs = nowMs + poisonEveryMs;
    return this.#requests.poisoned(nowMs);
  }

  /** Resolves when the next request is due; with whether there is to be one. */
  async #turn(): Promise<boolean> {
    const now = performance.now();
    const at = Math.max(this.#nextMs, now - mostBehindMs);
    this.#nextMs = at + this.#everyMs;
    if (at > now) await sleep(at - now);
    return this.#isOn;
  }
}
