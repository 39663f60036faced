import {
  escalationReasons,
  escalationResolutions,
  escalationStates,
  type EscalationReason,
  type EscalationResolution,
  type EscalationState,
} from '../semconv/vocabulary.ts';
import type { Arrival } from './arrival.ts';
import type { FinishedRun } from './finished-run.ts';
import { none } from './rows.ts';
import { byte, type RunTable } from './run-table.ts';
import { known, type SpanTable } from './span-table.ts';

/** What a run has in which nobody was asked. */
const noRequests: readonly number[] = [];

const resolutionOf: Readonly<Record<Exclude<EscalationState, 'auto'>, EscalationResolution>> = {
  requested: 'unknown',
  approved: 'approved',
  modified: 'approved',
  rejected: 'rejected',
  aborted: 'unanswered',
  timed_out: 'unanswered',
};

/** Notes that at the span that arrives a human was asked, and what the span says came of it. Of a span that the run does not remember nothing is noted. */
export function noteRequest(
  spans: SpanTable,
  reason: EscalationReason,
  state: keyof typeof resolutionOf,
  { run, row, ids, folded, isRoot, log, startMs, endMs }: Arrival,
): void {
  if (folded) return;
  const at = escalationReasons.indexOf(reason) * escalationStates.length + escalationStates.indexOf(state);
  spans.setRequest(row, at + 1, state === 'requested' ? startMs : endMs);
  if (!log) spans.setParent(row, isRoot ? none : spans.obtain(run, ids.parent0, ids.parent1));
}

/** What the spans of runs do not say, as a snapshot keeps it. */
export interface EscalationRequestsState {
  readonly settled: ReadonlyMap<number, readonly number[]>;
  readonly peaks: ReadonlyMap<number, readonly number[]>;
}

/**
 * How often a human was asked. The same in whatever order spans come. An exception that asks passes through the spans
 * around: of spans in each other that give the same reason the innermost counts, with the answer that is nearest to it.
 * Log records repeat what spans say. An answer in a span of its own, around which nobody asked, is to a question of the
 * same reason that has none and, to the second, had begun when the answer ended; where there is none, it was both.
 */
export class EscalationRequests {
  readonly #runs: RunTable;
  readonly #spans: SpanTable;
  #settled = new Map<number, readonly number[]>();
  #peaks = new Map<number, readonly number[]>();

  constructor(runs: RunTable, spans: SpanTable) {
    this.#runs = runs;
    this.#spans = spans;
  }

