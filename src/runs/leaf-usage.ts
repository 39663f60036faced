import type { SpanFacts } from '../semconv/span-facts.ts';

/** Cost and tokens; `priced` is false when part of it has no known price. */
export interface Usage {
  readonly costUsd: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly priced: boolean;
}

/** A sum of usages. */
class UsageSum implements Usage {
  costUsd = 0;
  inputTokens = 0;
  outputTokens = 0;
  priced = true;

  add(usage: Usage): void {
    this.costUsd += usage.costUsd;
    this.inputTokens += usage.inputTokens;
    this.outputTokens += usage.outputTokens;
    this.priced &&= usage.priced;
  }
}

/** The usage that `span` says; undefined when it says none. */
function usageOf({ costUsd, inputTokens, outputTokens, costSource }: SpanFacts): Usage | undefined {
  const priced = costSource !== 'unpriced';
  if (costUsd === undefined && inputTokens === undefined && outputTokens === undefined && priced)
    return undefined;
  return { costUsd: costUsd ?? 0, inputTokens: inputTokens ?? 0, outputTokens: outputTokens ?? 0, priced };
}

/**
 * Adds up usage over the innermost spans only: an outer span that wraps others repeats their total, and a naive
 * sum is exactly twice the truth on real captures. Spans may come in any order.
 */
export class LeafUsage {
  readonly #usages = new Map<string, Usage>();
  readonly #outer = new Set<string>();
  #folded: UsageSum | undefined;

  get isEmpty(): boolean {
    return this.#usages.size === 0 && this.#folded === undefined;
  }

  /** What it holds one by one: three at most for each span that `add` took, none for those that `fold` took alone. */
  get entryCount(): number {
    return this.#usages.size + this.#outer.size;
  }

  /** Takes the usage of `span`; a span without any is ignored. */
  add(span: SpanFacts, spanId: string, parentSpanId: string): void {
    const usage = usageOf(span);
    if (!usage) return;
    this.#usages.set(spanId, usage);
    this.#outer.add(parentSpanId);
  }

  /**
   * Takes the usage of `span` without remembering the span. It is still left out when it wraps a span that is
   * remembered, and makes its parent an outer one when that is; of two that nobody remembers both count.
   */
  fold(span: SpanFacts, spanId: string, parentSpanId: string): void {
    const usage = usageOf(span);
    if (!usage) return;
    if (!this.#outer.has(spanId)) (this.#folded ??= new UsageSum()).add(usage);
    if (this.#usages.has(parentSpanId)) this.#outer.add(parentSpanId);
  }

  total(): Usage {
    const total = new UsageSum();
    if (this.#folded) total.add(this.#folded);
    for (const [spanId, usage] of this.#usages) {
      if (!this.#outer.has(spanId)) total.add(usage);
    }
    return total;
  }
}
