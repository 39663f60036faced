import { expect, test } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import type { NewRecord } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { Enricher, enrichedHeader } from '../../src/enrich/enricher.ts';
import { Ingest } from '../../src/receiver/ingest.ts';
import { unlimited } from '../../src/enrich/claims.ts';
import { encodeRequest, type OracleSpan } from '../otlp/oracle.ts';

const never = new AbortController().signal;
const good: OracleSpan = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1), name: 'good' };
const bad: OracleSpan = { traceId: Buffer.alloc(3, 1), spanId: Buffer.alloc(8, 1), name: 'bad' };
const requestOf = (...spans: OracleSpan[]) => encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

function place(consume: (records: readonly NewRecord[]) => Promise<void>) {
  const clock = { nowMs: () => clock.atMs, atMs: 1000 };
  const stream = { partitions: 1, recordLimitBytes: 2000, fault: undefined, consume };
  const enricher = new Enricher({ content: { mode: 'drop' } });
  return { clock, enricher, ingest: new Ingest({ enricher, stream, telemetry: new Telemetry(), clock }) };
}

test('a request becomes a record that says which enrichment it has had', async () => {
  const appended: NewRecord[] = [];
  const { ingest, enricher } = place((records) => Promise.resolve(void appended.push(...records)));
  expect(await ingest.exportTraces(requestOf(good, good), never, unlimited)).toEqual({
    accepted: 2,
    rejected: 0,
    forbidden: 0,
    message: '',
  });
  expect(appended).toMatchObject([
    { partition: 0, spans: 2, headers: { [enrichedHeader]: enricher.revision } },
  ]);
});

test('a bad span does not cost the others, and its sender is told why', async () => {
  const { ingest } = place(() => Promise.resolve());
  const result = await ingest.exportTraces(requestOf(good, bad), never, unlimited);
  expect(result).toMatchObject({ accepted: 1, rejected: 1, message: expect.stringContaining('1 span: ') });
});

test('a span longer than the stream takes does not cost the others, and its sender is told so', async () => {
  const appended: NewRecord[] = [];
  const { ingest } = place((records) => Promise.resolve(void appended.push(...records)));
  const long = { ...good, name: 'x'.repeat(3000) };
  const result = await ingest.exportTraces(requestOf(good, long), never, unlimited);
  expect(result).toMatchObject({
    accepted: 1,
    rejected: 1,
    message: expect.stringContaining('is longer than 2000 bytes, the longest record of the stream'),
  });
  expect(appended).toMatchObject([{ spans: 1 }]);
});

test('a request without spans is taken and appends nothing', async () => {
  const { ingest } = place(() => Promise.reject(new Error('nothing should be appended')));
  expect(await ingest.exportTraces(requestOf(), never, unlimited)).toEqual({
    accepted: 0,
    rejected: 0,
    forbidden: 0,
    message: '',
  });
});

test('while the stream refuses, health says why; a success or half a minute without traffic clears it', async () => {
  let full = true;
  const { ingest, clock } = place(() =>
    full ? Promise.reject(new Failure('overloaded', 'the disk is full')) : Promise.resolve(),
  );
  expect(ingest.check().flowing).toBe(true);
  await expect(ingest.exportTraces(requestOf(good, good, bad), never, unlimited)).rejects.toMatchObject({
    kind: 'overloaded',
    spans: 2,
  });
  expect(ingest.check()).toEqual({ flowing: false, reason: 'the disk is full' });
  clock.atMs += 30_001;
  expect(ingest.check().flowing).toBe(true);
  clock.atMs -= 30_001;
  full = false;
  await ingest.exportTraces(requestOf(good), never, unlimited);
  expect(ingest.check().flowing).toBe(true);
});
