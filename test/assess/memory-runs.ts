import { Failure } from '../../src/core/failure.ts';
import type { NewRecord, Stream } from '../../src/core/stream.ts';

/** A run as its record has it, by the names of the columns. */
export type Row = Readonly<Record<string, unknown>> & { readonly RunId: string; readonly Version: number };

/** The stream of runs, in memory. */
export class MemoryRuns implements Pick<Stream, 'consume' | 'recordLimitBytes'> {
  readonly recordLimitBytes: number;
  readonly records: NewRecord[] = [];
  /** While it is set, appends wait for it. */
  slow: Promise<void> | undefined;
  /** Whether it takes nothing. */
  isFull = false;
  refused = 0;

  constructor(recordLimitBytes = Number.POSITIVE_INFINITY) {
    this.recordLimitBytes = recordLimitBytes;
  }

  async consume(records: readonly NewRecord[]): Promise<void> {
    await this.slow;
    if (this.isFull) {
      this.refused++;
      throw new Failure('overloaded', 'the stream agent_runs is full');
    }
    this.records.push(...records);
  }

  /** Everything that is durable, in order. */
  get rows(): readonly Row[] {
    return this.records.flatMap(({ payload }) =>
      Buffer.from(payload)
        .toString()
        .split('\n')
        .filter((line) => line !== '')
        .map((line): Row => JSON.parse(line)),
    );
  }

  /** What a table makes of that: of each run the row with the greatest version. */
  get runs(): ReadonlyMap<string, Row> {
    const runs = new Map<string, Row>();
    for (const row of this.rows) {
      const known = runs.get(row.RunId);
      if (!known || row.Version >= known.Version) runs.set(row.RunId, row);
    }
    return runs;
  }
}
