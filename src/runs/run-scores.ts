import { limitEvaluators } from '../semconv/plimsoll.ts';
import { noScores } from '../semconv/span-facts.ts';

interface Scored {
  readonly score: number;
  readonly endMs: number;
}

/** Scores by run and evaluator, as a snapshot keeps them. */
export type RunScoresState = ReadonlyMap<number, ReadonlyMap<string, Scored>>;

/**
 * What evaluators found of runs: of each the latest word, of two of the same time the better one, for the
 * `limitEvaluators` evaluators whose names come first. The same in whatever order spans come, and however often. Few
 * runs have any.
 */
export class RunScores {
  #runs = new Map<number, Map<string, Scored>>();

  /** Takes the scores of a span of `run` that ended at `endMs`. */
  add(run: number, scores: ReadonlyMap<string, number>, endMs: number): void {
    const known = this.#runs.get(run) ?? new Map<string, Scored>();
    this.#runs.set(run, known);
    for (const [evaluator, score] of scores) {
      const before = known.get(evaluator);
      const isNews = !before || endMs > before.endMs || (endMs === before.endMs && score > before.score);
      if (isNews) known.set(evaluator, { score, endMs });
    }
    while (known.size > limitEvaluators) known.delete(lastOf(known.keys()));
  }

  /** Makes those of `from` scores of `into`. */
  move(from: number, into: number): void {
    for (const [evaluator, { score, endMs }] of this.#runs.get(from) ?? [])
      this.add(into, new Map([[evaluator, score]]), endMs);
    this.drop(from);
  }

  /** By evaluator, in the order of their names; the same empty map for every run without any. The caller's to keep. */
  of(run: number): ReadonlyMap<string, number> {
    const known = this.#runs.size === 0 ? undefined : this.#runs.get(run);
    if (!known) return noScores;
    const scores = [...known].map(([evaluator, { score }]) => [evaluator, score] as const);
    return new Map(scores.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** All scores, lent until one is added. */
  save(): RunScoresState {
    return this.#runs;
  }

  /** Makes these the scores that were saved. */
  restore(state: RunScoresState): void {
    this.#runs = new Map(Array.from(state, ([run, scores]) => [run, new Map(scores)]));
  }

  /** Forgets those of `run`. */
  drop(run: number): void {
    if (this.#runs.size > 0) this.#runs.delete(run);
  }
}

function lastOf(names: Iterable<string>): string {
  let last = '';
  for (const name of names) if (name > last) last = name;
  return last;
}
