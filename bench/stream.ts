// What a durable append to the embedded log costs: CPU of this process per span (all threads, kernel included) and
// the time to the acknowledgement, beside a plain file that is appended to and flushed (fdatasync) once for all callers
// that wait. Records of 512, 20 and 1 span of 840 bytes over four partitions; retention makes room as in production.
// `node bench/stream.ts [seconds per line]`.
import { open, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/core/clock.ts';
import { createLog } from '../src/core/log.ts';
import type { NewRecord } from '../src/core/stream.ts';
import { Telemetry } from '../src/core/telemetry.ts';
import { EmbeddedLog } from '../src/stream/embedded.ts';
import { quantile } from './measure.ts';

const bytesPerSpan = 840;
const partitions = 4;
const keepBytes = 300e6;
const seconds = Number(process.argv[2] ?? 4);
const never = new AbortController().signal;

/** Takes records; resolves when they are on the disk. */
type Append = (records: readonly NewRecord[]) => Promise<void>;

async function embedded(directory: string): Promise<{ append: Append; close: () => Promise<void> }> {
  const log = new EmbeddedLog({
    directory,
    minFreeDiskBytes: 0,
    clock: systemClock,
    log: createLog('silent'),
    telemetry: new Telemetry(),
  });
  const retention = { ageMs: 3_600_000, bytes: keepBytes, minAfterCommitMs: 0 };
  const stream = log.stream({ topic: 'bench', partitions, groups: [], retention });
  await stream.start();
  return {
    append: async (records) => stream.consume(records, never),
    close: async () => stream.stop(AbortSignal.timeout(10_000)),
  };
}

/** The least there is: one file, one write and one flush for all who wait. It begins anew when it is full. */
async function plainFile(directory: string): Promise<{ append: Append; close: () => Promise<void> }> {
  const file = await open(join(directory, 'plain'), 'w');
  let at = 0;
  let waiting: { records: readonly NewRecord[]; done: () => void }[] = [];
  let running = false;
  const run = async (): Promise<void> => {
    running = true;
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      const pieces = group.flatMap(({ records }) => records.map(({ payload }) => payload));
      if (at > keepBytes) at = 0;
      await file.writev(pieces, at);
      at += pieces.reduce((bytes, piece) => bytes + piece.byteLength, 0);
      await file.datasync();
      for (const { done } of group) done();
    }
    running = false;
  };
  const append: Append = async (records) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push({ records, done: resolve });
    if (!running) void run();
    await promise;
  };
  return { append, close: async () => file.close() };
}

function requestsOf(spans: number): readonly (readonly NewRecord[])[] {
  return Array.from({ length: 64 }, (_, n) => {
    const payload = Buffer.allocUnsafeSlow(spans * bytesPerSpan);
    for (let at = 0; at + 8 <= payload.length; at += 8) payload.writeDoubleLE(Math.random(), at);
    return [{ partition: n % partitions, payload, spans, headers: { 'plimsoll.enriched': 'r1' } }];
  });
}

async function measure(
  append: Append,
  spans: number,
  inFlight: number,
  forMs: number,
): Promise<Record<string, unknown>> {
  const requests = requestsOf(spans);
  const waits: number[] = [];
  const started = performance.now();
  const cpu = process.cpuUsage();
  let sent = 0;
  const client = async (): Promise<void> => {
    while (performance.now() - started < forMs) {
      const begin = performance.now();
      await append(requests[sent++ % requests.length] ?? []);
      waits.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  const { user, system } = process.cpuUsage(cpu);
  const elapsedMs = performance.now() - started;
  return {
    'spans a record': spans,
    'in flight': inFlight,
    'CPU ns/span': Math.round(((user + system) * 1000) / (sent * spans)),
    'records/s': Math.round(sent / (elapsedMs / 1000)),
    'MB/s': Math.round((sent * spans * bytesPerSpan) / 1e3 / elapsedMs),
    'p50 ms': quantile(waits, 0.5).toFixed(2),
    'p99 ms': quantile(waits, 0.99).toFixed(2),
  };
}

for (const [name, make] of Object.entries({ embedded, plainFile })) {
  const lines = [];
  for (const [spans, inFlight] of [
    [512, 8],
    [512, 1],
    [20, 64],
    [20, 8],
    [1, 64],
    [1, 8],
    [1, 1],
  ] as const) {
    const directory = await mkdtemp(join(tmpdir(), 'plimsoll-bench-stream-'));
    const { append, close } = await make(directory);
    try {
      await measure(append, spans, inFlight, (seconds * 1000) / 2); // fills the room, so that pages are used again
      lines.push(await measure(append, spans, inFlight, seconds * 1000));
    } finally {
      await close();
      await rm(directory, { recursive: true });
    }
  }
  console.log(name);
  console.table(lines);
}
