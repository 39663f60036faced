import { setTimeout as sleep } from 'node:timers/promises';
import type { Sample } from '../src/cli/demo-table.ts';

const everyMs = 250;
const names = /^plimsoll_(runs|run_escalations|tool_calls|tool_call_attempts|cost_usd)_total$/;

/** Asks a process for its metrics; rejects when it does not answer. */
type Scrape = () => Promise<readonly Sample[]>;

/**
 * Follows the counters of the KPIs as Prometheus would: of whichever process says that it exports them. One process is asked
 * after the other, so that none answers with what was true before another one had answered.
 */
export class CounterWatch {
  /** Where a counter was smaller than before, which Prometheus takes for a restart from 0. */
  readonly fallen: string[] = [];
  /** How often another process than the one before exported them. */
  takeovers = 0;
  /** For how long at most nobody did, in milliseconds. */
  longestGapMs = 0;
  readonly #scrapes: readonly Scrape[];
  readonly #last = new Map<string, number>();
  #owner: Scrape | undefined;
  #seenMs: number | undefined;

  constructor(scrapes: readonly Scrape[]) {
    this.#scrapes = scrapes;
  }

  /** Looks until `ended` aborts. */
  async look(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      for (const scrape of this.#scrapes) this.#see(scrape, await scrape().catch(() => [])); // it is down, or hangs
      await sleep(everyMs, undefined, { signal: ended }).catch(() => undefined); // the loop looks at the signal
    }
  }

  #see(scrape: Scrape, samples: readonly Sample[]): void {
    if (!samples.some(({ name, value }) => name === 'plimsoll_kpi_active' && value === 1)) return;
    const counters = samples.filter(({ name }) => names.test(name));
    if (counters.length === 0) return;
    const nowMs = performance.now();
    if (this.#seenMs !== undefined) this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#seenMs);
    this.#seenMs = nowMs;
    if (this.#owner && this.#owner !== scrape) this.takeovers++;
    this.#owner = scrape;
    for (const { name, labels, value } of counters) {
      const series = `${name}${JSON.stringify(labels)}`;
      const before = this.#last.get(series) ?? 0;
      if (value < before) this.fallen.push(`${series} fell from ${before} to ${value}`);
      this.#last.set(series, value);
    }
    // A series that was there and is not is one that fell, too.
    const there = new Set(counters.map(({ name, labels }) => `${name}${JSON.stringify(labels)}`));
    for (const series of this.#last.keys()) if (!there.has(series)) this.fallen.push(`${series} is gone`);
  }

  /** What the series of `name` add up to. */
  total(name: string): number {
    const all = [...this.#last].filter(([series]) => series.startsWith(`${name}{`));
    return all.reduce((sum, [, value]) => sum + value, 0);
  }
}
