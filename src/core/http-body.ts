import type { IncomingMessage } from 'node:http';

/** The whole body of `request`; undefined when it is larger than `limitBytes`. Rejects when its sender hangs up before. */
export async function bodyWithin(request: IncomingMessage, limitBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > limitBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
