import type { StreamRecord } from '../src/core/stream.ts';

/** The memory of one claim: what was read last is destroyed by the next read, so that whoever keeps it too long is found out. */
export class LentRecords {
  #lent: readonly StreamRecord[] = [];

  lend(records: readonly StreamRecord[]): readonly StreamRecord[] {
    for (const { payload } of this.#lent) payload.fill(0xff);
    this.#lent = records.map((record) => ({ ...record, payload: Buffer.from(record.payload) }));
    return this.#lent;
  }
}
