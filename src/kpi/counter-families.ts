import { escalationReasons, evidenceLevels, outcomes, results, severities } from '../semconv/vocabulary.ts';
import type { Family, Labels, Sample } from './family.ts';
import {
  callPlaces,
  callBounds,
  categories,
  runPlaces,
  runBounds,
  type CountsState,
  type TotalsState,
} from './totals.ts';

/** Ends the HELP text of every counter: they are those of the latest snapshot, and go on from it. */
const fromSnapshot = 'As of the latest snapshot, from which a restart goes on.';

const runLabels = ['agent', 'release', 'environment'] as const;
const toolLabels = [...runLabels, 'tool'] as const;
const durationLabels = ['agent', 'environment', 'tool'] as const;

/** The counters and histograms that `state` holds. */
export function counterFamilies(state: TotalsState): readonly Family[] {
  return [
    ...runFamilies([...seriesOf(state.runs, runLabels)]),
    ...toolFamilies([...seriesOf(state.tools, toolLabels)]),
    {
      name: 'plimsoll_tool_call_duration_seconds',
      help: `Duration of tool calls that ran, over all releases. ${fromSnapshot}`,
      kind: 'histogram',
      samples: [...seriesOf(state.durations, durationLabels)].flatMap(({ labels, values }) => [
        ...histogram(labels, values, callBounds),
      ]),
    },
  ];
}

interface CounterSeries {
  readonly labels: Labels;
  readonly values: Float64Array;
}

function* seriesOf({ series, values }: CountsState, names: readonly string[]): Generator<CounterSeries> {
  const count = series.newestMs.length;
  const width = values.length / count;
  for (let i = 0; i < count; i++) {
    yield {
      labels: names.map((name, k) => [name, series.values[i * names.length + k]!] as const),
      values: values.subarray(i * width, (i + 1) * width),
    };
  }
}

function runFamilies(series: readonly CounterSeries[]): readonly Family[] {
  return [
    counter(
      'plimsoll_runs_total',
      'Runs that ended, by outcome and by who says so.',
      series.flatMap((one) => [...endedSamples(one)]),
    ),
    counter(
      'plimsoll_run_escalations_total',
      'Runs in which control passed to a human, by the reason of the first time, other where none is said.',
      series.flatMap((one) => byWord(one, 'reason', escalationReasons, runPlaces.escalations)),
    ),
    counter(
      'plimsoll_cost_usd_total',
      'Cost of ended runs in US dollars, by what it was spent on; calls of unknown price left out.',
      series.flatMap((one) => byWord(one, 'category', categories, runPlaces.costUsd)),
    ),
    counter(
      'plimsoll_incidents_opened_total',
      'Incidents that opened, by severity.',
      series.flatMap((one) => byWord(one, 'severity', severities, runPlaces.incidents)),
    ),
    {
      name: 'plimsoll_run_duration_seconds',
      help: `Time from the first span of a run to its end. ${fromSnapshot}`,
      kind: 'histogram',
      samples: series.flatMap(({ labels, values }) => [
        ...histogram(labels, values.subarray(runPlaces.seconds), runBounds),
      ]),
    },
  ];
}

function toolFamilies(series: readonly CounterSeries[]): readonly Family[] {
  return [
    counter(
      'plimsoll_tool_calls_total',
      'Tool calls that ended, by the result of the last attempt.',
      series.flatMap((one) => byWord(one, 'result', results, callPlaces.calls)),
    ),
    counter(
      'plimsoll_tool_call_attempts_total',
      'Attempts at tool calls that ended, by result.',
      series.flatMap((one) => byWord(one, 'result', results, callPlaces.attempts)),
    ),
  ];
}

/** A counter of the latest snapshot. */
export function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help: `${help} ${fromSnapshot}`, kind: 'counter', samples };
}

function byWord(
  { labels, values }: CounterSeries,
  label: string,
  words: readonly string[],
  at: number,
): Sample[] {
  return words.map((word, i) => ({ labels: [...labels, [label, word]], value: values[at + i]! }));
}

/** Every outcome without evidence from the start, so that its first increase is seen; others once they occur. */
function* endedSamples({ labels, values }: CounterSeries): Generator<Sample> {
  for (const [i, outcome] of outcomes.entries()) {
    for (const [j, evidence] of evidenceLevels.entries()) {
      const value = values[runPlaces.ended + i * evidenceLevels.length + j]!;
      if (value === 0 && evidence !== 'none') continue;
      yield { labels: [...labels, ['outcome', outcome], ['evidence', evidence]], value };
    }
  }
}

/** A cumulative histogram, as Prometheus counts. */
function* histogram(labels: Labels, values: Float64Array, bounds: readonly number[]): Generator<Sample> {
  let count = 0;
  for (let i = 0; i <= bounds.length; i++) {
    count += values[i]!;
    const bound = i < bounds.length ? String(bounds[i]) : '+Inf';
    yield { suffix: '_bucket', labels: [...labels, ['le', bound]], value: count };
  }
  yield { suffix: '_sum', labels, value: values[bounds.length + 1]! };
  yield { suffix: '_count', labels, value: count };
}
