import type { IncomingMessage } from 'node:http';
import type { Lease } from '../core/budget.ts';
import { Failure } from '../core/failure.ts';
import { assumedDeadlineMs, type Admission } from './admission.ts';
import { Refusal } from './status.ts';

/** Room asked for at first when the sender does not say how long its body is. */
const unknownBytes = 64 * 1024;

/** A whole body and the room it holds, which the reader must release. */
export interface LeasedBody {
  readonly bytes: Buffer;
  readonly lease: Lease;
}

/**
 * Waits for room, then reads the body of `request`, within `limitMs`. `onRoom` runs between the two. Rejects with a
 * `too_large` or `too_slow` Refusal, an `overloaded` Failure, or an `invalid` one when the sender hung up, and holds nothing then.
 */
export async function readBody(
  request: IncomingMessage,
  admission: Admission,
  limitMs: number,
  signal: AbortSignal,
  onRoom: () => void,
): Promise<LeasedBody> {
  const declared = Number(request.headers['content-length'] ?? Number.NaN);
  if (!Number.isNaN(declared)) admission.checkSize(declared);
  const lease = await admission.lease(
    Number.isNaN(declared) ? unknownBytes : declared,
    assumedDeadlineMs,
    signal,
  );
  try {
    onRoom();
    return { bytes: await collect(request, admission, lease, limitMs), lease };
  } catch (error) {
    lease.release();
    throw error;
  }
}

async function collect(
  request: IncomingMessage,
  admission: Admission,
  lease: Lease,
  limitMs: number,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    try {
      admission.checkSize(bytes);
    } catch (error) {
      reject(error);
      return;
    }
    if (request.headers['content-length'] === undefined) lease.resize(Math.max(bytes, unknownBytes));
    chunks.push(chunk);
  };
  const hungUp = (): void => reject(new Failure('invalid', 'the sender hung up before its body was whole'));
  const timer = setTimeout(() => {
    reject(new Refusal('too_slow', `the body did not arrive within ${limitMs} ms: send smaller batches`));
  }, limitMs);
  request.on('data', onData);
  request.once('end', () => resolve(Buffer.concat(chunks, bytes)));
  request.once('close', hungUp);
  request.once('error', hungUp);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    request.off('data', onData);
    request.off('close', hungUp);
  }
}
