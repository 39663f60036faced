import type { OwnView } from './own-view.ts';
import { fields as canonicalFields } from '../semconv/fields.ts';
import { limitCount, limitUsd } from '../semconv/plimsoll.ts';
import type { Finding } from './finding.ts';
import { costUsd, rounded, type Prices } from './prices.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const fields = canonicalFields;

/**
 * Finds the tokens and the cost of a span. Only a model call has tokens of its own, and no agent or handoff has a
 * cost of its own: they repeat the sum of the calls below them. A reported cost stands; no other one replaces it. A
 * model call without a price is unpriced; a tool or a review of which the operator states no price costs nothing.
 */
export function findCost(view: OwnView, finding: Finding, prices: Prices): void {
  const usage = finding.step === 'llm' ? findUsage(view, finding) : undefined;
  if (view.hasOwn(fields.costUsd)) {
    finding.costSource = 'reported';
    return;
  }
  if (view.hasOwn(fields.costSource) || finding.step === 'agent' || finding.step === 'handoff') return;
  const reported = reportedUsd(view, finding);
  if (reported !== undefined) {
    finding.costUsd = reported;
    finding.costSource = 'reported';
  } else if (usage) findModelCost(view, finding, prices, usage);
  else if (finding.step === 'tool') findToolCost(view, finding, prices);
  else if (finding.step === 'review') findReviewCost(view, finding, prices);
}

function findModelCost(view: OwnView, finding: Finding, prices: Prices, usage: Tokens): void {
  const rates = prices.ratesAt(
    view.string(fields.provider) ?? '',
    view.string(fields.model) ?? '',
    view.startMs,
  );
  const cost = rates && costUsd(rates, usage);
  if (!rates || cost === undefined) {
    finding.costSource = 'unpriced';
    return;
  }
  finding.costUsd = cost;
  finding.costSource = 'computed';
  finding.priceRevision = rates.revision;
}

/** Every attempt that ran costs; what a human refused did not run. */
function findToolCost(view: OwnView, finding: Finding, { list }: Prices): void {
  if (list.revision === '' || (finding.result !== 'ok' && finding.result !== 'error')) return;
  const usd = list.toolUsd(view.string(fields.tool) ?? finding.toolFromSpan);
  if (usd !== undefined) state(finding, usd, list.revision);
}

/** The seconds that somebody states, else those of the span. Who was not asked, or has not answered, cost nothing. */
function findReviewCost(view: OwnView, finding: Finding, { list }: Prices): void {
  const { review, revision } = list;
  const usdPerHour = list.reviewUsdPerHour(view.string(fields.reviewerRole) ?? '');
  if (
    !review ||
    usdPerHour === undefined ||
    finding.state === 'auto' ||
    finding.state === 'requested' ||
    finding.state === 'timed_out'
  )
    return;
  const lastedMs = Math.min(Math.max(0, view.endMs - view.startMs), review.limitMs);
  const seconds = view.number(fields.reviewSeconds) ?? lastedMs / 1000;
  const usd = rounded((seconds / 3600) * usdPerHour);
  if (usd !== undefined) state(finding, usd, revision);
}

function state(finding: Finding, usd: number, revision: string): void {
  finding.costUsd = usd;
  finding.costSource = 'static';
  finding.priceRevision = revision;
}

/** What a convention reports in US dollars; undefined when it reports nothing, nonsense, or another currency. */
function reportedUsd(view: OwnView, finding: Finding): number | undefined {
  const isMicros = view.has(fields.reportedCostMicros);
  if (!isMicros && !view.has(fields.reportedCost)) return undefined;
  const currency = view.string(fields.costCurrency);
  if (currency !== undefined && currency.toUpperCase() !== 'USD') return undefined;
  const usd = isMicros ? millionth(view.number(fields.reportedCostMicros)) : view.number(fields.reportedCost);
  if (usd !== undefined && usd <= limitUsd) return usd;
  finding.nonsense++;
  return undefined;
}

function millionth(micros: number | undefined): number | undefined {
  return micros === undefined ? undefined : micros / 1e6;
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
  const input = count(view, finding, fields.inputTokens);
  const uncached = input === undefined ? count(view, finding, fields.uncachedInputTokens) : undefined;
  const output = count(view, finding, fields.outputTokens);
  if (input === undefined && uncached === undefined && output === undefined) return undefined;
  tokens.input = input ?? uncached ?? 0;
  tokens.output = output ?? 0;
  tokens.cacheRead = count(view, finding, fields.cacheReadTokens) ?? 0;
  tokens.cacheWrite = count(view, finding, fields.cacheWriteTokens) ?? 0;
  const cached = tokens.cacheRead + tokens.cacheWrite;
  if (uncached !== undefined || cached > tokens.input) finding.inputTokens = tokens.input += cached;
  const reasoning = count(view, finding, fields.reasoningTokens) ?? 0;
  if (reasoning > tokens.output) finding.outputTokens = tokens.output += reasoning;
  return tokens;
}

/** A count that is none, such as a negative one, counts as nothing. */
function count(view: OwnView, finding: Finding, field: number): number | undefined {
  const value = view.number(field);
  if (value !== undefined && value <= limitCount) return value;
  if (view.has(field)) finding.nonsense++;
  return undefined;
}
