import { statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import type { Claim, Stream } from '../../src/core/stream.ts';
import type { EmbeddedLog } from '../../src/stream/embedded.ts';
import { holder } from '../contract/stream.ts';
import { runs } from '../property-runs.ts';
import { until } from '../until.ts';
import { HandClock, logIn, never, removeFolder, soon, temporaryFolder, topicOf } from './embedded-place.ts';

const minute = 60_000;
const retention = { ageMs: 20 * minute, bytes: 2_000_000, minAfterCommitMs: 15 * minute };
const groups = ['store', 'assess'];
const partitions = 2;
const topic = topicOf({ partitions, groups, retention });

type Step =
  | {
      readonly do: 'append';
      readonly partition: number;
      readonly kilobytes: number;
      readonly records: number;
    }
  | {
      readonly do: 'commit';
      readonly groups: readonly string[];
      readonly partition: number;
      readonly share: number;
    }
  | { readonly do: 'wait'; readonly minutes: number }
  | { readonly do: 'restart' };

const partition = fc.nat(partitions - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      partition,
      kilobytes: fc.integer({ min: 0, max: 90 }),
      records: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      groups: fc.constantFrom<readonly string[]>(groups, groups, ['store'], ['assess']),
      partition,
      share: fc.constantFrom(1, 1, 0.7, 0.2),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait' as const), minutes: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

/** What must be true, told by what was done and not by how retention works. */
class Model {
  readonly ends = Array.from({ length: partitions }, () => 0);
  readonly sizes = Array.from({ length: partitions }, () => new Map<number, number>());
  readonly #neededFrom: number[] = [];
  readonly #commits = new Map<string, { timeMs: number; offset: number }[]>();

  commit(group: string, at: number, offset: number, timeMs: number): void {
    const key = `${group}/${at}`;
    this.#commits.set(key, [...(this.#commits.get(key) ?? []), { timeMs, offset }]);
  }
  /** Every record from here on is there: some group has not committed it, or did so less than 15 minutes ago. */
  neededFrom(at: number, nowMs: number): number {
    const needed = groups.map((group) => {
      const commits = this.#commits.get(`${group}/${at}`) ?? [];
      const settled = commits.findLastIndex(({ timeMs }) => timeMs <= nowMs - retention.minAfterCommitMs);
      return Math.min(...(settled < 0 ? [0] : commits.slice(settled).map(({ offset }) => offset)));
    });
    const from = Math.max(this.#neededFrom[at] ?? 0, Math.min(...needed)); // what went while nobody needed it is gone
    this.#neededFrom[at] = from;
    return from;
  }
}

/** A log under test, its clock, and a claim for every group and partition. */
class Subject {
  readonly directory = temporaryFolder();
  readonly clock = new HandClock(1e12);
  readonly model = new Model();
  #log: EmbeddedLog | undefined;
  #stream: Stream | undefined;
  #stops: (() => Promise<void>)[] = [];
  #claims = new Map<string, Claim>();

  async open(): Promise<void> {
    this.#log = logIn(this.directory, this.clock);
    const stream = this.#log.stream(topic);
    this.#stream = stream;
    await stream.start();
    this.#stops = [async () => stream.stop(soon())];
    for (const group of groups) {
      const { consumer, claims } = holder(stream, group);
      await consumer.start();
      this.#stops.unshift(async () => consumer.stop(soon()));
      for (let at = 0; at < partitions; at++)
        this.#claims.set(`${group}/${at}`, await until('a claim', () => claims[at]));
    }
  }
  async close(): Promise<void> {
    for (const stop of this.#stops) await stop();
  }
  claim(group: string, at: number): Claim {
    const claim = this.#claims.get(`${group}/${at}`);
    if (!claim) throw new Error('no claim');
    return claim;
  }
  async run(next: Step): Promise<void> {
    if (next.do === 'append') await this.append(next.partition, next.kilobytes * 1000, next.records);
    else if (next.do === 'wait') this.clock.advance(next.minutes * minute);
    else if (next.do === 'commit') {
      const offset = Math.floor(next.share * (this.model.ends[next.partition] ?? 0));
      for (const group of next.groups) await this.commit(group, next.partition, offset);
    } else {
      await this.close();
      await this.open();
    }
    await this.#log?.retain();
    await this.checkBounds();
  }
  /** Whether the append was taken. */
  async append(at: number, bytes: number, records: number): Promise<boolean> {
    const from = this.model.ends[at] ?? 0;
    const batch = Array.from({ length: records }, (_, n) => ({
      partition: at,
      payload: Buffer.alloc(bytes + n, from + n),
      spans: 1,
      headers: {},
    }));
    try {
      await this.#stream?.consume(batch, never);
    } catch (error) {
      expect(error).toBeInstanceOf(Failure);
      expect(error).toMatchObject({ kind: 'overloaded' });
      return false;
    }
    for (const [n, { payload }] of batch.entries()) this.model.sizes[at]?.set(from + n, payload.byteLength);
    this.model.ends[at] = from + records;
    return true;
  }
  async commit(group: string, at: number, offset: number): Promise<void> {
    this.model.commit(group, at, offset, this.clock.nowMs());
    await this.claim(group, at).commit({ position: { offset, index: 0 }, metadata: String(offset) });
  }
  /** Everything that must be there is there, and the file is within its bound, give or take a record. */
  async checkBounds(): Promise<void> {
    for (let at = 0; at < partitions; at++) {
      const { start, end } = await this.claim('store', at).bounds();
      expect(end).toBe(this.model.ends[at]);
      expect(start).toBeLessThanOrEqual(this.model.neededFrom(at, this.clock.nowMs()));
    }
    expect(statSync(join(this.directory, 'log.mdb')).size).toBeLessThanOrEqual(1.05 * retention.bytes);
  }
  /** Everything that is there has the bytes it was appended with. */
  async checkRecords(): Promise<void> {
    for (let at = 0; at < partitions; at++) {
      const claim = this.claim('store', at);
      const { start, end } = await claim.bounds();
      let next = start;
      while (next < end) {
        for (const { offset, payload } of await claim.read(next, 500_000, 0)) {
          expect(offset).toBe(next++);
          const size = this.model.sizes[at]?.get(offset) ?? -1;
          expect(Buffer.alloc(Math.max(0, size), offset).equals(payload)).toBe(true);
        }
      }
    }
  }
  /** Once everybody is done, there is room again, and what is too old goes. */
  async recovers(): Promise<void> {
    for (const group of groups)
      for (const at of [0, 1]) await this.commit(group, at, this.model.ends[at] ?? 0);
    this.clock.advance(retention.ageMs + minute);
    await this.#log?.retain();
    for (const at of [0, 1]) expect((await this.claim('store', at).bounds()).start).toBe(this.model.ends[at]);
    expect(await this.append(0, 90_000, 8)).toBe(true);
  }
}

it(
  'never deletes a record that somebody may need, keeps its size, and takes appends again once all is committed',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50, size: 'max' }), async (steps) => {
        const subject = new Subject();
        await subject.open();
        try {
          for (const next of steps) await subject.run(next);
          await subject.checkRecords();
          await subject.recovers();
          await subject.checkRecords();
        } finally {
          await subject.close();
          removeFolder(subject.directory);
        }
      }),
      {
        numRuns: Math.ceil(runs / 20), // each opens a database and waits for its disk about 60 times
        interruptAfterTimeLimit: 5 * minute, // shrinking takes long
        markInterruptAsFailure: true,
      },
    );
  },
  10 * minute,
);
