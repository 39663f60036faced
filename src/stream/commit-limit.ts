import type { Commit } from '../core/stream.ts';

/** The longest metadata of a commit, in bytes of UTF-8; Kafka's default limit is 4096. */
const metadataLimitBytes = 2048;

/** Bytes of the metadata of a commit; throws a RangeError when they are more than the port allows. */
export function metadataBytes({ metadata }: Commit): number {
  const bytes = Buffer.byteLength(metadata);
  if (bytes > metadataLimitBytes) {
    throw new RangeError(
      `the metadata of a commit is ${bytes} bytes and may be ${metadataLimitBytes}: keep less in it`,
    );
  }
  return bytes;
}
