import type { SpanFacts } from '../semconv/span-facts.ts';
import type { Arrival } from './arrival.ts';
import { none } from './rows.ts';
import { nanosOf, tokensOf } from './quantities.ts';
import { known, type SpanTable } from './span-table.ts';

/** Sums by run, as a snapshot keeps them. */
type SavedSums = ReadonlyMap<number, Omit<UsageSum, 'add'>>;

/** The usage of spans that runs do not remember, as a snapshot keeps it. */
export interface LeafUsageState {
  readonly foldedModels: SavedSums;
  readonly foldedAgents: SavedSums;
}

/** A sum of usages: billionths of a US dollar, tokens, and whether every price is known. */
export class UsageSum {
  costNanos = 0;
  inputTokens = 0;
  outputTokens = 0;
  priced = true;

  add(costNanos: number, inputTokens: number, outputTokens: number, priced: boolean): void {
    this.costNanos += costNanos;
    this.inputTokens += inputTokens;
    this.outputTokens += outputTokens;
    this.priced &&= priced;
  }
}

/**
 * Adds up the usage of runs over their innermost spans only: an outer span that wraps others repeats their total, and
 * a naive sum is exactly twice the truth on real captures. Spans may come in any order.
 */
export class LeafUsage {
  readonly #spans: SpanTable;
  /** Usage of the spans that a run does not remember: that of model calls by the run, and that of agents. */
  #foldedModels = new Map<number, UsageSum>();
  #foldedAgents = new Map<number, UsageSum>();

  constructor(spans: SpanTable) {
    this.#spans = spans;
  }

  /**
   * Takes the usage of `span`, a model call or an agent; one that says none is ignored. A folded one is left out when
   * it wraps a span that is remembered, and makes its parent an outer one when that is; of two folded ones both count.
   */
  add(span: SpanFacts, arrival: Arrival): void {
    const { costUsd, inputTokens, outputTokens } = span;
    const priced = span.costSource !== 'unpriced';
    if (costUsd === undefined && inputTokens === undefined && outputTokens === undefined && priced) return;
    const cost = nanosOf(costUsd);
    const input = tokensOf(inputTokens);
    const output = tokensOf(outputTokens);
    const { run, row, ids, folded } = arrival;
    const isModel = arrival.step === 'llm';
    const says = isModel ? known.modelUsage : known.agentUsage;
    const wraps = isModel ? known.wrapsModel : known.wrapsAgent;
    const spans = this.#spans;
    const facts = row === none ? 0 : spans.known(row);
    if (!folded) {
      spans.setKnown(row, facts | says | (priced ? 0 : known.unpriced));
      spans.setUsage(row, cost, input, output);
    } else if ((facts & wraps) === 0) {
      const sum = foldedOf(isModel ? this.#foldedModels : this.#foldedAgents, run);
      sum.add(cost, input, output, priced);
    }
    if (arrival.isRoot) return;
    const { parent0, parent1 } = ids;
    const parent = folded ? spans.find(run, parent0, parent1) : spans.obtain(run, parent0, parent1);
    if (parent === none || (folded && (spans.known(parent) & says) === 0)) return;
    spans.setKnown(parent, spans.known(parent) | wraps);
  }

  /**
   * What model calls of `run` say; agent spans repeat it, and speak where no model call does. `hasLogs`: log records
   * tell of them, too; a span with the tokens of such a record is the same call, and the record knows its cost best.
   */
  of(run: number, hasLogs: boolean): UsageSum {
    const repeats = hasLogs ? this.#repeatsIn(run) : noRepeats;
    const models = this.#sum(run, known.modelUsage, known.wrapsModel, this.#foldedModels.get(run), repeats);
    return (
      models ??
      this.#sum(run, known.agentUsage, known.wrapsAgent, this.#foldedAgents.get(run), noRepeats) ??
      nothing
    );
  }

  /** Undefined when no span says such usage. */
  // oxlint-disable-next-line max-params -- an object for them would be made at every end of a run
  #sum(
    run: number,
    says: number,
    wraps: number,
    folded: UsageSum | undefined,
    repeats: ReadonlySet<number>,
  ): UsageSum | undefined {
    const spans = this.#spans;
    let isSaid = folded !== undefined;
    const sum = new UsageSum();
    if (folded) sum.add(folded.costNanos, folded.inputTokens, folded.outputTokens, folded.priced);
    for (let span = spans.first(run); span !== none; span = spans.after(span)) {
      const facts = spans.known(span);
      if ((facts & says) === 0) continue;
      isSaid = true;
      if ((facts & wraps) !== 0 || repeats.has(span)) continue;
      const priced = (facts & known.unpriced) === 0;
      sum.add(spans.costNanos(span), spans.inputTokens(span), spans.outputTokens(span), priced);
    }
    return isSaid ? sum : undefined;
  }

  /** Adds what spans of `from` said that it did not remember to what those of `into` did. */
  move(from: number, into: number): void {
    for (const folded of [this.#foldedModels, this.#foldedAgents]) {
      const sum = folded.get(from);
      if (sum) foldedOf(folded, into).add(sum.costNanos, sum.inputTokens, sum.outputTokens, sum.priced);
    }
    this.forget(from);
  }

  /** The spans of model calls of which log records with the same tokens tell, too; of several such the cheapest. */
  #repeatsIn(run: number): ReadonlySet<number> {
    const spans = this.#spans;
    const told = new Map<string, number>();
    const alike = new Map<string, number[]>();
    for (let span = spans.first(run); span !== none; span = spans.after(span)) {
      const facts = spans.known(span);
      const tokens = `${spans.inputTokens(span)} ${spans.outputTokens(span)}`;
      if ((facts & known.modelUsage) === 0 || (facts & known.wrapsModel) !== 0 || tokens === '0 0') continue;
      if ((facts & known.log) !== 0) told.set(tokens, (told.get(tokens) ?? 0) + 1);
      else if (!alike.get(tokens)?.push(span)) alike.set(tokens, [span]);
    }
    const cheapest = (a: number, b: number): number =>
      spans.costNanos(a) - spans.costNanos(b) ||
      (spans.known(a) & known.unpriced) - (spans.known(b) & known.unpriced);
    const repeats = [...told].flatMap(
      ([tokens, count]) => alike.get(tokens)?.toSorted(cheapest).slice(0, count) ?? [],
    );
    return new Set(repeats);
  }

  /** The usage of spans that runs do not remember, lent until one is added. */
  save(): LeafUsageState {
    return { foldedModels: this.#foldedModels, foldedAgents: this.#foldedAgents };
  }

  /** Makes this the usage that was saved. */
  restore({ foldedModels, foldedAgents }: LeafUsageState): void {
    this.#foldedModels = sumsOf(foldedModels);
    this.#foldedAgents = sumsOf(foldedAgents);
  }

  /** Forgets what spans of `run` said that it did not remember. */
  forget(run: number): void {
    if (this.#foldedModels.size > 0) this.#foldedModels.delete(run);
    if (this.#foldedAgents.size > 0) this.#foldedAgents.delete(run);
  }
}

const nothing = new UsageSum();
const noRepeats: ReadonlySet<number> = new Set();

function sumsOf(saved: SavedSums): Map<number, UsageSum> {
  return new Map(Array.from(saved, ([run, sum]) => [run, Object.assign(new UsageSum(), sum)]));
}

function foldedOf(sums: Map<number, UsageSum>, run: number): UsageSum {
  const folded = sums.get(run);
  if (folded) return folded;
  const sum = new UsageSum();
  sums.set(run, sum);
  return sum;
}
