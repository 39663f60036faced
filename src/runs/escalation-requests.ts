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
  { run, row, ids, folded, isRoot, log }: Arrival,
): void {
  if (folded) return;
  const at = escalationReasons.indexOf(reason) * escalationStates.length + escalationStates.indexOf(state);
  spans.setRequest(row, at + 1);
  if (!log) spans.setParent(row, isRoot ? none : spans.obtain(run, ids.parent0, ids.parent1));
}

/** What the spans of runs do not say, as a snapshot keeps it. */
export interface EscalationRequestsState {
  readonly settled: ReadonlyMap<number, readonly number[]>;
  readonly peaks: ReadonlyMap<number, readonly number[]>;
}

/**
 * How often a human was asked. The same in whatever order spans come. An exception that asks passes through the spans
 * around: of spans in each other that give the same reason the innermost counts. Log records repeat what spans say. An
 * answer is to what was asked for the same reason, where a span of its own says that.
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

function requestsIn(spans: SpanTable, run: number): readonly number[] {
  const asking: number[] = [];
  for (let row = spans.first(run); row !== none; row = spans.after(row))
    if (spans.request(row) !== 0) asking.push(row);
  if (asking.length === 0) return noRequests;
  const isLog = (row: number): boolean => (spans.known(row) & known.log) !== 0;
  const reasonOf = (row: number): number => Math.floor((spans.request(row) - 1) / escalationStates.length);
  const around = new Set<number>();
  for (const row of asking) {
    const parent = isLog(row) ? none : spans.parent(row);
    if (parent !== none && spans.request(parent) !== 0 && reasonOf(parent) === reasonOf(row))
      around.add(parent);
  }
  const codes = escalationReasons.length * escalationStates.length;
  const inSpans = Array<number>(codes).fill(0);
  const inLogs = Array<number>(codes).fill(0);
  for (const row of asking) {
    if (isLog(row)) inLogs[spans.request(row) - 1]! += 1;
    else if (!around.has(row)) inSpans[spans.request(row) - 1]! += 1;
  }
  return byResolution(inSpans.map((count, at) => Math.max(count, inLogs[at]!)));
}

/** Where requests of `reason` with `resolution` stand in the list of a run. */
function requestsAt(reason: number, resolution: number): number {
  return reason * escalationResolutions.length + resolution;
}

/** `counts` are by reason and state. */
function byResolution(counts: readonly number[]): readonly number[] {
  const requests = Array<number>(escalationReasons.length * escalationResolutions.length).fill(0);
  const open = escalationResolutions.indexOf('unknown');
  for (let reason = 0; reason < escalationReasons.length; reason++) {
    let answers = 0;
    for (const [at, state] of escalationStates.entries()) {
      if (state === 'auto' || state === 'requested') continue;
      const count = counts[reason * escalationStates.length + at]!;
      requests[requestsAt(reason, escalationResolutions.indexOf(resolutionOf[state]))]! += count;
      answers += count;
    }
    const asked = counts[reason * escalationStates.length + escalationStates.indexOf('requested')]!;
    requests[requestsAt(reason, open)] = Math.max(0, asked - answers);
  }
  return requests;
}
