import type { SpanFacts } from '../semconv/span-facts.ts';

/** Cost and tokens; `priced` is false when part of it has no known price. */
export interface Usage {
  readonly costUsd: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly priced: boolean;
}

/**
 * Adds up usage over the innermost spans only: an outer span that wraps others repeats their total, and a naive
 * sum is exactly twice the truth on real captures. Spans may come in any order.
 */
export class LeafUsage {
  readonly #usages = new Map<string, Usage>();
  readonly #outer = new Set<string>();

  get size(): number {
    return this.#usages.size;
  }

  /** Takes the usage of `span`; a span without any is ignored. */
  add(span: SpanFacts, spanId: string, parentSpanId: string): void {
    const { costUsd, inputTokens, outputTokens } = span;
    const priced = span.costSource !== 'unpriced';
    if (costUsd === undefined && inputTokens === undefined && outputTokens === undefined && priced) return;
    this.#usages.set(spanId, {
      costUsd: costUsd ?? 0,
      inputTokens: inputTokens ?? 0,
      outputTokens: outputTokens ?? 0,
      priced,
    });
    this.#outer.add(parentSpanId);
  }

  total(): Usage {
    let costUsd = 0;
    let inputTokens = 0;
    let outputTokens = 0;
    let priced = true;
    for (const [spanId, usage] of this.#usages) {
      if (this.#outer.has(spanId)) continue;
      costUsd += usage.costUsd;
      inputTokens += usage.inputTokens;
      outputTokens += usage.outputTokens;
      priced &&= usage.priced;
    }
    return { costUsd, inputTokens, outputTokens, priced };
  }
}
