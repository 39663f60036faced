import type { Severity } from '../../src/semconv/vocabulary.ts';

/** How a case sets up the pipeline. Times are milliseconds. */
export interface Given {
  readonly partitions: number;
  readonly windowsMs: readonly number[];
  readonly latenessMs: number;
  readonly idleTimeoutMs: number;
  readonly maxSeries: number;
  /** For so long a new counter is shown as 0. */
  readonly zeroForMs: number;
  /** Whether the process makes its own snapshots, in its rhythm, so that an eval waits for what it expects; or whenever an eval asks. */
  readonly snapshots: 'own' | 'asked';
}

/** One span of a run, as a line says it: what kind, what else, and by name. */
export interface SpanLine {
  readonly step: string;
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

/** So many runs with these spans each; a run with a name is one and the same wherever it is named. */
export interface RunLine {
  readonly line: number;
  readonly name: string | undefined;
  readonly count: number;
  readonly spans: readonly SpanLine[];
}

/** One series that is expected: it has at least these labels. */
export interface Expected {
  readonly line: number;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
  /** Within 1 %, as quantiles are. */
  readonly isRough: boolean;
}

/** What one line of a case does, `atMs` after its beginning; without that, now. */
export type Command = { readonly line: number; readonly text: string; readonly atMs?: number } & (
  | {
      readonly kind: 'load';
      readonly partition: number;
      readonly options: ReadonlyMap<string, string>;
      readonly runs: readonly RunLine[];
    }
  | { readonly kind: 'resend'; readonly partition: number | undefined }
  /** Reads of the partition wait, or find nothing, or hand out one record of it, or all again. */
  | { readonly kind: 'pause' | 'mute' | 'deliver' | 'resume'; readonly partition: number }
  /** Retention removes all but the latest records. */
  | { readonly kind: 'expire'; readonly partition: number; readonly keep: number }
  | { readonly kind: 'snapshots'; readonly how: 'lost' | 'strange' }
  | { readonly kind: 'configure'; readonly given: Partial<Given> }
  | {
      readonly kind: 'incident';
      readonly key: string;
      readonly severity: Severity;
      readonly options: ReadonlyMap<string, string>;
    }
  /** No label of any series has these in it. */
  | { readonly kind: 'unlabelled'; readonly texts: readonly string[] }
  | { readonly kind: 'clock' }
  | { readonly kind: 'restart' }
  | { readonly kind: 'kill' }
  | { readonly kind: 'good'; readonly agent: string; readonly outcomes: readonly string[] }
  | { readonly kind: 'target'; readonly agent: string; readonly evaluator: string; readonly target: number }
  | {
      readonly kind: 'eval';
      readonly name: string;
      readonly labels: ReadonlyMap<string, string>;
      /** Exactly these series fit, in any order. */
      readonly expected: readonly Expected[];
    }
);

/** One case: what it shows, and what a user would get wrong if it did not hold. */
export interface Case {
  readonly line: number;
  readonly title: string;
  readonly otherwise: string;
  readonly given: Given;
  readonly commands: readonly Command[];
}