  /** By reason and, within it, resolution, in the order of the vocabulary; the same empty list for every run without any. */
  of(run: number): readonly number[] {
    if (this.#runs.bytes[this.#runs.byteAt(run) + byte.escalationReason] === 0) return noRequests;
    return this.#settled.get(run) ?? requestsIn(this.#spans, run);
  }

  /** Keeps what is known of `run`, whose spans are about to be forgotten. */
  settle(run: number): void {
    const requests = this.of(run);
    if (requests !== noRequests) this.#settled.set(run, requests);
  }

  /** What to report of `run`, noted as the latest report of it: its requests, and the most by reason that were ever reported. */
  report(run: number): Pick<FinishedRun, 'escalationRequests' | 'peakRequests'> {
    const requests = this.of(run);
    if (requests === noRequests) return { escalationRequests: requests, peakRequests: noRequests };
    const before = this.#peaks.get(run) ?? noRequests;
    const peak = escalationReasons.map((_, reason) => {
      const counts = requests.slice(requestsAt(reason, 0), requestsAt(reason + 1, 0));
      return Math.max(
        before[reason] ?? 0,
        counts.reduce((sum, count) => sum + count),
      );
    });
    this.#peaks.set(run, peak);
    return { escalationRequests: requests, peakRequests: peak };
  }

  /** Forgets what is known of `run`. */
  drop(run: number): void {
    if (this.#settled.size > 0) this.#settled.delete(run);
    if (this.#peaks.size > 0) this.#peaks.delete(run);
  }

  /** What the spans do not say, lent until a run is reported or its spans are forgotten. */
  save(): EscalationRequestsState {
    return { settled: this.#settled, peaks: this.#peaks };
  }

  /** Makes this what was saved. */
  restore({ settled, peaks }: EscalationRequestsState): void {
    this.#settled = new Map(settled);
    this.#peaks = new Map(peaks);
  }
}

/** Where requests of `reason` with `resolution` stand in the list of a run. */
function requestsAt(reason: number, resolution: number): number {
  return reason * escalationResolutions.length + resolution;
}

function requestsIn(spans: SpanTable, run: number): readonly number[] {
  const asking: number[] = [];
  for (let row = spans.first(run); row !== none; row = spans.after(row))
    if (spans.request(row) !== 0) asking.push(row);
  if (asking.length === 0) return noRequests;
  const told = escalationReasons.map(() => new Told());
  for (const row of asking) if (isLog(spans, row)) told[reasonOf(spans, row)]!.addLog(stateOf(spans, row));
  const around = new Set(asking.map((row) => outerOf(spans, row)));
  const nests = new Map<number, Nest>();
  for (const row of asking)
    if (!isLog(spans, row) && !around.has(row)) told[reasonOf(spans, row)]!.add(nestOf(spans, row, nests));
  return told.flatMap((each) => each.requests());
}

const isLog = (spans: SpanTable, row: number): boolean => (spans.known(row) & known.log) !== 0;

function reasonOf(spans: SpanTable, row: number): number {
  return Math.floor((spans.request(row) - 1) / escalationStates.length);
}

function stateOf(spans: SpanTable, row: number): number {
  return (spans.request(row) - 1) % escalationStates.length;
}

/** The span around `row`, where it gives the same reason; else `none`. */
function outerOf(spans: SpanTable, row: number): number {
  const parent = isLog(spans, row) ? none : spans.parent(row);
  if (parent === none || spans.request(parent) === 0 || isLog(spans, parent)) return none;
  return reasonOf(spans, parent) === reasonOf(spans, row) ? parent : none;
}

const requested = escalationStates.indexOf('requested');

/** What a span says together with those around it that give the same reason. */
interface Nest {
  /** When the latest of its questions began; -Infinity without one. In seconds since the epoch. */
  readonly askedS: number;
  /** When the first of its answers ended; Infinity without one. */
  readonly answeredS: number;
  /** The innermost answer, else that something was requested. */
  readonly state: number;
}

const nothing: Nest = { askedS: -Infinity, answeredS: Infinity, state: requested };

/** That of `row`. `nests` has those of spans that were looked at, and takes what is found of others. */
function nestOf(spans: SpanTable, row: number, nests: Map<number, Nest>): Nest {
  const inside: number[] = [];
  let at = row;
  for (; at !== none && !nests.has(at); at = outerOf(spans, at)) {
    inside.push(at);
    nests.set(at, nothing); // spans that say that they are around each other end here
  }
  let nest = nests.get(at) ?? nothing;
  for (const each of inside.toReversed()) {
    const state = stateOf(spans, each);
    const timeS = spans.requestS(each);
    nest =
      state === requested
        ? { ...nest, askedS: Math.max(nest.askedS, timeS) }
        : { ...nest, answeredS: Math.min(nest.answeredS, timeS), state };
    nests.set(each, nest);
  }
  return nest;
}

/** What the spans and log records of a run say of one reason. */
class Told {
  /** How many of each state. */
  readonly #inSpans = Array<number>(escalationStates.length).fill(0);
  readonly #inLogs = Array<number>(escalationStates.length).fill(0);
  /** Nests in which something was asked. */
  #asked = 0;
  /** When questions without an answer began, and answers without a question ended. */
  readonly #openS: number[] = [];
  readonly #aloneS: number[] = [];

  addLog(state: number): void {
    this.#inLogs[state]! += 1;
  }

  add({ askedS, answeredS, state }: Nest): void {
    this.#inSpans[state]! += 1;
    if (askedS !== -Infinity) this.#asked++;
    if (answeredS === Infinity) this.#openS.push(askedS);
    else if (askedS === -Infinity) this.#aloneS.push(answeredS);
  }

  /** By resolution, in the order of the vocabulary. */
  requests(): readonly number[] {
    const requests = Array<number>(escalationResolutions.length).fill(0);
    let answersInLogs = 0;
    for (const [at, state] of escalationStates.entries()) {
      if (state === 'auto' || state === 'requested') continue;
      const more = Math.max(0, this.#inLogs[at]! - this.#inSpans[at]!);
      requests[escalationResolutions.indexOf(resolutionOf[state])]! += this.#inSpans[at]! + more;
      answersInLogs += more;
    }
    const paired = this.#paired();
    const askedInLogs = Math.max(0, this.#inLogs[requested]! - this.#asked);
    const open = this.#openS.length - paired + Math.max(0, askedInLogs - (this.#aloneS.length - paired));
    requests[escalationResolutions.indexOf('unknown')] = Math.max(0, open - answersInLogs);
    return requests;
  }

  /** How many of the answers without a question can be to one without an answer: each to another that had begun. */
  #paired(): number {
    const askedS = this.#openS.toSorted((a, b) => a - b);
    let paired = 0;
    for (const answeredS of this.#aloneS.toSorted((a, b) => a - b))
      if (paired < askedS.length && askedS[paired]! <= answeredS) paired++;
    return paired;
  }
}
