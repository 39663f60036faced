import type { NewRecord, StreamRecord } from '../../src/core/stream.ts';

/** A record whose payload is `text`. */
export function recordOf(text: string, partition = 0, spans = 1): NewRecord {
  return { partition, payload: Buffer.from(text), spans, headers: { 'plimsoll.enriched': 'r1' } };
}

/** The payloads as text. */
export function texts(records: readonly StreamRecord[]): string[] {
  return records.map(({ payload }) => Buffer.from(payload).toString());
}
