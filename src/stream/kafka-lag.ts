import type { KafkaOptions } from './kafka-options.ts';

/** How far a group is behind in a partition that it owns here, as its metrics tell it. */
export class Lag {
  readonly #options: Pick<KafkaOptions, 'telemetry' | 'topic'>;
  readonly #group: string;
  readonly #partition: string;
  #start = 0;
  #end: number | undefined;
  #committed: number;
  #heardMs = 0;

  /** `committed` is the offset that the group is to read next. */
  constructor(
    options: Pick<KafkaOptions, 'telemetry' | 'topic'>,
    group: string,
    partition: number,
    committed: number,
  ) {
    this.#options = options;
    this.#group = group;
    this.#partition = String(partition);
    this.#committed = committed;
  }

  /** When the end was last heard, in ms of `performance.now()`. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** The partition ends at `end`, and begins at `start` if that was asked. */
  reached(end: number, start = this.#start): void {
    const { topic, telemetry } = this.#options;
    this.#heardMs = performance.now();
    if (end === this.#end && start === this.#start) return;
    this.#end = end;
    this.#start = start;
    telemetry.set('plimsoll_stream_end_offset', end, { topic, partition: this.#partition });
    this.#report();
  }

  committed(offset: number): void {
    this.#committed = offset;
    this.#report();
  }

  /**
   * Takes back what was told of the group: somebody else owns the partition. Where that ends is no group's, and stays as it
   * was heard or appended last.
   */
  withdraw(): void {
    const { telemetry } = this.#options;
    telemetry.remove('plimsoll_stream_committed_offset', this.#labels);
    telemetry.remove('plimsoll_stream_lag_records', this.#labels);
  }

  #report(): void {
    const { telemetry } = this.#options;
    telemetry.set('plimsoll_stream_committed_offset', this.#committed, this.#labels);
    if (this.#end === undefined) return;
    const next = Math.max(this.#start, this.#committed);
    telemetry.set('plimsoll_stream_lag_records', Math.max(0, this.#end - next), this.#labels);
  }

  get #labels() {
    return { topic: this.#options.topic, partition: this.#partition, group: this.#group };
  }
}
