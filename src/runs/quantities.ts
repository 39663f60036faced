import { limitUsd } from '../semconv/plimsoll.ts';

/** What a US dollar is in the unit in which costs add up exactly. */
export const nanosPerUsd = 1e9;

/**
 * A cost of one span in whole billionths of a US dollar, as its row in `otel_traces` has it: sums of them are exact in any
 * order up to 9 million dollars. 0 for none, and for one that no column can hold.
 */
export function nanosOf(costUsd: number | undefined): number {
  return costUsd === undefined || !(costUsd <= limitUsd) ? 0 : Math.round(costUsd * nanosPerUsd);
}

/** Tokens of one span, as its row has them. 0 for none, and for what is no count. */
export function tokensOf(tokens: number | undefined): number {
  return tokens !== undefined && Number.isSafeInteger(tokens) ? tokens : 0;
}
