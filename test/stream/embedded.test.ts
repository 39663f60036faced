import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { Claim, NewRecord, Stream } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { holder } from '../contract/stream.ts';
import { recordOf, texts } from '../contract/stream-records.ts';
import { requires } from '../requires.ts';
import { until } from '../until.ts';
import {
  HandClock,
  hour,
  logIn,
  never,
  removeFolder,
  soon,
  temporaryFolder,
  topicOf,
} from './embedded-place.ts';

const script = fileURLToPath(new URL('append-until-killed.ts', import.meta.url));

const noTracer = requires('strace');
/** A disk of 6 MB is mounted, which needs root; in CI it is an error that it cannot be. */
const smallDisk = ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs'];
const noDisk = process.getuid?.() === 0 ? requires('mount') : mountingNeedsRoot();

let directory: string;
let stops: (() => Promise<void>)[];
beforeEach(() => {
  directory = temporaryFolder();
  stops = [];
});
afterEach(async () => {
  for (const stop of stops.toReversed()) await stop();
  removeFolder(directory);
});

async function started(stream: Stream): Promise<Stream> {
  await stream.start();
  stops.push(async () => stream.stop(soon()));
  return stream;
}
async function claimsOf(stream: Stream, group: string): Promise<Claim[]> {
  const { consumer, claims } = holder(stream, group);
  await consumer.start();
  stops.push(async () => consumer.stop(soon()));
  return Promise.all(
    Array.from({ length: stream.partitions }, async (_, partition) =>
      until('a claim', () => claims[partition]),
    ),
  );
}
const commitTo = async (claim: Claim | undefined, offset: number): Promise<void> =>
  claim?.commit({ position: { offset, index: 0 }, metadata: '' });
const kilobytes = (count: number, partition = 0): NewRecord => ({
  ...recordOf('', partition),
  payload: Buffer.alloc(count * 1000, 7),
});

