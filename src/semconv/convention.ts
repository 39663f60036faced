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
}

/** A span name, or its beginning, that says what the span means; `tool` when the rest of the name is the tool's. */
export interface NamedStep {
  readonly name: string;
  readonly match: 'whole' | 'beginning';
  readonly step: Step;
  readonly rest?: 'tool';
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
  /**
   * Keys whose values are what people and models said or did: prompts, arguments, results, URLs, query texts.
   * `prefix.*` is every key that begins with `prefix.`; `prefix.#` only those that go on with a number.
   */
  readonly content: readonly string[];
}
