import { escalationReasons, evidenceLevels, outcomes, results } from '../semconv/vocabulary.ts';
import type { KpiRun, KpiToolCall } from './facts.ts';
import type { Family, Labels, Sample } from './family.ts';
import { SeriesTable, type Series } from './series-table.ts';

const runSeconds = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
const callSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const categories = ['llm', 'tool', 'review'] as const;

/** Ends the HELP text of every counter: the assessor commits once a second, and what it had counted since is read again. */
export const startsAnew =
  'Starts from 0 with the process; what was counted in the last second before a kill may be counted again by the next process.';

/** The most series one set of labels of runs, or of tools, gives in any metric. */
export const widest = {
  runs: outcomes.length * evidenceLevels.length,
  tools: callSeconds.length + 3,
} as const;

/** A cumulative histogram, as Prometheus counts. */
class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.#counts[bucket]! += 1;
    this.#sum += value;
  }

  *samples(labels: Labels): Generator<Sample> {
    let count = 0;
    for (const [i, bound] of [...this.#bounds.map(String), '+Inf'].entries()) {
      count += this.#counts[i]!;
      yield { suffix: '_bucket', labels: [...labels, ['le', bound]], value: count };
    }
    yield { suffix: '_sum', labels, value: this.#sum };
    yield { suffix: '_count', labels, value: count };
  }
}

/** Tool calls with the same labels, and attempts at them, by result. */
class CallTotals {
  readonly calls = new Float64Array(results.length);
  readonly attempts = new Float64Array(results.length);
}

/** What is counted of runs with the same labels. */
export class RunTotals {
  readonly ended = new Float64Array(outcomes.length * evidenceLevels.length);
  readonly escalations = new Float64Array(escalationReasons.length);
  readonly costUsd = new Float64Array(categories.length);
  readonly duration = new Histogram(runSeconds);
}

const runLabelNames = ['agent', 'release', 'environment'];
const toolLabelNames = [...runLabelNames, 'tool'];

/** An event is as old as its arrival, which is known at the next `expire`. */
const onArrival = Number.POSITIVE_INFINITY;

const labelsOf = (run: KpiRun): readonly string[] => [run.agent, run.release, run.environment];

function labelled(names: readonly string[], values: readonly string[]): Labels {
  return values.map((value, i) => [names[i]!, value] as const);
}

/**
 * Counters and histograms since the process began: they take every event, however late, and never fall. They start
 * from 0 with the process. After a kill, the next process counts again what came after the last commit (at most 1 s).
 * A series is as old as the scrape after its latest event, not as that event: backlogs must be seen, too.
 */
export class Totals {
  readonly #runs: SeriesTable<RunTotals>;
  readonly #tools: SeriesTable<CallTotals>;
  readonly #durations: SeriesTable<Histogram>;

  /** `limits` are label sets, of runs and of tools. */
  constructor(limits: { readonly runs: number; readonly tools: number }) {
    this.#runs = new SeriesTable(limits.runs, () => new RunTotals());
    this.#tools = new SeriesTable(limits.tools, () => new CallTotals());
    this.#durations = new SeriesTable(limits.tools, () => new Histogram(callSeconds));
  }

  /** Events that went to the overflow series. */
  get overflowed(): { readonly runs: number; readonly tools: number } {
    return { runs: this.#runs.overflowed, tools: this.#tools.overflowed };
  }

  /** Counts a run and returns where. */
  addRun(run: KpiRun): Series<RunTotals> {
    const series = this.#runs.at(labelsOf(run), onArrival);
    const totals = series.state;
    totals.ended[
      outcomes.indexOf(run.outcome) * evidenceLevels.length + evidenceLevels.indexOf(run.evidence)
    ]! += 1;
    if (run.escalationReason) totals.escalations[escalationReasons.indexOf(run.escalationReason)]! += 1;
    totals.duration.observe(Math.max(0, run.endMs - run.startMs) / 1000);
    for (let i = 0; i < categories.length; i++) totals.costUsd[i]! += run.costUsd[categories[i]!];
    return series;
  }

  /**
   * Adds what became known after the end: a first escalation and more cost. The outcome counted first stays counted.
   * It belongs where `counted` says that the run was counted, whatever its labels are by now. Returns where that is.
   */
  reviseRun(before: KpiRun, counted: Series<RunTotals> | undefined, after: KpiRun): Series<RunTotals> {
    const labels = labelsOf(after);
    const series = counted ? this.#runs.again(counted, labels, onArrival) : this.#runs.at(labels, onArrival);
    const totals = series.state;
    if (after.escalationReason && !before.escalationReason) {
      totals.escalations[escalationReasons.indexOf(after.escalationReason)]! += 1;
    }
    for (let i = 0; i < categories.length; i++) {
      const category = categories[i]!;
      totals.costUsd[i]! += Math.max(0, after.costUsd[category] - before.costUsd[category]);
    }
    return series;
  }

  addCall(call: KpiToolCall): void {
    const { agent, release, environment, tool, result, attempts } = call;
    const totals = this.#tools.at([agent, release, environment, tool], onArrival).state;
    totals.calls[results.indexOf(result)]! += 1;
    totals.attempts[results.indexOf(result)]! += 1;
    totals.attempts[results.indexOf('error')]! += attempts - 1;
    if (result !== 'ok' && result !== 'error') return;
    this.#durations.at([agent, environment, tool], onArrival).state.observe(call.durationMs / 1000);
  }

  /** Forgets, as of `nowMs`, series to which nothing was added for longer than `keepMs`. */
  expire(nowMs: number, keepMs: number): void {
    for (const table of [this.#runs, this.#tools, this.#durations]) table.expire(nowMs, keepMs);
  }

  families(): readonly Family[] {
    return [...this.#runFamilies(), ...this.#toolFamilies()];
  }

  #runFamilies(): readonly Family[] {
    const ended: Sample[] = [];
    const escalations: Sample[] = [];
    const cost: Sample[] = [];
    const duration: Sample[] = [];
    for (const { values, state: totals } of this.#runs) {
      const labels = labelled(runLabelNames, values);
      ended.push(...endedSamples(labels, totals.ended));
      escalationReasons.forEach((reason, i) =>
        escalations.push({ labels: [...labels, ['reason', reason]], value: totals.escalations[i]! }),
      );
      categories.forEach((category, i) =>
        cost.push({ labels: [...labels, ['category', category]], value: totals.costUsd[i]! }),
      );
      duration.push(...totals.duration.samples(labels));
    }
    return [
      {
        name: 'plimsoll_runs_total',
        help: `Runs that ended, by outcome and by who says so. ${startsAnew}`,
        kind: 'counter',
        samples: ended,
      },
      {
        name: 'plimsoll_run_escalations_total',
        help: `Runs in which control passed to a human, by the reason of the first time. ${startsAnew}`,
        kind: 'counter',
        samples: escalations,
      },
      {
        name: 'plimsoll_cost_usd_total',
        help: `Cost of ended runs in US dollars, by what it was spent on; calls of unknown price left out. ${startsAnew}`,
        kind: 'counter',
        samples: cost,
      },
      {
        name: 'plimsoll_run_duration_seconds',
        help: `Time from the first span of a run to its end. ${startsAnew}`,
        kind: 'histogram',
        samples: duration,
      },
    ];
  }

  #toolFamilies(): readonly Family[] {
    const calls: Sample[] = [];
    const attempts: Sample[] = [];
    for (const { values, state: totals } of this.#tools) {
      const labels = labelled(toolLabelNames, values);
      for (const [i, result] of results.entries()) {
        calls.push({ labels: [...labels, ['result', result]], value: totals.calls[i]! });
        attempts.push({ labels: [...labels, ['result', result]], value: totals.attempts[i]! });
      }
    }
    const duration: Sample[] = [];
    for (const { values, state: histogram } of this.#durations) {
      duration.push(...histogram.samples(labelled(['agent', 'environment', 'tool'], values)));
    }
    return [
      {
        name: 'plimsoll_tool_calls_total',
        help: `Tool calls that ended, by the result of the last attempt. ${startsAnew}`,
        kind: 'counter',
        samples: calls,
      },
      {
        name: 'plimsoll_tool_call_attempts_total',
        help: `Attempts at tool calls that ended, by result. ${startsAnew}`,
        kind: 'counter',
        samples: attempts,
      },
      {
        name: 'plimsoll_tool_call_duration_seconds',
        help: `Duration of tool calls that ran, over all releases. ${startsAnew}`,
        kind: 'histogram',
        samples: duration,
      },
    ];
  }
}

/** Every outcome without evidence from the start, so that its first increase is seen; others once they occur. */
function* endedSamples(labels: Labels, counts: Float64Array): Generator<Sample> {
  for (const [i, outcome] of outcomes.entries()) {
    for (const [j, evidence] of evidenceLevels.entries()) {
      const value = counts[i * evidenceLevels.length + j]!;
      if (value === 0 && evidence !== 'none') continue;
      yield { labels: [...labels, ['outcome', outcome], ['evidence', evidence]], value };
    }
  }
}