describe('the folder of the embedded log', () => {
  it('is refused to a second process while the first lives, and free once that was killed', async () => {
    const child = spawn(process.execPath, [script, directory, '1'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const stream = logIn(directory, systemClock).stream(topicOf());
    await expect(stream.start()).rejects.toThrow(
      `the stream's folder ${directory} is in use by another Plimsoll process: stop that one, or set another folder`,
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    await started(stream);
    expect(stream.appendedSpans(0)).toBeGreaterThanOrEqual(1);
  });

  it('is refused to a second log in the same process', async () => {
    await started(logIn(directory, systemClock).stream(topicOf()));
    await expect(logIn(directory, systemClock).stream(topicOf()).start()).rejects.toThrow(
      /is in use by another/,
    );
  });

  it('is created with its parents when it is missing', async () => {
    const deep = join(directory, 'a', 'b.c');
    await started(logIn(deep, systemClock).stream(topicOf()));
    expect(statSync(join(deep, 'log.mdb')).isFile()).toBe(true);
  });

  it('is refused in one sentence when a file stands in its place', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, 'mine');
    for (const place of [file, join(file, 'below')]) {
      await expect(logIn(place, systemClock).stream(topicOf()).start()).rejects.toThrow(
        `the stream's folder ${place} cannot be created because a file stands in its place: move that file away, or set another folder`,
      );
    }
  });

  it('is refused in one sentence when it cannot be made', async () => {
    await expect(logIn('/proc/plimsoll', systemClock).stream(topicOf()).start()).rejects.toThrow(
      /^the stream's folder \/proc\/plimsoll .*: (change its owner, or )?set another folder$/,
    );
  });

  it('is refused in one sentence when the file in it is not a database', async () => {
    writeFileSync(join(directory, 'log.mdb'), Buffer.alloc(100_000, 'not a database '));
    await expect(logIn(directory, systemClock).stream(topicOf()).start()).rejects.toThrow(
      `the stream's file ${join(directory, 'log.mdb')} is damaged, or not a database: restore it, or set another folder`,
    );
  });

  it('is refused in one sentence when the file in it was cut short', async () => {
    const stream = await started(logIn(directory, systemClock).stream(topicOf()));
    await stream.consume([kilobytes(2000)], never);
    await stops.pop()?.();
    truncateSync(join(directory, 'log.mdb'), 1_000_000);
    await expect(stream.start()).rejects.toThrow(
      /^the stream's file .*log.mdb is cut short: .* pages are missing: restore it, or/,
    );
  });

  it("is refused in one sentence when the database is somebody else's", async () => {
    const foreign = open({ path: join(directory, 'log.mdb'), noSubdir: true });
    foreign.putSync('theirs', 1);
    await foreign.close();
    const message = `the stream's file ${join(directory, 'log.mdb')} is not Plimsoll's: set another folder`;
    await expect(logIn(directory, systemClock).stream(topicOf()).start()).rejects.toThrow(message);
  });

  it('is refused in one sentence when a later version wrote it', async () => {
    const later = open({ path: join(directory, 'log.mdb'), noSubdir: true, encoding: 'json' });
    later.putSync(['format'], 2);
    await later.close();
    const message = `the stream's file ${join(directory, 'log.mdb')} has format 2, and this version reads 1: set another folder`;
    await expect(logIn(directory, systemClock).stream(topicOf()).start()).rejects.toThrow(message);
  });

  it('is free again after a start that failed', async () => {
    await started(logIn(directory, systemClock).stream(topicOf({ partitions: 2 })));
    await stops.pop()?.();
    await expect(
      logIn(directory, systemClock)
        .stream(topicOf({ partitions: 4 }))
        .start(),
    ).rejects.toThrow(
      `the topic otlp_spans in ${directory} has 2 partitions and the configuration says 4: a trace stays on its partition, so set 2, or start anew in another folder`,
    );
    const stream = logIn(directory, systemClock).stream(topicOf({ partitions: 2 }));
    await stream.start();
    await stream.stop(soon());
  });

  it('has a new id when it is made anew', async () => {
    const first = await started(logIn(directory, systemClock).stream(topicOf()));
    const { id } = first;
    await stops.pop()?.();
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    expect((await started(logIn(directory, systemClock).stream(topicOf()))).id).not.toBe(id);
  });
});

describe('an acknowledgement of the embedded log', () => {
  it.skipIf(noTracer)('comes after the flush of what it acknowledges', async () => {
    const trace = join(directory, 'trace');
    const calls = ['-f', '-s', '64', '-o', trace, '-e', 'trace=fdatasync,write'];
    const program = [process.execPath, script, join(directory, 'log'), '20', 'stop'];
    const child = spawn('strace', [...calls, ...program], { stdio: ['pipe', 'ignore', 'inherit'] });
    expect(await once(child, 'exit')).toEqual([0, null]);
    const betweenThem = readFileSync(trace, 'utf8').split(/write\(1, "acknowledged .*\n/);
    expect(betweenThem).toHaveLength(21);
    for (const before of betweenThem.slice(0, 20))
      expect(before).toMatch(/fdatasync\(\d+\) += 0|fdatasync resumed>\) += 0/);
  });
});

describe('topics of one embedded log', () => {
  it('may be more than those of the version that made the folder', async () => {
    const old = await started(logIn(directory, systemClock).stream(topicOf({ partitions: 1 })));
    await old.consume([recordOf('before')], never);
    await old.stop(soon());
    const log = logIn(directory, systemClock);
    const [spans, runs] = [topicOf({ partitions: 1 }), topicOf({ topic: 'agent_runs', partitions: 1 })].map(
      (options) => log.stream(options),
    );
    await started(spans!);
    await started(runs!);
    await runs!.consume([recordOf('a run')], never);
    expect(spans!.id).not.toBe(runs!.id);
    expect(texts(await spans!.reader(0).read(0, 1000, 0))).toEqual(['before']);
    expect(texts(await runs!.reader(0).read(0, 1000, 0))).toEqual(['a run']);
  });

  it('share the file and keep their records, ids and commits apart', async () => {
    const log = logIn(directory, systemClock);
    const spans = await started(log.stream(topicOf()));
    const dead = await started(
      log.stream(topicOf({ topic: 'otlp_spans_dlq', partitions: 1, groups: ['store'] })),
    );
    expect(spans.id).not.toBe(dead.id);
    await Promise.all([spans.consume([recordOf('span')], never), dead.consume([recordOf('dead')], never)]);
    const [spansClaim] = await claimsOf(spans, 'store');
    const [deadClaim] = await claimsOf(dead, 'store');
    await spansClaim?.commit({ position: { offset: 1, index: 0 }, metadata: 'spans' });
    expect(texts((await spansClaim?.read(0, 1e6, 0)) ?? [])).toEqual(['span']);
    expect(texts((await deadClaim?.read(0, 1e6, 0)) ?? [])).toEqual(['dead']);
    expect(deadClaim?.committed).toBeUndefined();
  });

  it('go on when one of them stops', async () => {
    const log = logIn(directory, systemClock);
    const spans = await started(log.stream(topicOf()));
    const dead = await started(log.stream(topicOf({ topic: 'otlp_spans_dlq' })));
    await spans.stop(soon());
    await dead.consume([recordOf('dead')], never);
    await spans.start();
    await spans.consume([recordOf('span')], never);
    expect(spans.appendedSpans(0)).toBe(1);
  });

  it('refuse a group that retention does not know', async () => {
    const stream = await started(logIn(directory, systemClock).stream(topicOf()));
    expect(() => stream.consumer('stranger', async () => Promise.resolve())).toThrow(
      'the group stranger is not among the groups of the stream otlp_spans (store, assess): name it there, so that retention keeps what it needs',
    );
  });

  it('refuse a consumer before they run', async () => {
    const stream = logIn(directory, systemClock).stream(topicOf());
    await expect(stream.consumer('store', async () => Promise.resolve()).start()).rejects.toThrow(
      /is not running/,
    );
  });
});

describe('an append that cannot be taken', () => {
  const retention = { ageMs: 1000 * hour, bytes: 4_000_000, minAfterCommitMs: 0 };

  it('is refused as overloaded while consumers hold what is there, and taken once they committed', async () => {
    const stream = await started(logIn(directory, systemClock).stream(topicOf({ retention })));
    const claims = [await claimsOf(stream, 'store'), await claimsOf(stream, 'assess')].map(
      ([claim]) => claim,
    );
    let taken = 0;
    const fill = async (): Promise<void> => {
      for (; ; taken++) await stream.consume([kilobytes(100)], never);
    };
    await expect(fill()).rejects.toMatchObject({
      kind: 'overloaded',
      retryAfterMs: 1000,
      message: expect.stringContaining('the stream otlp_spans is full'),
    });
    expect(taken).toBeGreaterThan(20);
    expect((await claims[0]?.bounds())?.start).toBe(0);
    await claims[0]?.commit({ position: { offset: taken, index: 0 }, metadata: '' });
    await expect(fill()).rejects.toMatchObject({ kind: 'overloaded' });
    expect((await claims[0]?.bounds())?.start).toBe(0);
    await claims[1]?.commit({ position: { offset: taken, index: 0 }, metadata: '' });
    await until('room', async () => {
      await stream.consume([kilobytes(100)], never);
      return true;
    });
    expect(statSync(join(directory, 'log.mdb')).size).toBeLessThanOrEqual(retention.bytes);
  });

  it('is refused as invalid when it can never fit', async () => {
    const stream = await started(logIn(directory, systemClock).stream(topicOf({ retention })));
    await expect(stream.consume([kilobytes(4000)], never)).rejects.toMatchObject({ kind: 'invalid' });
  });

  it('is refused as invalid when a header is too long', async () => {
    const stream = await started(logIn(directory, systemClock).stream(topicOf()));
    await expect(
      stream.consume([{ ...recordOf('a'), headers: { x: 'y'.repeat(70_000) } }], never),
    ).rejects.toMatchObject({
      kind: 'invalid',
      message: 'header x is 70000 and may be 65535 at most',
    });
  });

  it('is refused as overloaded while the disk has less free than it must keep', async () => {
    const stream = await started(logIn(directory, systemClock, { minFreeDiskBytes: 1e15 }).stream(topicOf()));
    await expect(stream.consume([recordOf('a')], never)).rejects.toMatchObject({
      kind: 'overloaded',
      message: expect.stringMatching(
        /^the disk of .* MB free and must keep 1000000000 MB: free some space, or lower/,
      ),
    });
  });

  it.skipIf(noDisk)(
    'loses nothing when the disk fills up under it, and goes on when there is room again',
    async () => {
      const disk = join(directory, 'disk');
      mkdirSync(disk);
      execFileSync('mount', [...smallDisk, disk]);
      stops.push(async () => Promise.resolve(void execFileSync('umount', [disk])));
      const stream = await started(logIn(disk, systemClock).stream(topicOf()));
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(3_000_000));
      const [claim] = await claimsOf(stream, 'store');
      let taken = 0;
      const fill = async (): Promise<void> => {
        for (; ; taken++) await stream.consume([recordOf(String(taken)), kilobytes(200)], never);
      };
      await expect(fill()).rejects.toMatchObject({ kind: 'overloaded', retryAfterMs: 5000 });
      expect(taken).toBeGreaterThan(5);
      expect((await claim?.bounds())?.end).toBe(2 * taken);
      rmSync(join(disk, 'ballast'));
      const full = taken;
      await until('room', async () => {
        await stream.consume([recordOf(String(taken)), kilobytes(200)], never);
        return ++taken;
      });
      expect(taken).toBe(full + 1);
      const records = (await claim?.read(0, 1e9, 0)) ?? [];
      expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 2 * taken }, (_, n) => n));
      expect(texts(records).filter((_, at) => at % 2 === 0)).toEqual(
        Array.from({ length: taken }, (_, n) => String(n)),
      );
    },
  );
});

