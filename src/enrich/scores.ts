import { AttributeKey, type Attributes } from '../otlp/attributes.ts';
import { keyFlag } from '../otlp/key-table.ts';
import { linkedTrace } from '../otlp/links.ts';
import { markKind } from '../otlp/span-columns.ts';
import { TextMemo } from '../otlp/text-memo.ts';
import type { EvaluationKeys } from '../semconv/convention.ts';
import { fields } from '../semconv/fields.ts';
import { limitEvaluatorBytes, limitEvaluators, scorePrefix } from '../semconv/plimsoll.ts';
import { evaluationKeys } from '../semconv/tables.ts';
import type { Finding } from './finding.ts';
import type { OwnView } from './own-view.ts';

/** What an evaluator's scores lie between, by its name; those of others between 0 and 1. */
export type Evaluators = Readonly<Record<string, { readonly min: number; readonly max: number }>>;

/** Why what an evaluator found is not taken. */
export type UnreadReason = 'no_name' | 'no_value' | 'out_of_range' | 'too_many';

/** What a label says where there is no number. */
const labels: ReadonlyMap<string, number> = new Map([
  ['pass', 1],
  ['passed', 1],
  ['fail', 0],
  ['failed', 0],
]);

const patterns: ReadonlyMap<string, readonly [keys: number, part: keyof EvaluationKeys]> = new Map(
  evaluationKeys.flatMap((said, keys) =>
    (['name', 'score', 'label'] as const).map((part) => [said[part], [keys, part]] as const),
  ),
);

/** Which of `evaluationKeys` a key is, with the number in it, and which part of what they say. */
const partOf = new TextMemo((key) => {
  const [, number = ''] = /\.(\d+)\./.exec(key) ?? [];
  const found = patterns.get(number === '' ? key : key.replace(`.${number}.`, '.#.'));
  return found && { group: `${found[0]} ${number}`, part: found[1] };
});

const runId = new AttributeKey('plimsoll.run.id');
const keyOf = new TextMemo((evaluator) => new AttributeKey(scorePrefix + evaluator));

/** What is said of one evaluation: where the values are. */
type Evaluation = { -readonly [part in keyof EvaluationKeys]?: number };

/** Reads what evaluators found, on a span and on its events, and says it with keys of ours: in [0, 1], whatever the evaluator. */
export class Scores {
  /** What was not taken since this was emptied last. */
  readonly unread = new Map<UnreadReason, number>();
  readonly #view: OwnView;
  readonly #evaluators: ReadonlyMap<string, Evaluators[string]>;
  readonly #found = new Map<string, number>();

  constructor(view: OwnView, evaluators: Evaluators) {
    this.#view = view;
    this.#evaluators = new Map(Object.entries(evaluators));
  }

  /**
   * Appends the scores of the span that the view is at, the last of each evaluator, unless our own key says it. A span of an
   * evaluator that is linked to one other trace speaks of the run which that is.
   */
  append(finding: Finding, attributes: Attributes): void {
    const view = this.#view;
    if (finding.step === 'evaluator' && !view.has(fields.runId)) {
      const trace = linkedTrace(view.index, view.row);
      if (trace !== undefined) attributes.string(runId, trace);
    }
    if (!view.hasEvaluations && finding.evaluator === '') return;
    this.#found.clear();
    if (finding.evaluator !== '') this.#found.set(finding.evaluator, finding.score);
    for (const evaluation of this.#evaluations()) this.#take(evaluation);
    const said = this.#said();
    for (const [evaluator, score] of this.#found) {
      if (said.has(evaluator)) continue;
      said.add(evaluator);
      if (said.size > limitEvaluators) this.#leave('too_many');
      else attributes.double(keyOf.get(evaluator), score);
    }
  }

  #evaluations(): Iterable<Evaluation> {
    const { index, row } = this.#view;
    const { bytes, marks, spans } = index;
    const evaluations = new Map<string, Evaluation>();
    for (let mark = spans.marksFrom[row]!; mark < spans.marksFrom[row + 1]!; mark++) {
      if ((marks.flags[mark]! & keyFlag.evaluation) === 0 || marks.memberAt[mark] === 0) continue;
      const known = partOf.get(bytes.toString('utf8', marks.keyAt[mark], marks.keyEnd[mark]));
      if (!known) continue;
      const group = `${marks.container[mark]} ${known.group}`;
      const evaluation = evaluations.get(group) ?? {};
      evaluation[known.part] ??= marks.memberAt[mark]!;
      evaluations.set(group, evaluation);
    }
    return evaluations.values();
  }

  #take({ name, score, label }: Evaluation): void {
    const view = this.#view;
    const evaluator = name === undefined ? '' : (view.stringAt(name) ?? '').trim();
    if (!isEvaluator(evaluator)) {
      this.#leave('no_name');
      return;
    }
    const value = score === undefined ? NaN : view.signedAt(score);
    const said = label === undefined ? undefined : view.stringAt(label)?.toLowerCase();
    const { min, max } = this.#evaluators.get(evaluator) ?? { min: 0, max: 1 };
    const normalised = Number.isNaN(value) ? labels.get(said ?? '') : (value - min) / (max - min);
    if (normalised === undefined) this.#leave('no_value');
    else if (normalised < 0 || normalised > 1) this.#leave('out_of_range');
    else this.#found.set(evaluator, normalised);
  }

  /** The evaluators of which our own keys speak. */
  #said(): Set<string> {
    const { index, row } = this.#view;
    const { bytes, marks, spans } = index;
    const said = new Set<string>();
    for (let mark = spans.marksFrom[row]!; mark < spans.marksFrom[row + 1]!; mark++) {
      if ((marks.flags[mark]! & keyFlag.score) === 0 || marks.kind[mark] !== markKind.attribute) continue;
      said.add(bytes.toString('utf8', marks.keyAt[mark]! + scorePrefix.length, marks.keyEnd[mark]));
    }
    return said;
  }

  #leave(reason: UnreadReason): void {
    this.unread.set(reason, (this.unread.get(reason) ?? 0) + 1);
  }
}

/** Whether a text may be the name of an evaluator. */
export function isEvaluator(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= limitEvaluatorBytes;
}
