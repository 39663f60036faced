import type { OwnView } from './own-view.ts';
import { fields as canonicalFields } from '../semconv/fields.ts';
import { limitCount, limitUsd } from '../semconv/plimsoll.ts';
import type { Finding } from './finding.ts';
import type { Prices } from './prices.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const fields = canonicalFields;

/**
 * Finds the tokens and the cost of a span. Only a model call has tokens of its own, and no agent or handoff has a
 * cost of its own: they repeat the sum of the calls below them. A reported cost stands; a computed one never replaces
 * it; without a price the call is unpriced.
 */
export function findCost(view: OwnView, finding: Finding, prices: Prices): void {
  const usage = finding.step === 'llm' ? findUsage(view, finding) : undefined;
  if (view.hasOwn(fields.costUsd)) {
    finding.costSource = 'reported';
    return;
  }
  if (view.hasOwn(fields.costSource) || finding.step === 'agent' || finding.step === 'handoff') return;
  const reported = isInDollars(view) ? reportedCost(view) : undefined;
  if (reported !== undefined && reported <= limitUsd) {
    finding.costUsd = reported;
    finding.costSource = 'reported';
  } else if (usage) {
    const provider = view.string(fields.provider) ?? '';
    finding.costUsd = prices.costUsd(provider, view.string(fields.model) ?? '', view.startMs, usage);
    finding.costSource = finding.costUsd === undefined ? 'unpriced' : 'computed';
  }
}

function reportedCost(view: OwnView): number | undefined {
  const micros = view.number(fields.reportedCostMicros);
  return micros === undefined ? view.number(fields.reportedCost) : micros / 1e6;
}

function isInDollars(view: OwnView): boolean {
  const currency = view.string(fields.costCurrency);
  return currency === undefined || currency.toUpperCase() === 'USD';
}

interface Tokens {
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
}

/** Read by the caller before the next span. */
const tokens: Tokens = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };

/**
 * The tokens of a model call; undefined when it says none. Parts that exceed their whole show a sender that counts
 * them apart (Anthropic's own counts, Gemini's thoughts), so the whole becomes the sum.
 */
function findUsage(view: OwnView, finding: Finding): Tokens | undefined {
  const input = count(view, fields.inputTokens);
  const uncached = input === undefined ? count(view, fields.uncachedInputTokens) : undefined;
  const output = count(view, fields.outputTokens);
  if (input === undefined && uncached === undefined && output === undefined) return undefined;
  tokens.input = input ?? uncached ?? 0;
  tokens.output = output ?? 0;
  tokens.cacheRead = count(view, fields.cacheReadTokens) ?? 0;
  tokens.cacheWrite = count(view, fields.cacheWriteTokens) ?? 0;
  const cached = tokens.cacheRead + tokens.cacheWrite;
  if (uncached !== undefined || cached > tokens.input) finding.inputTokens = tokens.input += cached;
  const reasoning = count(view, fields.reasoningTokens) ?? 0;
  if (reasoning > tokens.output) finding.outputTokens = tokens.output += reasoning;
  return tokens;
}

function count(view: OwnView, field: number): number | undefined {
  const value = view.number(field);
  return value !== undefined && value <= limitCount ? value : undefined;
}
