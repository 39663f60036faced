import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { Claim, Stream } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import {
  listDead,
  openFrom,
  readLetters,
  type ListedLetter,
  type Selection,
} from '../../src/store/dead-letter-log.ts';
import { DeadLetters } from '../../src/store/dead-letters.ts';
import { defaultReplaySettings, Replay, type Replayed } from '../../src/store/replay.ts';
import { defaultSettings, Store } from '../../src/store/store.ts';
import { silentLog } from '../store/embedded.ts';
import { jsonEncoder, payloadOf, undecodablePayload, type TestSpan } from '../store/json-rows.ts';
import { MemoryTable } from '../store/memory-table.ts';
import { until } from '../until.ts';

/** The two streams, started, with a group `store` of the first and a group `replay` of the other. */
export interface LetterPlace {
  readonly spans: Stream;
  readonly deadLetters: Stream;
  remove(): Promise<void>;
}

const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const everything: Selection = { key: undefined, reason: '' };
const nothing = { stored: 0, alreadyStored: 0, leftToStore: 0, stillDead: new Map() };
const unreadable = 'the record cannot be read: not JSON';

const good: TestSpan = { id: 1, date: '2026-01-01' };
const invalid: TestSpan = { id: 3, date: '2026-01-01', isInvalid: true };
const bad: TestSpan = { id: 2, date: '2026-01-01', poison: 'row' };

/** A store over streams and a table, that gives up soon. */
export function storeOver({ spans, deadLetters }: Omit<LetterPlace, 'remove'>, table: MemoryTable): Store {
  return new Store(spans, {
    table,
    encoder: jsonEncoder,
    deadLetters: new DeadLetters(deadLetters),
    telemetry: new Telemetry(),
    log: silentLog,
    settings: { ...defaultSettings, flushIntervalMs: 5, backoff: { initialMs: 5, maxMs: 50 } },
  });
}

export async function append(spans: Stream, payload: Uint8Array, count: number): Promise<void> {
  await spans.consume([{ partition: 0, payload, spans: count, headers: { kept: 'yes' } }], soon());
}

/** Resolves when the store is past everything in partition 0. */
export async function storedAll(spans: Stream): Promise<void> {
  const { end } = await spans.reader(0).bounds();
  await until('the store to be past everything', async () => {
    const committed = await spans.committed('store', 0);
    return committed?.position.offset === end && !committed.metadata.includes('"intent"');
  });
}

