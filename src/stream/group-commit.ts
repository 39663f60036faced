import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../core/failure.ts';
import type { LogFile, Write } from './log-file.ts';

/** A small fact that is kept in the file, and changed only together with what it is true of. */
export class Fact<T> {
  readonly key: string[];
  #value: T;
  #next: T;

  constructor(key: string[], value: T) {
    this.key = key;
    this.#value = value;
    this.#next = value;
  }

  /** What is durable. */
  get value(): T {
    return this.#value;
  }

  /** What it will be once the transaction on its way is durable. */
  get next(): T {
    return this.#next;
  }

  /** Makes `value` the next, as part of `transaction`. */
  change(transaction: Transaction, value: T): void {
    this.#next = value;
    transaction.changed(this);
  }

  /** For the transaction alone: how it ended. */
  settle(durable: boolean): void {
    if (durable) this.#value = this.#next;
    else this.#next = this.#value;
  }
}

/** A change to the log. Changes submitted together become durable together, in the order of their submission. */
export interface Change {
  /** About how many bytes it writes. */
  readonly bytes: number;
  /**
   * Adds its writes to `transaction`. Must be synchronous, and may refuse by throwing before it adds anything;
   * then only this change fails, with that error.
   */
  write(transaction: Transaction): void;
}

const arenaBytes = 2 ** 21 + 2 ** 18;

/**
 * A transaction costs 0.2 ms of CPU however little it writes. So while one has begun within `paceMs` and what waits
 * is small, the next one gathers for as long: an append after a pause waits for nobody, one right after another waits out
 * the rest, and a hundred at once share a flush.
 */
const paceMs = 2;
const smallBytes = 2 ** 16;

/** The writes of the changes that become durable together. Changes see the next facts of those before them. */
export class Transaction {
  readonly #file: LogFile;
  readonly #arena: Buffer;
  readonly #writes: Write[] = [];
  readonly #facts = new Set<Fact<unknown>>();
  readonly #effects: (() => void)[] = [];
  #arenaUsed = 0;

  constructor(file: LogFile, arena: Buffer) {
    this.#file = file;
    this.#arena = arena;
  }

  /** Puts or removes a record. */
  add(write: Write): void {
    this.#writes.push(write);
  }

  /** For `Fact.change`. */
  changed(fact: Fact<unknown>): void {
    this.#facts.add(fact);
  }

  /** Bytes to write a value into; theirs until the transaction has settled. */
  allocate(bytes: number): Buffer {
    const end = this.#arenaUsed + bytes;
    if (end > this.#arena.byteLength) return Buffer.allocUnsafeSlow(bytes);
    const piece = this.#arena.subarray(this.#arenaUsed, end);
    this.#arenaUsed = end;
    return piece;
  }

  /** Runs `effect` once everything is durable, before the changes' promises resolve. */
  onceDurable(effect: () => void): void {
    this.#effects.push(effect);
  }

  /** Resolves when everything is durable; rejects, with the facts as they were, when it is not. */
  async commit(): Promise<void> {
    let durable = false;
    try {
      await this.#file.apply(
        this.#writes,
        [...this.#facts].map((fact) => ({ key: fact.key, value: fact.next })),
      );
      durable = true;
    } finally {
      for (const fact of this.#facts) fact.settle(durable);
    }
    for (const effect of this.#effects) effect();
  }
}

interface Waiting {
  readonly change: Change;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The one writer of the log. While a transaction is on its way to the disk, changes gather for the next, so that
 * callers share the cost of a flush; there is one transaction at a time, so a failed one leaves no gap behind it.
 */
export class GroupCommit {
  readonly #file: LogFile;
  readonly #groupBytes: number;
  readonly #arena = Buffer.allocUnsafeSlow(arenaBytes);
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #begunMs = -Infinity;
  #running: Promise<void> | undefined;

  /** `groupBytes` is how much one transaction gathers at most, if it is more than one change. */
  constructor(file: LogFile, groupBytes = 2 ** 21) {
    this.#file = file;
    this.#groupBytes = groupBytes;
  }

  /** Bytes of the changes that are not durable yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Resolves once `change` is durable. Rejects with what the change threw, with a Failure when `signal` aborts before
   * its transaction begins, and with what the file says when that fails: then none of its writes are visible.
   */
  submit(change: Change, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { change, resolve, reject };
    const withdraw = (): void => {
      if (!this.#waiting.includes(waiting)) return;
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      reject(new Failure('unavailable', 'the append was given up before it began'));
    };
    if (signal?.aborted)
      return Promise.reject(new Failure('unavailable', 'the append was given up before it began'));
    signal?.addEventListener('abort', withdraw, { once: true });
    this.#waiting.push(waiting);
    this.#waitingBytes += change.bytes;
    this.#running ??= this.#run();
    return promise.finally(() => {
      this.#waitingBytes -= change.bytes;
      signal?.removeEventListener('abort', withdraw);
    });
  }

  /** Resolves when everything submitted before has settled. */
  async drain(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    await new Promise(setImmediate); // callers of the same turn share the first transaction
    while (this.#waiting.length > 0) {
      const sinceMs = performance.now() - this.#begunMs;
      if (sinceMs < paceMs && this.#waitingBytes < smallBytes) await sleep(paceMs - sinceMs);
      this.#begunMs = performance.now();
      await this.#commitNext();
    }
    this.#running = undefined;
  }

  async #commitNext(): Promise<void> {
    const transaction = new Transaction(this.#file, this.#arena);
    const taken = this.#take();
    const written: Waiting[] = [];
    for (const waiting of taken) {
      try {
        waiting.change.write(transaction);
        written.push(waiting);
      } catch (error) {
        waiting.reject(error);
      }
    }
    try {
      await transaction.commit();
      for (const waiting of written) waiting.resolve();
    } catch (error) {
      for (const waiting of written) waiting.reject(error);
    }
  }

  #take(): Waiting[] {
    let bytes = 0;
    const count = this.#waiting.findIndex(({ change }) => (bytes += change.bytes) > this.#groupBytes);
    return this.#waiting.splice(0, count === -1 ? this.#waiting.length : Math.max(1, count));
  }
}
