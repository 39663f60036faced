import { SpanIds, type SpanFacts } from '../semconv/span-facts.ts';
import type { LogOrigin, Step } from '../semconv/vocabulary.ts';
import { none } from './rows.ts';

/** The span that is being added, with what several ask of it read once; one object, used again for every span. */
export class Arrival {
  readonly ids = new SpanIds();
  /** Row of its run. */
  run = none;
  /** Its own row; `none` when the run does not remember it. */
  row = none;
  /** The run has no room to remember it: it goes into sums only. */
  folded = false;
  isRoot = false;
  /** It speaks of a run that it is no part of: it neither names nor ends it. */
  isJudge = false;
  /** It is a judge, or says nothing but how a run ended: alone it makes none. */
  isWord = false;
  step: Step = 'other';
  failed = false;
  /** As of the span's facts. */
  log: LogOrigin | undefined;
  /** Event times in milliseconds since the epoch; the end is clamped, the start not behind it. */
  startMs = 0;
  endMs = 0;
  /** How far the end lies behind the newest event of its partition. */
  behindMs = 0;

  /** Takes what `span` says of itself, once `ids` and `endMs` are set. */
  read(span: SpanFacts): void {
    const { startMs } = span;
    this.startMs = startMs > this.endMs ? this.endMs : startMs;
    this.step = span.step;
    this.failed = span.failed;
    this.log = span.log;
    this.isJudge = this.step === 'evaluator' && (this.ids.run !== '' || this.log !== undefined);
    this.isRoot = (this.ids.parent0 | this.ids.parent1) === 0 && !this.isJudge;
    this.isWord = this.isJudge || (this.step === 'other' && !this.isRoot && span.outcome !== undefined);
  }
}
