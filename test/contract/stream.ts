import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  OwnershipLost,
  type Claim,
  type NewRecord,
  type Stream,
  type StreamConsumer,
} from '../../src/core/stream.ts';
import { until } from '../until.ts';
import { recordOf, texts } from './stream-records.ts';

/** A stream of its own for one test, in a place that outlives its process. */
export interface StreamPlace {
  /** The stream of this place, not started. Every call is a new process' view of the same place. */
  open(): Stream;
  /** Runs in another process that appends `records` to partition 0 one by one, and is killed (SIGKILL) after the last acknowledgement. */
  appendAndKill?(records: number): Promise<void>;
  remove(): Promise<void>;
}

/** What a driver cannot do, so that its tests are left out. */
export interface StreamFeatures {
  readonly countsAppendedSpans: boolean;
  /** Records that are due can be made to expire, by `expire(stream, offset)`: everything before `offset` of partition 0. */
  readonly expire?: (place: StreamPlace, stream: Stream, offset: number) => Promise<void>;
  readonly consumeAbortsBeforeItBegins: boolean;
}

/** The groups that the tests use; a driver that must know its groups is given these. */
export const contractGroups = ['store', 'assess'] as const;
/** How many partitions every place has. */
export const contractPartitions = 3;

const never = new AbortController().signal;

/** A member of a group whose worker hands its claims to the test and then waits for the end. */
export function holder(
  stream: Stream,
  group: string,
): { consumer: StreamConsumer; claims: (Claim | undefined)[] } {
  const claims: (Claim | undefined)[] = [];
  const consumer = stream.consumer(group, async (claim, stopping) => {
    claims[claim.partition] = claim;
    const ended = AbortSignal.any([claim.lost, stopping]);
    if (!ended.aborted)
      await new Promise((resolve) => ended.addEventListener('abort', resolve, { once: true }));
  });
  return { consumer, claims };
}

