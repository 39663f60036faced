import type { Severity } from '../semconv/vocabulary.ts';
import type { InputSeries } from './rule.ts';

/** An alert of the pipeline itself, and what makes it fire. */
export interface PipelineAlert {
  readonly alert: string;
  readonly severity: Severity;
  readonly expr: string;
  readonly for: string;
  readonly summary: string;
  readonly runbook: string;
  /** Series that make it fire. */
  readonly when: readonly InputSeries[];
  /** Other series that make it fire without those. */
  readonly orWhen?: readonly InputSeries[];
  /** The labels and the `$value` that it then has. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly value?: string;
}

/** A series as promtool's tests have it. */
export const series = (text: string, values: string): InputSeries => ({ series: text, values });
