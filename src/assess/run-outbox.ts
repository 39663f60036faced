import { setTimeout as sleep } from 'node:timers/promises';
import { delayMs } from '../core/backoff.ts';
import type { Component } from '../core/component.ts';
import { messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type { NewRecord, Stream } from '../core/stream.ts';
import type { FinishedRun } from '../runs/finished-run.ts';
import { runContent, runRow } from '../runs/run-row.ts';

/** What a record holds at most; less where the stream takes less. */
const recordBytes = 256 * 1024;
/** About so much is appended at once, so that it fits a small stream; from so much on nobody has to ask for it. */
const appendBytes = 1024 * 1024;
const headers = { [runContent.header]: runContent.value };
const backoff = { initialMs: 100, maxMs: 5000 };

/**
 * Runs on their way to the stream of runs, those of all partitions. Nothing is dropped: an append is repeated until it
 * succeeds, and a run that is sent twice is one run to whoever keeps the greatest version. Bounded by its owner, who
 * waits for room before reading on; what one read and one sweep end may go beyond.
 */
export class RunOutbox implements Component {
  readonly name = 'runs outbox';
  readonly #stream: Pick<Stream, 'consume' | 'recordLimitBytes'>;
  readonly #log: Log;
  readonly #limitBytes: number;
  readonly #stopped = new AbortController();
  /** In the order in which they were added; one leaves when it is durable. */
  readonly #rows: string[] = [];
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

  /** How many runs were ever added: names this moment. */
  get added(): number {
    return this.#added;
  }

  /** Whether the first `added` runs are durable. */
  isDurable(added: number): boolean {
    return this.#added - this.#rows.length >= added;
  }

  /** Whether more runs may be added without waiting. */
  get hasRoom(): boolean {
    return this.#bytes < this.#limitBytes;
  }

  /** Why nothing can be appended, while that is so. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Takes what is known of `run`. */
  add(run: FinishedRun): void {
    const row = `${runRow(run)}\n`;
    this.#rows.push(row);
    this.#bytes += row.length;
    this.#added++;
    if (this.#bytes >= appendBytes) this.send();
  }

  /** Begins to append what was added, unless that is under way. */
  send(): void {
    if (!this.#isSending && this.#rows.length > 0) void this.#sendAll();
  }

  /** Resolves when the first `added` runs are durable, or when `ended` aborts or the outbox is stopped. */
  async flushed(added: number, ended: AbortSignal): Promise<void> {
    await this.#until(() => this.isDurable(added), ended);
  }

  /** Resolves when there is room, or when `ended` aborts or the outbox is stopped. */
  async room(ended: AbortSignal): Promise<void> {
    await this.#until(() => this.hasRoom, ended);
  }

  async #until(isMet: () => boolean, ended: AbortSignal): Promise<void> {
    const end = AbortSignal.any([ended, this.#stopped.signal]);
    const { promise: ending, resolve } = Promise.withResolvers<void>();
    end.addEventListener('abort', () => resolve(), { once: true });
    while (!isMet() && !end.aborted) {
      this.send();
      await Promise.race([this.#moved.promise, ending]);
    }
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#rows.length > 0 && !this.#stopped.signal.aborted) {
      const { count, records } = this.#next();
      if (!(await this.#append(records))) break;
      for (const row of this.#rows.splice(0, count)) this.#bytes -= row.length;
      this.#moved.resolve();
      this.#moved = Promise.withResolvers();
    }
    this.#isSending = false;
  }

  /** Records of the first `count` rows, about as many as are appended at once. */
  #next(): { readonly count: number; readonly records: readonly NewRecord[] } {
    const limit = Math.min(recordBytes, this.#stream.recordLimitBytes);
    const records: NewRecord[] = [];
    let count = 0;
    for (let bytes = 0; count < this.#rows.length && bytes < appendBytes;) {
      const from = count;
      let length = 0;
      for (; count < this.#rows.length; count++) {
        const more = Buffer.byteLength(this.#rows[count]!);
        if (count > from && length + more > limit) break;
        length += more;
      }
      const payload = Buffer.from(this.#rows.slice(from, count).join(''));
      records.push({ partition: 0, payload, spans: 0, headers });
      bytes += length;
    }
    return { count, records };
  }

  /** Appends `records`, however often that is to be tried. False when the outbox is stopped before. */
  async #append(records: readonly NewRecord[]): Promise<boolean> {
    const { signal } = this.#stopped;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.#stream.consume(records, signal);
        this.#fault = undefined;
        return true;
      } catch (error) {
        this.#fault = messageOf(error);
        const waitMs = delayMs(backoff, attempt, Math.random());
        this.#log.warn({ err: error, waitMs }, 'finished runs wait for their stream');
        await sleep(waitMs, undefined, { signal }).catch(() => undefined); // an abort ends the wait
      }
    }
    return false;
  }
}
