import { Failure } from '../../src/core/failure.ts';
import type { NewRecord, StreamRecord } from '../../src/core/stream.ts';
import type { RowEncoder, Rows } from '../../src/store/block.ts';

/** A span of the tests: the date of its row, and what the table holds against it. */
export interface TestSpan {
  readonly id: number;
  readonly date: string;
  /** `row`: the table refuses any insert that has it. `view`: a view throws after the row has landed. */
  readonly poison?: 'row' | 'view' | undefined;
  /** Not valid: the encoder leaves it out. */
  readonly isInvalid?: boolean | undefined;
}

/** A row of the tests, as an insert's body carries it. */
export interface TestRow extends TestSpan {
  readonly offset: number;
  readonly index: number;
}

export function payloadOf(spans: readonly TestSpan[]): Uint8Array {
  return Buffer.from(JSON.stringify(spans));
}

export const undecodablePayload: Uint8Array = Buffer.from('not a request');

function spansOf(record: Pick<StreamRecord | NewRecord, 'payload'>): readonly TestSpan[] {
  try {
    const spans: readonly TestSpan[] = JSON.parse(Buffer.from(record.payload).toString());
    return spans;
  } catch (cause) {
    throw new Failure('invalid', 'not JSON', { cause });
  }
}

export function rowsOf(body: readonly Uint8Array[]): readonly TestRow[] {
  return body.flatMap((chunk): readonly TestRow[] => JSON.parse(Buffer.from(chunk).toString()));
}

/** Rows as JSON, so that a table of the tests can read what it is given. */
class JsonRows implements Rows {
  #record: StreamRecord | undefined;
  #spans: readonly TestSpan[] = [];
  #rows: TestRow[] = [];
  leftOut: Rows['leftOut'] = [];
  bytes = 0;

  get rows(): number {
    return this.#rows.length;
  }

  read(record: StreamRecord): number {
    this.leftOut = [];
    const all = spansOf(record);
    this.#spans = all.filter(({ isInvalid }) => !isInvalid);
    this.#record = record;
    const invalid = all.filter(({ isInvalid }) => isInvalid);
    if (invalid.length > 0)
      this.leftOut = [{ payload: payloadOf(invalid), spans: invalid.length, reason: 'not valid' }];
    return this.#spans.length;
  }

  dayOf(index: number): number {
    return Date.parse(this.#span(index).date) / 86_400_000;
  }

  append(index: number, place = index): void {
    this.#rows.push({ ...this.#span(index), offset: this.#record?.offset ?? NaN, index: place });
    this.bytes += 100;
  }

  finish(): readonly Uint8Array[] {
    return [Buffer.from(JSON.stringify(this.#rows))];
  }

  reset(): void {
    this.#rows = [];
    this.bytes = 0;
  }

  #span(index: number): TestSpan {
    const span = this.#spans[index];
    if (span === undefined) throw new Error(`no span ${index}`);
    return span;
  }
}

export const jsonEncoder: RowEncoder = {
  version: 1,
  rows: () => new JsonRows(),
  single: (record, index) => ({
    headers: record.headers,
    payload: payloadOf(
      spansOf(record)
        .filter(({ isInvalid }) => !isInvalid)
        .slice(index, index + 1),
    ),
  }),
};
