import type { Stream } from '../../src/core/stream.ts';

/** The payloads of a partition, from its start to its end, as text. */
export async function payloads(
  stream: Stream,
  partition: number,
  encoding: BufferEncoding = 'utf8',
): Promise<string[]> {
  const seen: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const consumer = stream.consumer('assess', async (claim) => {
    if (claim.partition !== partition) return;
    try {
      const { end } = await claim.bounds();
      for (let next = 0; next < end;) {
        const records = await claim.read(next, 1e6, 1000);
        seen.push(...records.map(({ payload }) => Buffer.from(payload).toString(encoding)));
        next = (records.at(-1)?.offset ?? next - 1) + 1;
      }
      resolve();
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)));
    }
  });
  await consumer.start();
  await promise;
  await consumer.stop(AbortSignal.timeout(10_000));
  return seen;
}
