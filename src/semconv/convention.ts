import type { FieldName } from './fields.ts';
import type { EscalationReason, EscalationState, Step } from './vocabulary.ts';

/** Where an attribute stands. */
export type Place = 'span' | 'resource';

/** A key whose value is the value of a canonical field. */
interface Source {
  readonly field: FieldName;
  readonly key: string;
  /** Where to look, best first; on the span when left out. */
  readonly places?: readonly Place[];
}

/** What one value of a signal key says about the span that carries it. */
export interface Meaning {
  readonly step?: Step;
  readonly failed?: true;
  /** An exception that such a span records made it fail, whatever its status says. */
  readonly throws?: true;
  /** The call was put off or handed out and did not run, which is no failure. */
  readonly deferred?: true;
  /** In [0, 1], of the evaluator with that name. */
  readonly score?: { readonly evaluator: string; readonly value: number };
  readonly escalation?: {
    readonly reason: EscalationReason;
    readonly state: EscalationState;
    readonly rule: string;
  };
}

/** A key whose value says something about the span in the convention's own words. Values not listed say nothing. */
export interface Signal {
  readonly key: string;
  readonly meanings: Readonly<Record<string, Meaning>>;
  /** What the beginning of the span's name must be, where the key is too common a word to mean this on any span. */
  readonly within?: string;
}

/** A span name, or its beginning, that says what the span means; `rest` is what the rest of the name names. */
export interface NamedStep {
  readonly name: string;
  readonly match: 'whole' | 'beginning';
  readonly step: Step;
  readonly rest?: 'tool' | 'target';
  readonly failed?: true;
}

/**
 * Keys, on a span or on a span event, that say what an evaluator found. Where they have a `#`, which stands for a number,
 * those with the same number belong together.
 */
export interface EvaluationKeys {
  readonly name: string;
  readonly score: string;
  readonly label: string;
}

/**
 * An event whose log records are kept; where `only` is there, those alone whose attribute has that value. One that
 * `speaksOfRun` is no part of a run and says nothing where it does not name one: a session is not enough.
 */
export interface LogEvent {
  readonly name: string;
  readonly speaksOfRun?: true;
  readonly only?: { readonly key: string; readonly value: string };
}

/**
 * What one convention of attribute names says, as data: no convention needs code. Within a field sources are listed
 * best first; the order between conventions is that of `tables.ts`.
 */
export interface Convention {
  readonly name: string;
  readonly sources: readonly Source[];
  readonly signals: readonly Signal[];
  readonly namedSteps: readonly NamedStep[];
  readonly evaluations?: readonly EvaluationKeys[];
  /** Log records that say something of an agent; each becomes a span with the event's name. */
  readonly logEvents?: readonly LogEvent[];
  /** What `event.name` leaves out of the event's name in log records of scopes whose name begins so. */
  readonly logPrefix?: { readonly scope: string; readonly prefix: string };
  /**
   * Keys whose values are what people and models said or did: prompts, arguments, results, URLs, query texts.
   * `prefix.*` is every key that begins with `prefix.`; `prefix.#` only those that go on with a number. A key that is a
   * source is no content because a prefix covers it.
   */
  readonly content: readonly string[];
  /** Those of them that hold a tool call's arguments: a call with the same ones after a failed one is a retry. */
  readonly toolArguments?: readonly string[];
}
