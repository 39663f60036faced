import {
  escalationReasons,
  escalationResolutions,
  evidenceLevels,
  outcomes,
  results,
  severities,
} from '../semconv/vocabulary.ts';

/** The numbers that are counted of one series: their names, and where each kind of them begins. */
export interface Columns<Kind extends string> {
  readonly names: readonly string[];
  readonly at: Readonly<Record<Kind, number>>;
}

function columns<Kind extends string>(kinds: Readonly<Record<Kind, readonly string[]>>): Columns<Kind> {
  const names: string[] = [];
  const at: Partial<Record<Kind, number>> = {};
  for (const kind in kinds) {
    at[kind] = names.length;
    for (const word of kinds[kind]) names.push(`${kind} ${word}`);
  }
  return { names, at: at as Readonly<Record<Kind, number>> }; // oxlint-disable-line typescript/no-unsafe-type-assertion -- every kind is there
}

/** A histogram has a count for each bound, one for what is beyond, and the sum. */
const histogram = (bounds: readonly number[]): readonly string[] => [...bounds.map(String), '+Inf', 'sum'];

/** What money is spent on. */
export const categories = ['llm', 'tool', 'review'] as const;
/** Upper bounds of the buckets of run durations, in seconds. */
export const runBounds = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600] as const;
/** Upper bounds of the buckets of tool-call durations, in seconds. */
export const callBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;

/** Upper bounds of the buckets of costs of runs, in US dollars. */
export const costBounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 50, 100] as const;

/** Of runs: `ended` by outcome and, within it, evidence; `requests` by reason and, within it, resolution. */
export const runColumns = columns({
  ended: outcomes.flatMap((outcome) => evidenceLevels.map((evidence) => `${outcome} ${evidence}`)),
  escalations: escalationReasons,
  requests: escalationReasons.flatMap((reason) =>
    escalationResolutions.map((resolution) => `${reason} ${resolution}`),
  ),
  costUsd: categories,
  incidents: severities,
  seconds: histogram(runBounds),
  usd: histogram(costBounds),
});

/** Of the calls of a tool, by result. */
export const callColumns = columns({ calls: results, attempts: results });

/** Of the durations of calls. */
export const durationColumns = columns({ seconds: histogram(callBounds) });

/** The most series one set of labels of runs, or of tools, gives in any metric. */
export const widest = {
  runs: Math.max(
    outcomes.length * evidenceLevels.length,
    escalationReasons.length * escalationResolutions.length,
  ),
  tools: callBounds.length + 3,
} as const;
