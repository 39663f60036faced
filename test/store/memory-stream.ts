import {
  OwnershipLost,
  type Claim,
  type Commit,
  type NewRecord,
  type StreamRecord,
} from '../../src/core/stream.ts';
import { LentRecords } from '../lent-records.ts';

/** One partition in memory, and what a group committed of it. */
export class MemoryPartition {
  records: StreamRecord[] = [];
  start = 0;
  committed: Commit | undefined;
  timeMs = 1_764_000_000_000;

  append(payload: Uint8Array, spans: number, headers: NewRecord['headers'] = {}): void {
    const offset = this.records.length;
    this.records.push({ offset, timeMs: this.timeMs++, spans, headers, payload });
  }

  /** A claim that waits for records only as long as nothing else is to do. */
  claim(lost = new AbortController().signal): Claim {
    const guard = (): void => {
      if (lost.aborted) throw new OwnershipLost('lost');
    };
    const memory = new LentRecords();
    return {
      partition: 0,
      isAtEnd: true,
      committed: this.committed,
      lost,
      bounds: async () => {
        guard();
        return Promise.resolve({ start: this.start, end: this.records.length });
      },
      read: async (offset, _, waitMs) => {
        guard();
        const from = Math.max(offset, this.start);
        if (from >= this.records.length)
          await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, 5)));
        return memory.lend(this.records.slice(from));
      },
      commit: async (commit) => {
        guard();
        this.committed = commit;
        return Promise.resolve();
      },
    };
  }

  /** Whether everything is committed and no intent is open. */
  get isDrained(): boolean {
    const { committed, records } = this;
    return committed?.position.offset === records.length && !committed.metadata.includes('"intent"');
  }
}