describe('the embedded log, seen from outside', () => {
  it('deletes by age once every group committed 15 minutes ago, and counts it', async () => {
    const telemetry = new Telemetry();
    const clock = new HandClock(1e12);
    const log = logIn(directory, clock, { telemetry });
    const retention = { ageMs: hour, bytes: 2 ** 30, minAfterCommitMs: hour / 4 };
    const stream = await started(log.stream(topicOf({ retention })));
    const claims = [await claimsOf(stream, 'store'), await claimsOf(stream, 'assess')].map(
      ([claim]) => claim,
    );
    for (let n = 0; n < 5; n++) await stream.consume([recordOf(String(n))], never);
    clock.advance(2 * hour);
    await log.retain();
    expect((await claims[0]?.bounds())?.start).toBe(0);
    for (const claim of claims) await claim?.commit({ position: { offset: 3, index: 0 }, metadata: '' });
    clock.advance(hour / 4 - 1);
    await log.retain();
    expect((await claims[0]?.bounds())?.start).toBe(0);
    clock.advance(1);
    await log.retain();
    expect(await claims[0]?.bounds()).toEqual({ start: 3, end: 5 });
    const metrics = await telemetry.registry.metrics();
    expect(metrics).toContain('plimsoll_stream_deleted_records_total{topic="otlp_spans"} 3');
    expect(metrics).toContain('plimsoll_stream_records_total{topic="otlp_spans"} 5');
  });

  it('keeps what a group may have to compare after a stop until it has committed, and 15 minutes from then', async () => {
    const clock = new HandClock(1e12);
    const retention = { ageMs: hour, bytes: 2 ** 30, minAfterCommitMs: hour / 4 };
    const topic = topicOf({ retention, groups: ['store'], partitions: 1 });
    const first = await started(logIn(directory, clock).stream(topic));
    for (let n = 0; n < 3; n++) await first.consume([recordOf(String(n))], never);
    const [before] = await claimsOf(first, 'store');
    await commitTo(before, 1);
    clock.advance(hour / 4);
    await commitTo(before, 3);
    for (const stop of stops.splice(0).toReversed()) await stop();

    clock.advance(2 * hour);
    const log = logIn(directory, clock);
    const [after] = await claimsOf(await started(log.stream(topic)), 'store');
    await log.retain();
    expect(await after?.bounds()).toEqual({ start: 0, end: 3 });
    await commitTo(after, 3);
    await log.retain();
    expect(await after?.bounds()).toEqual({ start: 1, end: 3 });
    clock.advance(hour / 4);
    await log.retain();
    expect(await after?.bounds()).toEqual({ start: 3, end: 3 });
  });

  it('deletes what a group committed before the last stop at once, where nothing is kept for it after a commit', async () => {
    const clock = new HandClock(1e12);
    const retention = { ageMs: hour, bytes: 2 ** 30, minAfterCommitMs: 0 };
    const topic = topicOf({ retention, groups: ['replay'], partitions: 1 });
    const first = await started(logIn(directory, clock).stream(topic));
    for (let n = 0; n < 3; n++) await first.consume([recordOf(String(n))], never);
    const [claim] = await claimsOf(first, 'replay');
    await commitTo(claim, 2);
    for (const stop of stops.splice(0).toReversed()) await stop();

    clock.advance(2 * hour);
    const log = logIn(directory, clock);
    const stream = await started(log.stream(topic));
    await log.retain();
    expect(await stream.reader(0).bounds()).toEqual({ start: 2, end: 3 });
  });

  it('takes appends again when it is reopened with a smaller size, once what was too much is committed', async () => {
    const small = { ageMs: 1000 * hour, bytes: 2_000_000, minAfterCommitMs: 0 };
    const topic = topicOf({ retention: { ...small, bytes: 20_000_000 }, groups: ['store'] });
    const large = await started(logIn(directory, systemClock).stream(topic));
    for (let n = 0; n < 100; n++) await large.consume([kilobytes(100)], never);
    for (const stop of stops.splice(0).toReversed()) await stop();
    const sizeBytes = statSync(join(directory, 'log.mdb')).size;
    expect(sizeBytes).toBeGreaterThan(10_000_000);

    const log = logIn(directory, systemClock);
    const stream = await started(log.stream({ ...topic, retention: small }));
    await expect(stream.consume([kilobytes(100)], never)).rejects.toMatchObject({ kind: 'overloaded' });
    const [claim] = await claimsOf(stream, 'store');
    await claim?.commit({ position: { offset: 100, index: 0 }, metadata: '' });
    await log.retain();
    for (let offset = 101; offset < 150; offset++) {
      await stream.consume([kilobytes(100)], never);
      await claim?.commit({ position: { offset, index: 0 }, metadata: '' });
      await log.retain();
    }
    expect(statSync(join(directory, 'log.mdb')).size).toBeLessThanOrEqual(1.05 * sizeBytes);
  });

  it('shows ends, lag, commits and bytes of every partition', async () => {
    const telemetry = new Telemetry();
    const stream = await started(logIn(directory, systemClock, { telemetry }).stream(topicOf()));
    await stream.consume([recordOf('a', 1, 4), recordOf('b', 1, 2)], never);
    const claims = await claimsOf(stream, 'store');
    await claims[1]?.commit({ position: { offset: 1, index: 0 }, metadata: '' });
    await until('the gauges', async () => {
      const metrics = await telemetry.registry.metrics();
      return [
        'plimsoll_stream_end_offset{topic="otlp_spans",partition="1"} 2',
        'plimsoll_stream_appended_spans{topic="otlp_spans",partition="1"} 6',
        'plimsoll_stream_committed_offset{topic="otlp_spans",partition="1",group="store"} 1',
        'plimsoll_stream_lag_records{topic="otlp_spans",partition="1",group="store"} 1',
        'plimsoll_stream_lag_records{topic="otlp_spans",partition="1",group="assess"} 2',
        'plimsoll_stream_bytes{topic="otlp_spans"} 4096',
      ].every((line) => metrics.includes(line));
    });
  });
});

function mountingNeedsRoot(): string {
  const reason = 'mounting a small disk needs root';
  if (process.env['CI'] !== undefined) throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return reason;
}
