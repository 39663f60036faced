import type { SpanFacts } from '../semconv/span-facts.ts';
import type { Arrival } from './arrival.ts';
import { nest } from './logical-calls.ts';
import { nanosOf } from './quantities.ts';
import { none } from './rows.ts';
import { known, type SpanTable } from './span-table.ts';

/** A remembered span that says what its tool call cost. */
interface Costly {
  readonly row: number;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Adds up what the tool calls of runs cost: every attempt once, however many spans and log records tell of it, and by
 * the operator's price only those that ran. Spans may come in any order.
 */
export class ToolCosts {
  readonly #spans: SpanTable;
  /** Billionths of a US dollar that calls cost which a run does not remember. */
  #folded = new Map<number, number>();

  constructor(spans: SpanTable) {
    this.#spans = spans;
  }

  /** Takes the cost of `span`, a tool call. A folded one counts, whatever it repeats. */
  add(span: SpanFacts, { run, row, ids, folded, isRoot, startMs, endMs }: Arrival): void {
    const { costUsd } = span;
    if (costUsd === undefined) return;
    if (folded) {
      this.#folded.set(run, (this.#folded.get(run) ?? 0) + nanosOf(costUsd));
      return;
    }
    const spans = this.#spans;
    spans.learn(row, span.costSource === 'static' ? known.toolCost | known.statedPrice : known.toolCost);
    spans.setCallCost(row, nanosOf(costUsd), startMs, endMs);
    spans.setParent(row, isRoot ? none : spans.obtain(run, ids.parent0, ids.parent1));
  }

  /** Billionths of a US dollar that the tool calls of `run` cost. `hasLogs`: log records tell of them, too. */
  of(run: number, hasLogs: boolean): number {
    let sum = this.#folded.get(run) ?? 0;
    const costly = this.#costlyIn(run);
    if (costly.length === 0) return sum;
    const spans = this.#spans;
    const repeats = this.#repeatsIn(costly);
    const refused = hasLogs ? this.#refusedIn(run) : nobody;
    for (const { row } of costly) {
      if (repeats.has(row)) continue;
      const isStated = (spans.known(row) & known.statedPrice) !== 0;
      const outer = this.#outerOf(row);
      const ran = !this.#isRefused(row, refused) && (outer === none || !this.#isRefused(outer, refused));
      if (ran || !isStated) sum += spans.costNanos(row);
    }
    return sum;
  }

  #costlyIn(run: number): readonly Costly[] {
    const spans = this.#spans;
    const costly: Costly[] = [];
    for (let row = spans.first(run); row !== none; row = spans.after(row)) {
      if ((spans.known(row) & known.toolCost) === 0) continue;
      costly.push({ row, startMs: spans.callStartMs(row), endMs: spans.callEndMs(row) });
    }
    return costly;
  }

  /** The rows that tell of what another one tells of, too: spans around it, and log records of calls that spans tell of. */
  #repeatsIn(costly: readonly Costly[]): ReadonlySet<number> {
    const repeats = new Set<number>();
    const byCall = new Map<number, Costly[]>();
    for (const one of costly) {
      const outer = this.#outerOf(one.row);
      if (outer !== none) repeats.add(outer);
      const call = this.#spans.call(one.row);
      if (call !== 0 && !byCall.get(call)?.push(one)) byCall.set(call, [one]);
    }
    for (const alike of byCall.values()) if (alike.length > 1) this.#addRepeats(alike, repeats);
    return repeats;
  }

  /** Adds those of the rows `alike` in their call id that repeat another one of them. */
  #addRepeats(alike: readonly Costly[], repeats: Set<number>): void {
    const isLog = ({ row }: Costly): boolean => (this.#spans.known(row) & known.log) !== 0;
    const told = alike.filter((one) => !isLog(one));
    if (told.length > 0) for (const one of alike) if (isLog(one)) repeats.add(one.row);
    const around = new Map<Costly, Costly>();
    nest(told.length > 0 ? told : alike, around);
    for (const [inner, outer] of around) if (this.#outerOf(inner.row) === none) repeats.add(outer.row);
  }

  /** The span around `row`, which has a cost, that has one and tells of the same call; `none` when there is none. */
  #outerOf(row: number): number {
    const spans = this.#spans;
    const parent = spans.parent(row);
    if (parent === none || parent === row || (spans.known(parent) & known.toolCost) === 0) return none;
    const tool = spans.tool(row);
    return tool === '' || tool === spans.tool(parent) ? parent : none;
  }

  /** What stands for the ids of the calls that a human refused in a log record. */
  #refusedIn(run: number): ReadonlySet<number> {
    const spans = this.#spans;
    const refused = new Set<number>();
    for (let row = spans.first(run); row !== none; row = spans.after(row)) {
      const facts = spans.known(row);
      if ((facts & known.tool) === 0 && (facts & didNotRun) !== 0) refused.add(spans.call(row));
    }
    refused.delete(0);
    return refused;
  }

  #isRefused(row: number, refused: ReadonlySet<number>): boolean {
    return (this.#spans.known(row) & didNotRun) !== 0 || refused.has(this.#spans.call(row));
  }

  /** Adds what calls of `from` cost that it did not remember to what those of `into` did. */
  move(from: number, into: number): void {
    const nanos = this.#folded.get(from);
    if (nanos !== undefined) this.#folded.set(into, nanos + (this.#folded.get(into) ?? 0));
    this.forget(from);
  }

  /** What is added up of calls that runs do not remember, lent until one is added. */
  save(): ReadonlyMap<number, number> {
    return this.#folded;
  }

  /** Makes these the sums that were saved. */
  restore(folded: ReadonlyMap<number, number>): void {
    this.#folded = new Map(folded);
  }

  /** Forgets what calls of `run` cost that it did not remember. */
  forget(run: number): void {
    if (this.#folded.size > 0) this.#folded.delete(run);
  }
}

const didNotRun = known.refused | known.unanswered;
const nobody: ReadonlySet<number> = new Set();
