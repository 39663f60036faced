import { beforeEach, describe, expect, test } from 'vitest';
import { eventAfter, eventLine, genesis } from '../../src/rollback/chain.ts';
import { Journal } from '../../src/rollback/journal.ts';
import type { EventBody, JournalEvent } from '../../src/rollback/rollback-event.ts';
import { MemoryJournal } from './memory-journal.ts';

const stop = (by: string): EventBody => ({ event: 'stopped', by, reason: 'an audit' });
const headers = { 'plimsoll.content': 'rollback_events/1' };

let stream: MemoryJournal;
beforeEach(() => {
  stream = new MemoryJournal();
});

function journalOf(told: (event: JournalEvent) => void = () => undefined): Journal {
  return new Journal(stream, () => 1000, told);
}

async function appendText(text: string): Promise<void> {
  await stream.consume([{ partition: 0, payload: Buffer.from(text), spans: 0, headers }]);
}

describe('of two that append after the same event', () => {
  test('the first one stands, and the other decides again by what that says', async () => {
    const [first, second] = [journalOf(), journalOf()];
    const seen: (string | undefined)[] = [];
    let isLate = true;
    const late = new Journal(
      {
        reader: (partition) => stream.reader(partition),
        consume: async (records) => {
          if (isLate) await first.append(() => stop('ana')); // between the decision and the append
          isLate = false;
          await stream.consume(records);
        },
      },
      () => 1000,
      () => undefined,
    );
    const event = await late.append((book) => {
      seen.push(book.stop?.by);
      return book.stop ? { event: 'resumed', by: 'bo' } : stop('bo');
    });
    expect(seen).toEqual([undefined, 'ana']);
    expect(event).toMatchObject({ seq: 2, body: { event: 'resumed' } });
    expect(stream.records).toHaveLength(3); // one of them is void
    await second.catchUp();
    expect([second.head.seq, second.voids, second.fault]).toEqual([2, 1, undefined]);
  });

  test('nothing is appended by the one whose decision is not called for any more', async () => {
    const first = journalOf();
    await first.append(() => stop('ana'));
    expect(await journalOf().append((book) => (book.stop ? undefined : stop('bo')))).toBeUndefined();
    expect(stream.records).toHaveLength(1);
  });
});

test('what is appended at once by many is one chain, with everything in it', async () => {
  const journals = Array.from({ length: 5 }, () => journalOf());
  await Promise.all(
    journals.flatMap((journal, number) =>
      [1, 2, 3].map(async (turn) => journal.append(() => stop(`${number}/${turn}`))),
    ),
  );
  const reading: JournalEvent[] = [];
  const reader = journalOf((event) => reading.push(event));
  await reader.catchUp();
  expect(reader.fault).toBeUndefined();
  expect(reading.map(({ seq }) => seq)).toEqual(Array.from({ length: 15 }, (_, index) => index + 1));
  expect(new Set(reading.map(({ body }) => 'by' in body && body.by)).size).toBe(15);
});

describe('a journal that cannot be relied on', () => {
  const first = eventAfter(genesis, stop('ana'), 1000);
  const second = eventAfter(first, { event: 'resumed', by: 'ana' }, 1000);
  const third = eventAfter(second, stop('bo'), 1000);

  test.each([
    {
      what: 'was edited',
      lines: [eventLine(first), eventLine(second).replace('ana', 'bob')],
      says: 'record 1 .* edited',
    },
    { what: 'holds what is no event', lines: ['{}'], says: 'record 0 .* edited' },
    {
      what: 'misses an event',
      lines: [eventLine(first), eventLine(third)],
      says: 'event 3 .* events are missing',
    },
    {
      what: 'has an event that follows none',
      lines: [
        eventLine(first),
        eventLine(eventAfter({ ...first, hash: 'f'.repeat(64) }, stop('mallory'), 1000)),
      ],
      says: 'event 2 .* events are missing',
    },
    {
      what: 'is a newer version of the journal',
      lines: [eventLine(eventAfter(genesis, { event: 'frozen' } as unknown as EventBody, 1000))], // oxlint-disable-line typescript/no-unsafe-type-assertion -- a later version's
      says: 'event 1 .* newer version',
    },
  ])('because it $what: nothing is appended to it', async ({ lines, says }) => {
    for (const line of lines) await appendText(line);
    const journal = journalOf();
    await expect(journal.append(() => stop('ana'))).rejects.toMatchObject({ kind: 'unavailable' });
    expect(journal.fault).toMatch(new RegExp(says));
    expect(stream.records).toHaveLength(lines.length);
  });

  test('because its stream lost its beginning', async () => {
    await appendText(eventLine(first));
    stream.start = 1;
    const journal = journalOf();
    await expect(journal.append(() => stop('ana'))).rejects.toThrow('lost its first 1 records');
  });
});

test('an event that comes twice is in the chain once, and other records are nobody’s', async () => {
  const first = eventAfter(genesis, stop('ana'), 1000);
  await stream.consume([{ partition: 0, payload: Buffer.from('hello'), spans: 0, headers: {} }]);
  await appendText(eventLine(first));
  await appendText(eventLine(first));
  const journal = journalOf();
  await journal.catchUp();
  expect([journal.head.seq, journal.voids, journal.fault]).toEqual([1, 1, undefined]);
});
