/** Label names and values of one series. */
export type Labels = readonly (readonly [name: string, value: string])[];

/** One value of a family; `suffix` is that of a histogram's parts. */
export interface Sample {
  readonly suffix?: '_bucket' | '_sum' | '_count';
  readonly labels: Labels;
  readonly value: number;
  /** One of the events that were counted. */
  readonly exemplar?: Exemplar;
}

/** An event that shows what a counter or a bucket of a histogram counts. */
interface Exemplar {
  /** Lower-case hex. */
  readonly traceId: string;
  /** What the event added. */
  readonly value: number;
  /** When it was, in milliseconds since the epoch. */
  readonly timeMs: number;
}

/** A metric with its series, as Prometheus knows them. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}
