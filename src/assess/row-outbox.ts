import { retrying } from '../core/backoff.ts';
import type { Component } from '../core/component.ts';
import { messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type { NewRecord, Stream } from '../core/stream.ts';
import { headersOf, type RowTable, type TableRow } from '../core/table-row.ts';

/** What a record holds at most; less where the stream takes less. */
const recordBytes = 256 * 1024;
/** About so much is appended at once, so that it fits a small stream; from so much on nobody has to ask for it. */
const appendBytes = 1024 * 1024;
const backoff = { initialMs: 100, maxMs: 5000 };

/** A row as of its greatest version, as a line. */
interface WaitingRow {
  readonly table: RowTable;
  version: number;
  line: string;
}

/**
 * Rows on their way to the stream of rows, such as those of the runs of all partitions. Nothing is dropped: an append is
 * repeated until it succeeds, and a row that is sent twice is one row to whoever keeps the greatest version; of one that
 * waits only that version is sent. Bounded by its owner, who waits for room before reading on; what one read and one
 * sweep end may go beyond.
 */
export class RowOutbox implements Component {
  readonly name = 'rows outbox';
  readonly #stream: Pick<Stream, 'consume' | 'recordLimitBytes'>;
  readonly #log: Log;
  readonly #limitBytes: number;
  readonly #stopped = new AbortController();
  /** By table and key, in the order in which they were added. */
  readonly #waiting = new Map<string, WaitingRow>();
  /** Those that are being appended: the first that were added and are not durable. */
  #sending = 0;
  #bytes = 0;
  #added = 0;
  #isSending = false;
  #fault: string | undefined;
  #moved = Promise.withResolvers<void>();

  /** With `limitBytes` in it there is no room for more. */
  constructor(
    stream: Pick<Stream, 'consume' | 'recordLimitBytes'>,
    { log, limitBytes = 8 * 1024 * 1024 }: { readonly log: Log; readonly limitBytes?: number },
  ) {
    this.#stream = stream;
    this.#log = log;
    this.#limitBytes = limitBytes;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  /** Sends what is left, until it is durable or `deadline` aborts: what is not durable then is not committed either. */
  async stop(deadline: AbortSignal): Promise<void> {
    await this.flushed(this.#added, deadline);
    this.#stopped.abort();
  }

  /** Names this moment: everything that was added so far is durable when `isDurable` says so of it. */
  get added(): number {
    return this.#added;
  }

  /** Whether everything is durable that had been added when `added` was this. */
  isDurable(added: number): boolean {
    return this.#added - this.#waiting.size - this.#sending >= added;
  }

  /** Whether more rows may be added without waiting. */
  get hasRoom(): boolean {
    return this.#bytes < this.#limitBytes;
  }

  /** Why nothing can be appended, while that is so. */
  get fault(): string | undefined {
    return this.#fault;
  }

  add({ table, key, version, row }: TableRow): void {
    const place = `${table}/${key}`;
    const line = `${row}\n`;
    const waiting = this.#waiting.get(place);
    if (waiting) {
      if (version < waiting.version) return;
      this.#bytes += line.length - waiting.line.length;
      waiting.version = version;
      waiting.line = line;
    } else {
      this.#waiting.set(place, { table, version, line });
      this.#bytes += line.length;
      this.#added++;
    }
    if (this.#bytes >= appendBytes) this.send();
  }

  /** Begins to append what was added, unless that is under way. */
  send(): void {
    if (!this.#isSending && this.#waiting.size > 0) void this.#sendAll();
  }

  /** Resolves when `isDurable(added)`, or when `ended` aborts or the outbox is stopped. */
  async flushed(added: number, ended: AbortSignal): Promise<void> {
    await this.#until(() => this.isDurable(added), ended);
  }

  /** Resolves when there is room, or when `ended` aborts or the outbox is stopped. */
  async room(ended: AbortSignal): Promise<void> {
    await this.#until(() => this.hasRoom, ended);
  }

  async #until(isMet: () => boolean, ended: AbortSignal): Promise<void> {
    const ends = [ended, this.#stopped.signal]; // these outlive the wait, so they keep nothing of it
    const { promise: ending, resolve } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    for (const signal of ends) signal.addEventListener('abort', end);
    while (!isMet() && !ends.some(({ aborted }) => aborted)) {
      this.send();
      await Promise.race([this.#moved.promise, ending]);
    }
    for (const signal of ends) signal.removeEventListener('abort', end);
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.size > 0 && !this.#stopped.signal.aborted) {
      const { rows, bytes } = this.#take();
      this.#sending = rows.length;
      if (!(await this.#append(recordsOf(rows, Math.min(recordBytes, this.#stream.recordLimitBytes))))) break;
      this.#sending = 0;
      this.#bytes -= bytes;
      this.#moved.resolve();
      this.#moved = Promise.withResolvers();
    }
    this.#isSending = false;
  }

  /** About as many of the first rows as are appended at once. */
  #take(): { readonly rows: readonly WaitingRow[]; readonly bytes: number } {
    const rows: WaitingRow[] = [];
    let bytes = 0;
    for (const [place, row] of this.#waiting) {
      if (bytes >= appendBytes) break;
      this.#waiting.delete(place);
      rows.push(row);
      bytes += row.line.length;
    }
    return { rows, bytes };
  }

  /** Appends `records`, however often that is to be tried. False when the outbox is stopped before. */
  async #append(records: readonly NewRecord[]): Promise<boolean> {
    const { signal } = this.#stopped;
    try {
      await retrying(async () => this.#stream.consume(records, signal), {
        backoff,
        signal,
        isFinal: () => false,
        onRetry: (error, waitMs) => {
          this.#fault = messageOf(error);
          this.#log.warn({ err: error, waitMs }, 'rows wait for their stream');
        },
      });
      this.#fault = undefined;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
  }
}

/** `rows` in records of `limitBytes` at most, each of one table. */
function recordsOf(rows: readonly WaitingRow[], limitBytes: number): readonly NewRecord[] {
  const records: NewRecord[] = [];
  for (const [table, ofTable] of Map.groupBy(rows, (row) => row.table)) {
    const lines = ofTable.map(({ line }) => line);
    for (let from = 0, to = 0; from < lines.length; from = to) {
      let bytes = 0;
      for (; to < lines.length; to++) {
        bytes += Buffer.byteLength(lines[to]!);
        if (to > from && bytes > limitBytes) break;
      }
      const payload = Buffer.from(lines.slice(from, to).join(''));
      records.push({ partition: 0, payload, spans: 0, headers: headersOf(table) });
    }
  }
  return records;
}
