import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What `/metrics` says of one series: kind, help, labels, and buckets of a histogram in its unit. */
interface Spec {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Every metric of the pipeline itself. A name that is not here does not type-check. KPI metrics are in `kpi/`. */
export const catalogue = {
  plimsoll_receiver_accepted_spans_total: {
    kind: 'counter',
    help: 'Spans acknowledged to the sender after the stream held them durably.',
    labels: ['receiver', 'transport'],
  },
  plimsoll_receiver_refused_spans_total: {
    kind: 'counter',
    help: 'Spans refused because the pipeline could not take them; the sender may retry.',
    labels: ['receiver', 'transport'],
  },
  plimsoll_receiver_rejected_spans_total: {
    kind: 'counter',
    help: 'Spans rejected as invalid and reported in partial_success.',
    labels: ['receiver', 'transport'],
  },
  plimsoll_receiver_requests_total: {
    kind: 'counter',
    help: 'Export requests by outcome.',
    labels: ['receiver', 'transport', 'outcome'],
  },
  plimsoll_receiver_joined_requests_total: {
    kind: 'counter',
    help: 'Requests whose body was byte-identical to a recent one: answered like it, taken once.',
    labels: ['receiver', 'transport'],
  },
  plimsoll_receiver_request_duration_seconds: {
    kind: 'histogram',
    help: 'Time from the whole request received to the answer.',
    labels: ['receiver', 'transport'],
    buckets: seconds,
  },
} as const satisfies Record<string, Spec>;

type Catalogue = typeof catalogue;
type NameOf<K extends Spec['kind']> = {
  [N in keyof Catalogue]: Catalogue[N]['kind'] extends K ? N : never;
}[keyof Catalogue];
type LabelsOf<N extends keyof Catalogue> = Record<Catalogue[N]['labels'][number], string>;

/** One registry of the catalogue's metrics. Names and labels are checked by the compiler. */
export class Telemetry {
  readonly registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();

  constructor() {
    for (const [name, spec] of Object.entries<Spec>(catalogue)) {
      const common = { name, help: spec.help, labelNames: [...spec.labels], registers: [this.registry] };
      if (spec.kind === 'counter') this.#counters.set(name, new Counter(common));
      else if (spec.kind === 'gauge') this.#gauges.set(name, new Gauge(common));
      else this.#histograms.set(name, new Histogram({ ...common, buckets: [...(spec.buckets ?? seconds)] }));
    }
  }

  /** Adds `amount` to a counter; an amount of 0 makes the series exist. */
  count<N extends NameOf<'counter'>>(name: N, amount: number, labels: LabelsOf<N>): void {
    this.#counters.get(name)?.inc(labels, amount);
  }

  set<N extends NameOf<'gauge'>>(name: N, value: number, labels: LabelsOf<N>): void {
    this.#gauges.get(name)?.set(labels, value);
  }

  observe<N extends NameOf<'histogram'>>(name: N, value: number, labels: LabelsOf<N>): void {
    this.#histograms.get(name)?.observe(labels, value);
  }
}
