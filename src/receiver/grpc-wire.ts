import type { BytePool } from '../core/byte-pool.ts';
import { Failure } from '../core/failure.ts';
import { Refusal } from './status.ts';

/** gRPC frames a message with one byte of flags and four of length, big-endian. */
const prefixBytes = 5;

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** The `grpc-timeout` header in milliseconds; undefined when absent or malformed. */
export function parseTimeout(header: string | undefined): number | undefined {
  const [, amount, unit] = /^(\d{1,8})([HMSmun])$/.exec(header ?? '') ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Number(amount) * (unitMs[unit] ?? 0);
}

/** The `grpc-message` trailer: UTF-8, with everything but printable ASCII, and `%` itself, percent-encoded. */
export function encodeMessage(message: string): string {
  return message.toWellFormed().replace(/[^ -$&-~]/gu, encodeURIComponent);
}

/** A message as one uncompressed frame. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixBytes);
  return framed;
}

/**
 * Collects the one message of a unary call from the chunks of its stream, in memory from a pool. What a sender declares
 * costs nothing: memory for it is taken by `allocate`, and until then only what has arrived is held.
 */
export class UnaryMessage {
  readonly #limitBytes: number;
  readonly #memory: BytePool;
  readonly #prefix = Buffer.allocUnsafe(prefixBytes);
  #prefixFilled = 0;
  #message: Buffer | undefined;
  #early: Buffer[] = [];
  #filled = 0;

  /** A message longer than `limitBytes` is refused as soon as its prefix says so. */
  constructor(limitBytes: number, memory: BytePool) {
    this.#limitBytes = limitBytes;
    this.#memory = memory;
  }

  /** The length on the wire, once the prefix has arrived. */
  get declaredBytes(): number | undefined {
    return this.#prefixFilled < prefixBytes ? undefined : this.#prefix.readUInt32BE(1);
  }

  get compressed(): boolean {
    return this.#prefix[0] === 1;
  }

  /** Takes the prefix out of the next chunk, and gives what follows it. Throws a `too_large` Refusal. */
  readPrefix(chunk: Buffer): Buffer {
    if (this.#prefixFilled === prefixBytes) return chunk;
    const from = chunk.copy(this.#prefix, this.#prefixFilled);
    this.#prefixFilled += from;
    const length = this.declaredBytes ?? 0;
    if (length > this.#limitBytes) {
      throw new Refusal(
        'too_large',
        `the request has ${length} bytes, more than ${this.#limitBytes}: send smaller batches`,
      );
    }
    return chunk.subarray(from);
  }

  /** Takes memory for the whole message, whose prefix has arrived; once. */
  allocate(): void {
    const length = this.declaredBytes ?? 0;
    const message = this.#memory.take(Math.max(1, length)).subarray(0, length);
    let filled = 0;
    for (const chunk of this.#early) filled += chunk.copy(message, filled);
    this.#early = [];
    this.#message = message;
  }

  /**
   * Takes the next part of the message; copies it, because it is a slice of the socket's buffer. Throws an `invalid` Failure
   * when bytes follow the message.
   */
  push(part: Buffer): void {
    if (part.length > (this.declaredBytes ?? 0) - this.#filled) {
      throw new Failure('invalid', 'bytes follow the message: a unary call carries exactly one');
    }
    if (this.#message) part.copy(this.#message, this.#filled);
    else this.#early.push(Buffer.from(part));
    this.#filled += part.length;
  }

  /** The whole message, at the end of the stream; ownership passes. Throws an `invalid` Failure when it is cut short. */
  finish(): Buffer {
    const length = this.declaredBytes;
    if (length === undefined) throw new Failure('invalid', 'the call ended before its message began');
    if (this.#filled < length) {
      throw new Failure(
        'invalid',
        `the call ended after ${this.#filled} of the ${length} bytes of its message`,
      );
    }
    if (!this.#message) this.allocate();
    return this.#message ?? Buffer.alloc(0);
  }
}
