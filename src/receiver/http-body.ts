import type { IncomingMessage } from 'node:http';
import type { Lease } from '../core/budget.ts';
import { Failure } from '../core/failure.ts';
import { assumedDeadlineMs, type Admission } from './admission.ts';
import { Refusal } from './status.ts';

/** Room asked for at first when the sender does not say how long its body is; doubled whenever it is full. */
const unknownBytes = 64 * 1024;

/** A whole body and the room it holds, which the reader must release. */
export interface LeasedBody {
  readonly bytes: Buffer;
  readonly lease: Lease;
}

/**
 * Waits for room, then reads the body of `request`, within `limitMs`. `onRoom` runs between the two. A body of unknown
 * length gets its room in steps, and is not read on while it waits for the next. Rejects with a
 * `too_large` or `too_slow` Refusal, an `overloaded` Failure, or an `invalid` one when the sender hung up, and holds nothing then.
 */
export async function readBody(
  request: IncomingMessage,
  admission: Admission,
  limitMs: number,
  onRoom: () => void,
): Promise<LeasedBody> {
  const gone = new AbortController();
  const onClose = (): void => {
    if (!request.readableEnded) gone.abort();
  };
  request.once('close', onClose);
  try {
    return await readWhileOpen(request, admission, limitMs, onRoom, gone.signal);
  } catch (error) {
    throw gone.signal.aborted ? hungUp() : error;
  } finally {
    request.off('close', onClose);
  }
}

function hungUp(): Failure {
  return new Failure('invalid', 'the sender hung up before its body was whole');
}

async function readWhileOpen(
  request: IncomingMessage,
  admission: Admission,
  limitMs: number,
  onRoom: () => void,
  gone: AbortSignal,
): Promise<LeasedBody> {
  const declared = Number(request.headers['content-length'] ?? Number.NaN);
  if (!Number.isNaN(declared)) admission.checkSize(declared);
  const roomBytes = Number.isNaN(declared) ? unknownBytes : declared;
  const lease = admission.leaseNow(roomBytes) ?? (await admission.lease(roomBytes, assumedDeadlineMs, gone));
  const room = {
    bytes: roomBytes,
    grow: async (): Promise<void> => {
      room.bytes = Math.min(2 * room.bytes, admission.limitBytes);
      await admission.grow(lease, room.bytes, assumedDeadlineMs, gone);
    },
  };
  try {
    onRoom();
    const bytes = await collect(request, admission, room, limitMs, gone);
    lease.shrink(bytes.length);
    return { bytes, lease };
  } catch (error) {
    lease.release();
    throw error;
  }
}

async function collect(
  request: IncomingMessage,
  admission: Admission,
  room: { readonly bytes: number; readonly grow: () => Promise<void> },
  limitMs: number,
  gone: AbortSignal,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let growing = Promise.resolve();
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    try {
      admission.checkSize(bytes);
    } catch (error) {
      reject(error);
      return;
    }
    chunks.push(chunk);
    if (bytes <= room.bytes) return;
    request.pause();
    growing = growing.then(room.grow);
    growing.then(() => request.resume(), reject);
  };
  const onGone = (): void => reject(hungUp());
  const timer = setTimeout(() => {
    reject(new Refusal('too_slow', `the body did not arrive within ${limitMs} ms: send smaller batches`));
  }, limitMs);
  request.on('data', onData);
  request.once('end', () => void growing.then(() => resolve(Buffer.concat(chunks, bytes)), reject));
  request.once('error', onGone);
  gone.addEventListener('abort', onGone, { once: true });
  if (gone.aborted) onGone();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    request.off('data', onData);
    gone.removeEventListener('abort', onGone);
  }
}
