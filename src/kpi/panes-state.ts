/** The panes of many series and windows as plain data, one after the other. */
export interface PanesState {
  /** Numbers of panes. */
  readonly panes: Int32Array;
  /** How many sums of each pane are not 0; in which columns; and what they are. */
  readonly sizes: Uint8Array;
  readonly columns: Uint8Array;
  readonly values: Float64Array;
  /** How many buckets each pane has; which; and how many values lie in each. */
  readonly bucketSizes: Uint16Array;
  readonly buckets: Uint16Array;
  readonly counts: Uint32Array;
}

/** Writes a `PanesState`. It is used again and again: what it has grown to fits the next time. */
export class PanesWriter {
  panes = new Int32Array(1024);
  sizes = new Uint8Array(1024);
  columns = new Uint8Array(1024);
  values = new Float64Array(1024);
  bucketSizes = new Uint16Array(1024);
  buckets = new Uint16Array(1024);
  counts = new Uint32Array(1024);
  /** So many panes, sums and buckets are written. */
  paneCount = 0;
  valueCount = 0;
  bucketCount = 0;

  /** Begins anew. */
  clear(): void {
    this.paneCount = this.valueCount = this.bucketCount = 0;
  }

  /** Makes room for so many more. */
  reserve(panes: number, values: number, buckets: number): void {
    if (this.paneCount + panes > this.panes.length) {
      const size = 2 * (this.paneCount + panes);
      this.panes = grown(this.panes, new Int32Array(size));
      this.sizes = grown(this.sizes, new Uint8Array(size));
      this.bucketSizes = grown(this.bucketSizes, new Uint16Array(size));
    }
    if (this.valueCount + values > this.values.length) {
      const size = 2 * (this.valueCount + values);
      this.columns = grown(this.columns, new Uint8Array(size));
      this.values = grown(this.values, new Float64Array(size));
    }
    if (this.bucketCount + buckets > this.buckets.length) {
      const size = 2 * (this.bucketCount + buckets);
      this.buckets = grown(this.buckets, new Uint16Array(size));
      this.counts = grown(this.counts, new Uint32Array(size));
    }
  }

  /** A copy of what was written. */
  take(): PanesState {
    const { paneCount, valueCount, bucketCount } = this;
    return {
      panes: this.panes.slice(0, paneCount),
      sizes: this.sizes.slice(0, paneCount),
      columns: this.columns.slice(0, valueCount),
      values: this.values.slice(0, valueCount),
      bucketSizes: this.bucketSizes.slice(0, paneCount),
      buckets: this.buckets.slice(0, bucketCount),
      counts: this.counts.slice(0, bucketCount),
    };
  }
}

function grown<A extends { set(from: A): void }>(from: A, into: A): A {
  into.set(from);
  return into;
}

/** How far a `PanesState` has been read. */
export class PanesReader {
  readonly state: PanesState;
  pane = 0;
  value = 0;
  bucket = 0;

  constructor(state: PanesState) {
    this.state = state;
  }

  /** Leaves `panes` panes out. */
  skip(panes: number): void {
    const { sizes, bucketSizes } = this.state;
    for (const end = this.pane + panes; this.pane < end; this.pane++) {
      this.value += sizes[this.pane]!;
      this.bucket += bucketSizes[this.pane]!;
    }
  }
}