/** Every promise of the port, run against one driver. */
export function streamContract(
  driver: string,
  newPlace: () => Promise<StreamPlace>,
  features: StreamFeatures,
): void {
  describe(`${driver} as a stream`, () => {
    let place: StreamPlace;
    let stream: Stream;
    let running: { stop(deadline: AbortSignal): Promise<void> }[];

    beforeEach(async () => {
      place = await newPlace();
      running = [];
      stream = await started();
    });
    afterEach(async () => {
      for (const each of running.toReversed()) await each.stop(AbortSignal.timeout(10_000));
      await place.remove();
    });

    async function started(): Promise<Stream> {
      const opened = place.open();
      await opened.start();
      running.push(opened);
      return opened;
    }
    async function reopened(): Promise<Stream> {
      for (const each of running.toReversed()) await each.stop(AbortSignal.timeout(10_000));
      running = [];
      return started();
    }
    async function join(
      group: string,
      of = stream,
    ): Promise<{ consumer: StreamConsumer; claims: (Claim | undefined)[] }> {
      const member = holder(of, group);
      await member.consumer.start();
      running.push(member.consumer);
      return member;
    }
    async function claimOf(group: string, partition = 0, of = stream): Promise<Claim> {
      const { claims } = await join(group, of);
      return until(`the claim of ${group}`, () => claims[partition]);
    }
    const append = async (...records: NewRecord[]): Promise<void> => stream.consume(records, never);

    it('gives back what was appended: bytes, headers, spans, time, in order and without gaps', async () => {
      const beforeMs = Date.now();
      await append(recordOf('a', 0, 3), recordOf('b', 0, 4));
      await append({ partition: 0, payload: new Uint8Array(), spans: 0, headers: {} });
      const claim = await claimOf('store');
      const records = await claim.read(0, 1e6, 5000);
      expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2]);
      expect(texts(records)).toEqual(['a', 'b', '']);
      expect(records[0]).toMatchObject({ headers: { 'plimsoll.enriched': 'r1' }, spans: 3 });
      expect(records[2]).toMatchObject({ headers: {} });
      for (const { timeMs } of records) expect(timeMs).toBeGreaterThanOrEqual(beforeMs - 5000);
    });

    it('keeps partitions apart, each with its own offsets', async () => {
      await append(recordOf('a', 0), recordOf('b', 1), recordOf('c', 0), recordOf('d', 2));
      const { claims } = await join('store');
      const all = await Promise.all(
        [0, 1, 2].map(async (partition) => {
          const claim = await until('a claim', () => claims[partition]);
          return texts(await claim.read(0, 1e6, 5000));
        }),
      );
      expect(all).toEqual([['a', 'c'], ['b'], ['d']]);
    });

    it('loses nothing and mixes nothing up when many append at once', async () => {
      await Promise.all(
        Array.from({ length: 100 }, async (_, n) => append(recordOf(`${n}-first`), recordOf(`${n}-second`))),
      );
      const claim = await claimOf('store');
      const seen: string[] = [];
      while (seen.length < 200) seen.push(...texts(await claim.read(seen.length, 1e6, 5000)));
      expect(new Set(seen).size).toBe(200);
      for (const [at, text] of seen.entries()) {
        if (text.endsWith('first')) expect(seen.indexOf(text.replace('first', 'second'))).toBeGreaterThan(at);
      }
    });

    it('keeps records of many sizes intact while others are appended and read', async () => {
      const claim = await claimOf('store');
      const sizes = Array.from({ length: 60 }, (_, n) => Math.floor(1.28 ** (n % 50)) + n);
      const bytesOf = (n: number): Buffer => Buffer.alloc(sizes[n] ?? 0, n + 1);
      const appended = Promise.all(
        sizes.map(async (_, n) => append({ ...recordOf(''), payload: bytesOf(n), spans: n })),
      );
      let next = 0;
      while (next < sizes.length) {
        for (const { offset, payload, spans } of await claim.read(next, 100_000, 5000)) {
          expect(offset).toBe(next++);
          expect(bytesOf(spans).equals(payload)).toBe(true);
        }
      }
      await appended;
    });

    it('has appended records after it was closed and opened again, under the same id', async () => {
      const { id } = stream;
      await append(recordOf('a'));
      stream = await reopened();
      expect(stream.id).toBe(id);
      await append(recordOf('b'));
      const claim = await claimOf('store');
      expect(texts(await claim.read(0, 1e6, 5000))).toEqual(['a', 'b']);
    });

    it('has every acknowledged record after its process was killed', async ({ skip }) => {
      if (!place.appendAndKill) {
        skip();
        return;
      }
      for (const each of running) await each.stop(AbortSignal.timeout(10_000));
      running = [];
      await place.appendAndKill(50);
      stream = await started();
      const claim = await claimOf('store');
      const records = await claim.read(0, 1e6, 5000);
      expect(texts(records).slice(0, 50)).toEqual(Array.from({ length: 50 }, (_, n) => `killed-${n}`));
    });

    it('reads about as much as was asked for, and one record at least', async () => {
      await append(...Array.from({ length: 10 }, () => recordOf('x'.repeat(1000))));
      const claim = await claimOf('store');
      expect(await claim.read(0, 1, 5000)).toHaveLength(1);
      const some = await claim.read(0, 3500, 5000);
      expect(some.length).toBeGreaterThanOrEqual(1);
      expect(some.length).toBeLessThan(10);
      expect((await claim.read(4, 1, 5000))[0]?.offset).toBe(4);
    });

    it('says that it found nothing because the partition ends there', async () => {
      await append(recordOf('one'));
      const claim = await claimOf('assess');
      expect(await claim.read(0, 1e6, 5000)).toHaveLength(1);
      expect(await claim.read(1, 1e6, 50)).toEqual([]);
      expect(claim.isAtEnd).toBe(true);
    });

    it('lends what was read until the next read of the claim, whatever is appended and read elsewhere', async () => {
      await append(recordOf('mine'));
      const claim = await claimOf('store');
      const other = await claimOf('assess');
      const lent = await claim.read(0, 1e6, 5000);
      const large = 'x'.repeat(500_000);
      for (let n = 0; n < 40; n++) await append(recordOf(large));
      for (let offset = 0; offset < 41;) offset += (await other.read(offset, 1e6, 5000)).length;
      expect(texts(lent)).toEqual(['mine']);
    });

    it('is done with the bytes of an append when that settles', async () => {
      const payload = Buffer.from('first');
      await append({ partition: 0, payload, spans: 1, headers: {} });
      payload.fill('x');
      const claim = await claimOf('store');
      expect(texts(await claim.read(0, 1e6, 5000))).toEqual(['first']);
    });

    it('is read from outside every group, and tells what a group has committed, while that group goes on', async () => {
      await append(recordOf('a'), recordOf('b'));
      expect(await stream.committed('store', 0)).toBeUndefined();
      const claim = await claimOf('store');
      await claim.commit({ position: { offset: 1, index: 3 }, metadata: 'm' });
      const reader = stream.reader(0);
      expect(await reader.bounds()).toEqual({ start: 0, end: 2 });
      expect(texts(await reader.read(0, 1e6, 5000))).toEqual(['a', 'b']);
      expect(await reader.read(2, 1e6, 20)).toEqual([]);
      expect(await stream.committed('store', 0)).toEqual({
        position: { offset: 1, index: 3 },
        metadata: 'm',
      });
      expect(await stream.committed('assess', 0)).toBeUndefined();
      await claim.commit({ position: { offset: 2, index: 0 }, metadata: '' });
      expect(claim.lost.aborted).toBe(false);
    });

    it('makes a read at the end wait until something is appended', async () => {
      const claim = await claimOf('store');
      const read = claim.read(0, 1e6, 60_000);
      await append(recordOf('late'));
      expect(texts(await read)).toEqual(['late']);
    });

    it('answers a read at the end with nothing when nothing is appended in time', async () => {
      const claim = await claimOf('store');
      expect(await claim.read(0, 1e6, 20)).toEqual([]);
    });

    it('tells the offsets that a partition holds', async () => {
      const claim = await claimOf('store');
      expect(await claim.bounds()).toEqual({ start: 0, end: 0 });
      await append(recordOf('a'), recordOf('b'));
      expect(await claim.bounds()).toEqual({ start: 0, end: 2 });
    });

    it('counts appended spans by position, across a restart, or says that it cannot', async () => {
      if (!features.countsAppendedSpans) {
        expect(stream.appendedSpans(0)).toBeUndefined();
        return;
      }
      expect(stream.appendedSpans(0)).toBe(0);
      await append(recordOf('a', 0, 5), recordOf('b', 1, 2), recordOf('c', 0, 1));
      stream = await reopened();
      expect([0, 1, 2].map((partition) => stream.appendedSpans(partition))).toEqual([6, 2, 0]);
    });

    it('begins with nothing committed, and remembers a commit with its metadata across a restart', async () => {
      await append(recordOf('a'), recordOf('b'));
      const claim = await claimOf('store');
      expect(claim.committed).toBeUndefined();
      await claim.commit({ position: { offset: 0, index: 0 }, metadata: '{"v":1}' });
      await claim.commit({ position: { offset: 1, index: 0 }, metadata: 'ü'.repeat(1024) });
      stream = await reopened();
      const next = await claimOf('store');
      expect(next.committed).toEqual({ position: { offset: 1, index: 0 }, metadata: 'ü'.repeat(1024) });
    });

    it('keeps the commits of groups and of partitions apart', async () => {
      const { claims } = await join('store');
      const first = await until('claims', () => claims[0]);
      const second = await until('claims', () => claims[1]);
      await first.commit({ position: { offset: 7, index: 0 }, metadata: 'zero' });
      await second.commit({ position: { offset: 8, index: 0 }, metadata: 'one' });
      stream = await reopened();
      expect((await claimOf('assess')).committed).toBeUndefined();
      const again = await join('store');
      expect((await until('claims', () => again.claims[0])).committed?.metadata).toBe('zero');
      expect((await until('claims', () => again.claims[1])).committed?.metadata).toBe('one');
      expect((await until('claims', () => again.claims[2])).committed).toBeUndefined();
    });

    it('refuses metadata of more than 2 KB and keeps the commit before it', async () => {
      const claim = await claimOf('store');
      await claim.commit({ position: { offset: 1, index: 0 }, metadata: 'kept' });
      await expect(
        claim.commit({ position: { offset: 2, index: 0 }, metadata: 'x'.repeat(2049) }),
      ).rejects.toThrow(/2049 bytes/);
      stream = await reopened();
      expect((await claimOf('store')).committed?.metadata).toBe('kept');
    });

    it('moves ownership to a second member: the first is told, and can do nothing any more', async () => {
      await append(recordOf('a'));
      const first = await claimOf('store');
      await first.commit({ position: { offset: 1, index: 0 }, metadata: 'first' });
      const second = await claimOf('store');
      await until('the loss', () => first.lost.aborted);
      expect(second.lost.aborted).toBe(false);
      expect(second.committed?.metadata).toBe('first');
      await expect(
        first.commit({ position: { offset: 0, index: 0 }, metadata: 'zombie' }),
      ).rejects.toBeInstanceOf(OwnershipLost);
      await expect(first.read(0, 1e6, 0)).rejects.toBeInstanceOf(OwnershipLost);
      await expect(first.bounds()).rejects.toBeInstanceOf(OwnershipLost);
      stream = await reopened();
      expect((await claimOf('store')).committed?.metadata).toBe('first');
    });

    it('lets no commit through that was on its way while ownership moved, unless the new owner knows it', async () => {
      const first = await claimOf('store');
      const commits = Promise.allSettled(
        Array.from({ length: 20 }, async (_, n) => {
          await sleep(n % 5);
          await first.commit({ position: { offset: n + 1, index: 0 }, metadata: String(n) });
        }),
      );
      await sleep(2);
      const second = await claimOf('store');
      const known = second.committed;
      await commits;
      stream = await reopened();
      expect((await claimOf('store')).committed).toEqual(known);
    });

    it('ends a read that waits when ownership is lost', async () => {
      const first = await claimOf('store');
      const read = expect(first.read(0, 1e6, 60_000)).rejects.toBeInstanceOf(OwnershipLost);
      await join('store');
      await read;
    });

    it('gives ownership back when the second member stops', async () => {
      const first = await join('store');
      const claim = await until('a claim', () => first.claims[0]);
      const second = await join('store');
      const taken = await until('the second claim', () => second.claims[0]);
      await taken.commit({ position: { offset: 3, index: 0 }, metadata: 'second' });
      await second.consumer.stop(AbortSignal.timeout(10_000));
      const again = await until('a new claim', () =>
        first.claims[0] === claim ? undefined : first.claims[0],
      );
      expect(again.committed?.metadata).toBe('second');
      expect(taken.lost.aborted).toBe(true);
    });

    it('tells how many partitions a member owns, once it is in its group', async () => {
      const { consumer } = holder(stream, 'store');
      expect(consumer.owned).toBeUndefined();
      await consumer.start();
      await until('all partitions', () => consumer.owned === contractPartitions);
      await consumer.stop(AbortSignal.timeout(10_000));
      expect(consumer.owned).toBeUndefined();
    });

    it('stops a consumer after its workers returned, and ends their reads', async () => {
      const events: string[] = [];
      const consumer = stream.consumer('store', async (claim, stopping) => {
        if (claim.partition !== 0) return;
        events.push('reading');
        expect(await claim.read(0, 1e6, 60_000)).toEqual([]);
        expect(stopping.aborted).toBe(true);
        await claim.commit({ position: { offset: 0, index: 0 }, metadata: 'last words' });
        events.push('returned');
      });
      await consumer.start();
      await until('the read', () => events.length > 0);
      await consumer.stop(AbortSignal.timeout(10_000));
      expect(events).toEqual(['reading', 'returned']);
      expect((await claimOf('store')).committed?.metadata).toBe('last words');
    });

    it('does not wait for a worker beyond the deadline, and takes its claim away', async () => {
      let held: Claim | undefined;
      const consumer = stream.consumer('store', async (claim) => {
        if (claim.partition === 0) held = claim;
        await new Promise(() => undefined);
      });
      await consumer.start();
      const claim = await until('a claim', () => held);
      await consumer.stop(AbortSignal.abort());
      expect(claim.lost.aborted).toBe(true);
    });

    it('says which fault ended a worker', async () => {
      const consumer = stream.consumer('store', async () => Promise.reject(new Error('a bug')));
      expect(consumer.fault).toBeUndefined();
      await consumer.start();
      running.push(consumer);
      expect(await until('the fault', () => consumer.fault)).toMatchObject({ message: 'a bug' });
    });

    it('ends reads that wait with nothing when the stream stops, and refuses appends from then on', async () => {
      const claim = await claimOf('store');
      const read = claim.read(0, 1e6, 60_000);
      await stream.stop(AbortSignal.timeout(10_000));
      expect(await read).toEqual([]);
      await expect(append(recordOf('a'))).rejects.toMatchObject({ kind: 'unavailable' });
      await expect(claim.read(0, 1e6, 0)).rejects.toBeInstanceOf(OwnershipLost);
    });

    it('settles appends on their way before it stops', async () => {
      const appends = Array.from({ length: 20 }, async (_, n) => append(recordOf(String(n))));
      await stream.stop(AbortSignal.timeout(10_000));
      await Promise.all(appends);
      stream = await reopened();
      const claim = await claimOf('store');
      expect(await claim.bounds()).toEqual({ start: 0, end: 20 });
    });

    it('stops twice, and before it started, without harm', async () => {
      await place.open().stop(AbortSignal.timeout(1000));
      await stream.stop(AbortSignal.timeout(10_000));
      await stream.stop(AbortSignal.timeout(10_000));
    });

    it('refuses a partition it does not have, and appends none of the batch', async () => {
      await expect(append(recordOf('a', 0), recordOf('b', contractPartitions))).rejects.toMatchObject({
        kind: 'invalid',
      });
      const claim = await claimOf('store');
      expect(await claim.bounds()).toEqual({ start: 0, end: 0 });
    });

    it('does not begin an append that was given up', async ({ skip }) => {
      if (!features.consumeAbortsBeforeItBegins) {
        skip();
        return;
      }
      await expect(stream.consume([recordOf('a')], AbortSignal.abort())).rejects.toMatchObject({
        kind: 'unavailable',
      });
      const claim = await claimOf('store');
      expect(await claim.bounds()).toEqual({ start: 0, end: 0 });
    });

    it('continues a read of expired records at the oldest kept', async ({ skip }) => {
      if (!features.expire) {
        skip();
        return;
      }
      await append(...Array.from({ length: 10 }, (_, n) => recordOf(String(n))));
      await features.expire(place, stream, 4);
      const claim = await claimOf('store');
      expect((await claim.bounds()).start).toBe(4);
      expect(texts(await claim.read(1, 1e6, 5000))[0]).toBe('4');
    });
  });
}
