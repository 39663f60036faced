import {
  escalationReasons,
  escalationResolutions,
  evidenceLevels,
  outcomes,
  results,
  severities,
} from '../semconv/vocabulary.ts';
import {
  callBounds,
  callColumns,
  categories,
  costBounds,
  durationColumns,
  runBounds,
  runColumns,
} from './counter-columns.ts';
import { cellsPerColumn, type CountsState } from './counts.ts';
import type { Family, Labels, Sample } from './family.ts';
import type { TotalsState } from './totals.ts';

/** Ends the HELP text of every counter: they are those of the latest snapshot, and go on from it. */
const fromSnapshot = 'As of the latest snapshot, from which a restart goes on.';

const runLabels = ['agent', 'release', 'environment'] as const;
const toolLabels = [...runLabels, 'tool'] as const;
const durationLabels = ['agent', 'environment', 'tool'] as const;

/** The counters and histograms that `state` holds. A series that was younger than `zeroForMs` then is shown as 0. */
export function counterFamilies(state: TotalsState, zeroForMs: number): readonly Family[] {
  const heldSinceMs = state.savedMs - zeroForMs;
  return [
    ...runFamilies(seriesOf(state.runs, runLabels, heldSinceMs)),
    ...toolFamilies(seriesOf(state.tools, toolLabels, heldSinceMs)),
    {
      name: 'plimsoll_tool_call_duration_seconds',
      help: `Duration of tool calls that ran, over all releases. ${fromSnapshot}`,
      kind: 'histogram',
      samples: seriesOf(state.durations, durationLabels, heldSinceMs).flatMap((one) =>
        one.histogram(durationColumns.at.seconds, callBounds),
      ),
    },
  ];
}

/** One series of a published state. */
class CounterSeries {
  readonly #state: CountsState;
  readonly #labels: Labels;
  readonly #start: number;
  readonly #isShown: boolean;

  constructor(state: CountsState, index: number, names: readonly string[], heldSinceMs: number) {
    this.#state = state;
    const { values, bornMs } = state.series;
    this.#labels = names.map((name, k) => [name, values[index * names.length + k]!] as const);
    this.#start = index * state.columns.length;
    this.#isShown = !(bornMs[index]! > heldSinceMs);
  }

  /** The number `column`, with more labels. */
  #with(column: number, ...more: Labels): Sample {
    return this.#sample(column, this.#valueOf(column), [...this.#labels, ...more]);
  }

  /** The numbers from `column` on, one for each of `words`, by `label`. */
  byWord(column: number, label: string, words: readonly string[]): Sample[] {
    return words.map((word, i) => this.#with(column + i, [label, word]));
  }

  /** The same for each pair of words of two labels, by the first and, within it, the second. */
  byWords(
    column: number,
    [first, ones]: readonly [label: string, words: readonly string[]],
    [second, others]: readonly [label: string, words: readonly string[]],
  ): Sample[] {
    return ones.flatMap((one, i) =>
      others.map((other, j) => this.#with(column + i * others.length + j, [first, one], [second, other])),
    );
  }

  /** A cumulative histogram that begins at `column`, as Prometheus counts. */
  histogram(column: number, bounds: readonly number[]): Sample[] {
    const samples: Sample[] = [];
    let count = 0;
    for (let i = 0; i <= bounds.length; i++) {
      count += this.#valueOf(column + i);
      const labels: Labels = [...this.#labels, ['le', i < bounds.length ? String(bounds[i]) : '+Inf']];
      samples.push({ suffix: '_bucket', ...this.#sample(column + i, count, labels) });
    }
    const labels = this.#labels;
    samples.push({ suffix: '_sum', labels, value: this.#valueOf(column + bounds.length + 1) });
    samples.push({ suffix: '_count', labels, value: count });
    return samples;
  }

  #valueOf(column: number): number {
    return this.#isShown ? this.#state.cells[cellsPerColumn * (this.#start + column)]! : 0;
  }

  #sample(column: number, value: number, labels: Labels): Sample {
    const { traceIds, cells } = this.#state;
    const at = this.#start + column;
    const traceId = traceIds[at]!;
    if (traceId === '' || !this.#isShown) return { labels, value };
    const cell = cellsPerColumn * at;
    return { labels, value, exemplar: { traceId, value: cells[cell + 1]!, timeMs: cells[cell + 2]! } };
  }
}

function seriesOf(
  state: CountsState,
  names: readonly string[],
  heldSinceMs: number,
): readonly CounterSeries[] {
  return Array.from(state.series.newestMs, (_, index) => new CounterSeries(state, index, names, heldSinceMs));
}

function runFamilies(series: readonly CounterSeries[]): readonly Family[] {
  const { at } = runColumns;
  return [
    counter(
      'plimsoll_runs_total',
      'Runs that ended, by outcome and by who says so.',
      series.flatMap((one) => one.byWords(at.ended, ['outcome', outcomes], ['evidence', evidenceLevels])),
    ),
    counter(
      'plimsoll_run_escalations_total',
      'Runs in which control passed to a human, by the reason of the first time, other where none is said.',
      series.flatMap((one) => one.byWord(at.escalations, 'reason', escalationReasons)),
    ),
    counter(
      'plimsoll_escalation_requests_total',
      'Times that a human was asked, by why and by what came of it: approved (as it was or changed), rejected, unanswered (timed out or given up), or unknown where nobody says. An answer in a span of its own is taken to be to a question of that run and reason that was still open, where there is one.',
      series.flatMap((one) =>
        one.byWords(at.requests, ['reason', escalationReasons], ['resolution', escalationResolutions]),
      ),
    ),
    counter(
      'plimsoll_cost_usd_total',
      'Cost of ended runs in US dollars, by what it was spent on; calls of unknown price left out.',
      series.flatMap((one) => one.byWord(at.costUsd, 'category', categories)),
    ),
    counter(
      'plimsoll_incidents_opened_total',
      'Incidents that opened, by severity.',
      series.flatMap((one) => one.byWord(at.incidents, 'severity', severities)),
    ),
    {
      name: 'plimsoll_run_duration_seconds',
      help: `Time from the first span of a run to its end. ${fromSnapshot}`,
      kind: 'histogram',
      samples: series.flatMap((one) => one.histogram(at.seconds, runBounds)),
    },
    {
      name: 'plimsoll_run_cost_usd',
      help: `Cost of a run when it ended, in US dollars; runs of unknown price left out. ${fromSnapshot}`,
      kind: 'histogram',
      samples: series.flatMap((one) => one.histogram(at.usd, costBounds)),
    },
  ];
}

function toolFamilies(series: readonly CounterSeries[]): readonly Family[] {
  const { at } = callColumns;
  return [
    counter(
      'plimsoll_tool_calls_total',
      'Tool calls that ended, by the result of the last attempt.',
      series.flatMap((one) => one.byWord(at.calls, 'result', results)),
    ),
    counter(
      'plimsoll_tool_call_attempts_total',
      'Attempts at tool calls that ended, by result.',
      series.flatMap((one) => one.byWord(at.attempts, 'result', results)),
    ),
  ];
}

/** A counter of the latest snapshot. */
export function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help: `${help} ${fromSnapshot}`, kind: 'counter', samples };
}
