import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Headers, NewRecord, StreamRecord } from '../../src/core/stream.ts';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import type { RowEncoder } from '../../src/store/block.ts';
import { openFrom, readLetters, type Letter } from '../../src/store/dead-letter-log.ts';
import { DeadLetters, letterKey } from '../../src/store/dead-letters.ts';
import { SpanEncoder } from '../../src/store/span-encoder.ts';
import { requests } from '../enrich/arbitrary-requests.ts';
import { encodeRequest } from '../otlp/oracle.ts';
import { runs } from '../property-runs.ts';
import { MemoryPartition } from './memory-stream.ts';

const origin = { streamId: "it's/a stream", partition: 3 };
const enricher = new Enricher({ content: { mode: 'drop' } });
const encoder = new SpanEncoder(new EnrichedSpans(enricher));
const nowMs = 1_764_100_000_000;

/** The dead letters as they are read, after `records` were sent to them. */
async function lettersOf(records: readonly NewRecord[]) {
  const partition = new MemoryPartition();
  for (const { payload, spans, headers } of records) partition.append(payload, spans, headers);
  const { letters } = await readLetters(partition.claim(), 0, encoder);
  return { letters: [...letters.values()], records: partition.records };
}

/** What span `index` of `record` is sent as when it is given up. */
async function sent(record: StreamRecord, index: number): Promise<readonly NewRecord[]> {
  const records: NewRecord[] = [];
  const consume = async (some: readonly NewRecord[]): Promise<void> => {
    records.push(...some);
    return Promise.resolve();
  };
  const { headers, payload } = encoder.single(record, index);
  const letter = { record: { ...record, headers }, index, payload, spans: 1, reason: 'refused', attempt: 1 };
  const giver = { part: 'store', nowMs } as const;
  await new DeadLetters({ consume }).send(origin, [letter], giver, new AbortController().signal);
  return records;
}

function rowOf(of: RowEncoder, record: StreamRecord, index: number, place?: number): Buffer {
  const rows = of.rows(origin);
  rows.read(record);
  rows.append(index, place);
  return Buffer.concat(rows.finish());
}

function recordOf(payload: Uint8Array, spans: number, headers: Headers): StreamRecord {
  return { offset: 7, timeMs: 1_764_000_000_123, spans, headers, payload };
}

/** The row that a replay makes of a letter. */
function replayed(letter: Letter | undefined, record: StreamRecord | undefined): Buffer {
  if (!letter || !record) throw new Error('there is no letter');
  const { position, recordTimeMs } = letter;
  return rowOf(encoder, { ...record, offset: position.offset, timeMs: recordTimeMs }, 0, position.index);
}

describe('a letter of one span', () => {
  test('becomes the row that its span would have become, whoever wrote the record', async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.boolean(), fc.nat(), async (request, isForeign, n) => {
        const bytes = encodeRequest(request);
        const { records, accepted } = enricher.enrich(bytes, 1);
        const [enriched] = records;
        if (!enriched) return;
        const ours = recordOf(Buffer.from(enriched.payload), accepted, enriched.headers);
        const record = isForeign ? recordOf(bytes, 0, {}) : ours;
        const index = n % accepted;
        const { letters, records: dead } = await lettersOf(await sent(record, index));
        const [letter] = letters;
        expect(letter).toMatchObject({
          key: letterKey(origin, { offset: 7, index }),
          origin,
          position: { offset: 7, index },
          recordTimeMs: record.timeMs,
          timeMs: nowMs,
          readableSpans: 1,
        });
        expect(replayed(letter, dead[0]).equals(rowOf(encoder, ours, index))).toBe(true);
      }),
      { numRuns: runs },
    );
  });
});

const at = (metadata: string) => ({ position: { offset: 9, index: 0 }, metadata });

describe('where replays go on', () => {
  test('is what they committed on this stream, or an operator did', () => {
    expect([at('s1'), at(''), undefined].map((commit) => openFrom(commit, 's1'))).toEqual([9, 9, 0]);
  });

  test('is the beginning of a stream that was created anew', () => {
    expect(openFrom(at('s0'), 's1')).toBe(0);
  });
});