/** What every stream driver must give to dead letters, run against one. */
export function deadLetterContract(driver: string, open: () => Promise<LetterPlace>): void {
  describe(`dead letters on ${driver}`, () => {
    let place: LetterPlace;
    let table: MemoryTable;
    beforeEach(async () => {
      place = await open();
      table = new MemoryTable();
    });
    afterEach(() => place.remove());

    async function store(): Promise<void> {
      const consumer = place.spans.consumer('store', storeOver(place, table).worker);
      await consumer.start();
      await storedAll(place.spans);
      await consumer.stop(soon());
    }

    async function list(): Promise<readonly ListedLetter[]> {
      const { deadLetters } = place;
      const from = openFrom(await deadLetters.committed('replay', 0), deadLetters.id);
      const { letters } = await readLetters(deadLetters.reader(0), from, jsonEncoder);
      return listDead(table, [...letters.values()]);
    }

    function newReplay(claim: Claim): Replay {
      const { spans, deadLetters } = place;
      return new Replay(
        {
          table,
          encoder: jsonEncoder,
          deadLetters: new DeadLetters(deadLetters),
          streamId: deadLetters.id,
          storeIsPast: async ({ partition }) =>
            (await spans.committed('store', partition))?.position ?? { offset: 0, index: 0 },
          clock: systemClock,
          pause: async () => new Promise(setImmediate),
          log: silentLog,
          settings: { ...defaultReplaySettings, letters: 2 },
        },
        claim,
      );
    }

    async function replay(selection = everything): Promise<Replayed> {
      const { promise, resolve, reject } = Promise.withResolvers<Replayed>();
      const consumer = place.deadLetters.consumer('replay', (claim) =>
        newReplay(claim).run(selection).then(resolve, reject),
      );
      await consumer.start();
      try {
        return await promise;
      } finally {
        await consumer.stop(soon());
      }
    }

    const places = (): readonly string[] => table.rows.map((row) => `${row.offset}.${row.index}`).toSorted();
    const key = (offset: number, index = 0): string => `${place.spans.id}/0/${offset}/${index}`;

    it('a span that is refused and a record that nobody can read are listed, and what is around them is stored', async () => {
      await append(place.spans, payloadOf([good, bad, good]), 3);
      await append(place.spans, undecodablePayload, 7);
      await store();
      expect(places()).toEqual(['0.0', '0.2']);
      expect(await list()).toMatchObject([
        { key: key(0, 1), attempt: 1, part: 'store', reason: 'refused', deadSpans: 1 },
        { key: key(1), attempt: 1, part: 'store', reason: unreadable, deadSpans: 7 },
      ]);
    });

    it('spans that are not valid are listed, and stay so however often they are replayed', async () => {
      await append(place.spans, payloadOf([good, invalid, invalid]), 3);
      await store();
      expect(places()).toEqual(['0.0']);
      expect(await list()).toMatchObject([{ key: key(0, 1), reason: 'not valid', deadSpans: 2 }]);
      expect(await replay()).toEqual({ ...nothing, stillDead: new Map([['not valid', 1]]) });
      expect(await list()).toMatchObject([{ key: key(0, 1), attempt: 2, deadSpans: 2 }]);
      expect(places()).toEqual(['0.0']);
    });

    it('a replay stores what is taken by now at its own place, once, and counts an attempt at the rest', async () => {
      await append(place.spans, payloadOf([bad, good, bad]), 3);
      await append(place.spans, undecodablePayload, 7);
      await store();
      expect(await replay()).toEqual({
        ...nothing,
        stillDead: new Map([
          ['refused', 2],
          [unreadable, 1],
        ]),
      });
      expect(await list()).toMatchObject([
        { key: key(0, 0), attempt: 2, part: 'replay' },
        { key: key(0, 2), attempt: 2, part: 'replay' },
        { key: key(1), attempt: 2, part: 'replay' },
      ]);
      table.isMended = true;
      expect(await replay({ key: key(0, 2), reason: '' })).toEqual({ ...nothing, stored: 1 });
      expect(await replay({ key: undefined, reason: 'refused' })).toEqual({
        ...nothing,
        stored: 1,
        alreadyStored: 1,
      });
      expect(places()).toEqual(['0.0', '0.1', '0.2']);
      expect(await replay()).toMatchObject({ stored: 0, stillDead: new Map([[unreadable, 1]]) });
      expect(await list()).toMatchObject([{ key: key(1), attempt: 3 }]);
    });

    it('what was replayed is behind what the group of replays committed; what is still dead is not', async () => {
      await append(place.spans, payloadOf([bad, good]), 2);
      await append(place.spans, undecodablePayload, 7);
      await store();
      table.isMended = true;
      await replay();
      const committed = await place.deadLetters.committed('replay', 0);
      const { end } = await place.deadLetters.reader(0).bounds();
      expect(committed?.position.offset).toBe(2);
      expect(end).toBe(3);
      const rest = await readLetters(place.deadLetters.reader(0), 2, jsonEncoder);
      expect([...rest.letters.keys()]).toEqual([key(1)]);
    });

    it('a letter that was sent twice is one letter and becomes one row', async () => {
      await append(place.spans, payloadOf([good, bad]), 2);
      await store();
      const [sent] = await place.deadLetters.reader(0).read(0, 1e6, 5000);
      const again = Buffer.from(sent?.payload ?? '');
      for (let n = 0; n < 3; n++)
        await place.deadLetters.consume(
          [{ partition: 0, payload: again, spans: 1, headers: sent?.headers ?? {} }],
          soon(),
        );
      expect(await list()).toMatchObject([{ key: key(0, 1), offset: 3 }]);
      table.isMended = true;
      expect(await replay()).toEqual({ ...nothing, stored: 1 });
      expect(places()).toEqual(['0.0', '0.1']);
    });

    it('a letter that the store has not gone past is left to it', async () => {
      await append(place.spans, payloadOf([good, bad]), 2);
      const letter = {
        record: { offset: 0, timeMs: Date.now(), headers: {} },
        index: 1,
        payload: payloadOf([bad]),
        spans: 1,
        reason: 'refused',
        attempt: 1,
      };
      const giver = { part: 'store', nowMs: Date.now() } as const;
      await new DeadLetters(place.deadLetters).send(
        { streamId: place.spans.id, partition: 0 },
        [letter],
        giver,
        soon(),
      );
      table.isMended = true;
      expect(await replay()).toEqual({ ...nothing, leftToStore: 1 });
      expect([places(), (await list()).length]).toEqual([[], 1]);
      await store();
      expect(places()).toEqual(['0.0', '0.1']);
      expect(await list()).toEqual([]);
      expect(await replay()).toEqual({ ...nothing, alreadyStored: 1 });
    });

    it('a record among them that is no dead letter is passed over and counted', async () => {
      await append(place.spans, payloadOf([good, bad]), 2);
      await append(place.deadLetters, Buffer.from('somebody else'), 0);
      await store();
      const { letters, foreignRecords } = await readLetters(place.deadLetters.reader(0), 0, jsonEncoder);
      expect([[...letters.keys()], foreignRecords]).toEqual([[key(0, 1)], 1]);
      table.isMended = true;
      expect(await replay()).toEqual({ ...nothing, stored: 1 });
    });
  });
}
