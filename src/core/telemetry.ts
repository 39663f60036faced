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
    help: 'Spans rejected and reported in partial_success: invalid, or forbidden (their sender may not claim what they say).',
    labels: ['receiver', 'transport', 'reason'],
  },
  plimsoll_receiver_accepted_log_records_total: {
    kind: 'counter',
    help: 'Log records acknowledged to the sender after the stream held the spans made of them durably.',
    labels: ['receiver', 'transport'],
  },
  plimsoll_receiver_refused_log_records_total: {
    kind: 'counter',
    help: 'Log records refused because the pipeline could not take them; the sender may retry.',
    labels: ['receiver', 'transport'],
  },
  plimsoll_receiver_rejected_log_records_total: {
    kind: 'counter',
    help: 'Log records rejected and reported in partial_success: invalid, or forbidden (their sender may not claim what they say).',
    labels: ['receiver', 'transport', 'reason'],
  },
  plimsoll_receiver_unstored_log_records_total: {
    kind: 'counter',
    help: 'Log records of events that are not kept, reported in partial_success.',
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
  plimsoll_stream_records_total: {
    kind: 'counter',
    help: 'Records appended durably to the stream.',
    labels: ['topic'],
  },
  plimsoll_stream_append_retries_total: {
    kind: 'counter',
    help: 'Batches sent to the broker again because nobody knew that it had them.',
    labels: ['topic'],
  },
  plimsoll_stream_joins_total: {
    kind: 'counter',
    help: 'Times a consumer joined its group, so that its partitions changed hands or were taken up anew.',
    labels: ['topic', 'group'],
  },
  plimsoll_stream_deleted_records_total: {
    kind: 'counter',
    help: 'Records that retention deleted, after every group had committed them.',
    labels: ['topic'],
  },
  plimsoll_stream_bytes: {
    kind: 'gauge',
    help: 'Bytes on disk that the records of the stream fill.',
    labels: ['topic'],
  },
  plimsoll_stream_end_offset: {
    kind: 'gauge',
    help: 'The next offset to be written, so records ever appended.',
    labels: ['topic', 'partition'],
  },
  plimsoll_stream_appended_spans: {
    kind: 'gauge',
    help: 'Spans ever appended, by position: survives restarts. Of the embedded stream alone; plimsoll verify counts those on Kafka.',
    labels: ['topic', 'partition'],
  },
  plimsoll_stream_committed_offset: {
    kind: 'gauge',
    help: 'The offset up to which the group is done.',
    labels: ['topic', 'partition', 'group'],
  },
  plimsoll_stream_lag_records: {
    kind: 'gauge',
    help: 'Records the group has yet to commit.',
    labels: ['topic', 'partition', 'group'],
  },
  plimsoll_store_rows_total: {
    kind: 'counter',
    help: 'Rows that are in the table, each counted once, when its position was passed.',
    labels: [],
  },
  plimsoll_store_run_rows_total: {
    kind: 'counter',
    help: 'Rows of runs, and of the other tables beside spans, inserted. A run of which more becomes known has a row for that, which replaces the one before.',
    labels: [],
  },
  plimsoll_store_unreadable_run_rows_total: {
    kind: 'counter',
    help: 'Lines on the stream of runs that are no rows of a table of this version, and were left out. Anything above 0 is loss.',
    labels: [],
  },
  plimsoll_store_blocks_total: {
    kind: 'counter',
    help: 'Inserts by what is known of them: stored, rejected (wrote nothing, and never will), uncertain (the table is asked).',
    labels: ['outcome'],
  },
  plimsoll_store_insert_duration_seconds: {
    kind: 'histogram',
    help: 'Time from sending a block to the answer of the table.',
    labels: [],
    buckets: seconds,
  },
  plimsoll_store_duplicate_rows_total: {
    kind: 'counter',
    help: 'Rows found in the table beyond the first of their position. Anything above 0 needs an operator.',
    labels: [],
  },
  plimsoll_store_dead_letters_total: {
    kind: 'counter',
    help: 'Records and spans that can never be stored, sent to the dead letters.',
    labels: [],
  },
  plimsoll_store_expired_records_total: {
    kind: 'counter',
    help: 'Records that retention removed from the stream before they were stored. Anything above 0 is loss.',
    labels: [],
  },
  plimsoll_store_state: {
    kind: 'gauge',
    help: '1 for what a partition is doing: recovering, flowing, or waiting.',
    labels: ['partition', 'state'],
  },
  plimsoll_store_committed_spans: {
    kind: 'gauge',
    help: 'Spans before the committed position, counted as they were passed. Less the stored, dead and expired ones it is 0, or spans were lost.',
    labels: ['partition'],
  },
  plimsoll_store_stored_spans: {
    kind: 'gauge',
    help: 'Spans before the committed position that have a row in the table.',
    labels: ['partition'],
  },
  plimsoll_store_dead_spans: {
    kind: 'gauge',
    help: 'Spans before the committed position that are in the dead letters.',
    labels: ['partition'],
  },
  plimsoll_store_expired_spans: {
    kind: 'gauge',
    help: 'Spans of announced blocks that retention removed from the stream before they were stored.',
    labels: ['partition'],
  },
  plimsoll_assess_spans_total: {
    kind: 'counter',
    help: 'Spans read for assessment, those read again after a restart included.',
    labels: [],
  },
  plimsoll_assess_undecodable_records_total: {
    kind: 'counter',
    help: 'Records that assessment skipped because they are no export request.',
    labels: [],
  },
  plimsoll_assess_resent_spans_total: {
    kind: 'counter',
    help: 'Spans that their run already had; they count once.',
    labels: [],
  },
  plimsoll_assess_unsampled_log_records_total: {
    kind: 'counter',
    help: 'Log records, no evaluations, of traces that were not sampled; they are stored and in no KPI.',
    labels: [],
  },
  plimsoll_assess_clamped_spans_total: {
    kind: 'counter',
    help: 'Spans that end more than 5 s after their record was written; their end was taken back to that.',
    labels: [],
  },
  plimsoll_assess_late_spans_total: {
    kind: 'counter',
    help: 'Spans of runs that ended so long ago that only their calls and cost still count.',
    labels: [],
  },
  plimsoll_assess_unremembered_spans_total: {
    kind: 'counter',
    help: 'Spans beyond what a run remembers; a resent one among them counts again.',
    labels: [],
  },
  plimsoll_assess_spilled_runs_total: {
    kind: 'counter',
    help: 'Open runs ended as unknown because there was no memory for them.',
    labels: [],
  },
  plimsoll_assess_lost_words_total: {
    kind: 'counter',
    help: 'Scores and outcomes of runs that are not known: they came later than the longest window, or name another run.',
    labels: [],
  },
  plimsoll_assess_unopened_incidents_total: {
    kind: 'counter',
    help: 'Objectives that were not met and became no incident, because there were too many of them.',
    labels: [],
  },
  plimsoll_assess_open_runs: { kind: 'gauge', help: 'Runs that have not ended.', labels: [] },
  plimsoll_assess_runs_in_memory: {
    kind: 'gauge',
    help: 'Runs in memory: open ones, and ended ones that late spans may still change.',
    labels: [],
  },
  plimsoll_enrich_unread_scores_total: {
    kind: 'counter',
    help: 'Evaluations that are no scores: no name, no number or label pass or fail, outside the range of the evaluator, or too many.',
    labels: ['reason'],
  },
  plimsoll_enrich_removed_attributes_total: {
    kind: 'counter',
    help: 'Attributes under plimsoll.* that were removed: a key that no sender may set, or a value it may not have.',
    labels: ['reason'],
  },
  plimsoll_enrich_unreadable_numbers_total: {
    kind: 'counter',
    help: 'Tokens and costs of spans that are no such number (not a number, negative, absurd): they count as nothing.',
    labels: [],
  },
  plimsoll_policy_info: {
    kind: 'gauge',
    help: '1 for each policy in use; the revision is a hash of what it says.',
    labels: ['policy', 'version', 'revision', 'owner'],
  },
  plimsoll_policies_refused: {
    kind: 'gauge',
    help: '1 while the files of policies have an error, so that those read before stay in use.',
    labels: [],
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

  /** Ends a series that this process no longer knows the truth of. */
  remove<N extends NameOf<'gauge'>>(name: N, labels: LabelsOf<N>): void {
    this.#gauges.get(name)?.remove(labels);
  }

  observe<N extends NameOf<'histogram'>>(name: N, value: number, labels: LabelsOf<N>): void {
    this.#histograms.get(name)?.observe(labels, value);
  }
}
