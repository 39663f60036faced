// What a durable append to Apache Kafka, and a read from it, cost this process: CPU per span (all threads, kernel
// included). Records of 60 and 780 spans of 840 bytes over four partitions, on a broker of its own or those of
// `KAFKA_BROKERS`. `node bench/kafka.ts [seconds per line]`.
import { systemClock } from '../src/core/clock.ts';
import { createLog } from '../src/core/log.ts';
import type { NewRecord } from '../src/core/stream.ts';
import { Telemetry } from '../src/core/telemetry.ts';
import { KafkaStream } from '../src/stream/kafka.ts';
import type { Compression } from '../src/stream/kafka-options.ts';
import { KafkaCluster } from '../test/kafka/broker.ts';
import { quantile } from './measure.ts';
import { SampleRequests } from './sample-requests.ts';

const partitions = 4;
const seconds = Number(process.argv[2] ?? 4);
const never = new AbortController().signal;
const soon = (): AbortSignal => AbortSignal.timeout(30_000);
let topics = 0;

function streamOn(brokers: readonly string[], compression: Compression, lingerMs: number): KafkaStream {
  const topic = `bench-${Date.now().toString(36)}-${topics++}`;
  return new KafkaStream({
    brokers,
    topic,
    partitions,
    replication: 1,
    retentionMs: 3_600_000,
    maxRecordBytes: 2 ** 23,
    sasl: undefined,
    tls: undefined,
    compression,
    lingerMs,
    deliveryMs: 30_000,
    sessionMs: 30_000,
    instanceId: undefined,
    groups: { store: { id: topic, assignment: 'share' } },
    clock: systemClock,
    log: createLog('silent'),
    telemetry: new Telemetry(),
  });
}

function recordsOf(spans: number): readonly NewRecord[] {
  const requests = new SampleRequests({ spans });
  const headers = { 'plimsoll.enriched': 'r1' };
  return Array.from({ length: 64 }, (_, n) => ({
    partition: n % partitions,
    payload: requests.next(),
    spans,
    headers,
  }));
}

/** CPU in µs per span of `work`, which resolves with the spans it dealt with. */
async function cpuOfSpans(work: () => Promise<number>): Promise<number> {
  const cpu = process.cpuUsage();
  const spans = await work();
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / spans;
}

/** Appends for a while, `inFlight` records at once; resolves with the spans appended. */
async function append(
  stream: KafkaStream,
  records: readonly NewRecord[],
  inFlight: number,
  forMs: number,
  waits: number[],
): Promise<number> {
  const untilMs = performance.now() + forMs;
  let sent = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      const record = records[sent++ % records.length];
      const begin = performance.now();
      await stream.consume(record ? [record] : [], never);
      waits.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  return sent * (records[0]?.spans ?? 0);
}

async function read(stream: KafkaStream): Promise<number> {
  let spans = 0;
  let left = partitions;
  const { promise, resolve } = Promise.withResolvers<void>();
  const consumer = stream.consumer('store', async (claim) => {
    const { end } = await claim.bounds();
    for (let next = 0; next < end;) {
      for (const record of await claim.read(next, 4 * 2 ** 20, 1000)) {
        spans += record.spans;
        next = record.offset + 1;
      }
    }
    if (--left === 0) resolve();
  });
  await consumer.start();
  await promise;
  await consumer.stop(soon());
  return spans;
}

const given = process.env['KAFKA_BROKERS']?.split(',');
const cluster = given ? undefined : await KafkaCluster.start();
const brokers = given ?? cluster?.addresses ?? [];
const lines = [];
for (const compression of ['zstd', 'none'] as const) {
  for (const [spans, inFlight] of [
    [780, 8],
    [60, 64],
    [60, 8],
  ] as const) {
    const stream = streamOn(brokers, compression, 20);
    await stream.start();
    const records = recordsOf(spans);
    await append(stream, records, inFlight, 1000, []); // compiles
    const waits: number[] = [];
    let sent = 0;
    const beginMs = performance.now();
    const appendUs = await cpuOfSpans(async () => {
      sent = await append(stream, records, inFlight, seconds * 1000, waits);
      return sent;
    });
    const elapsedMs = performance.now() - beginMs;
    const readUs = await cpuOfSpans(() => read(stream));
    lines.push({
      compression,
      'spans a record': spans,
      'in flight': inFlight,
      'append CPU µs/span': appendUs.toFixed(2),
      'spans/CPU-s': Math.round(1e6 / appendUs),
      'spans/s': Math.round(sent / (elapsedMs / 1000)),
      'p50 ms': quantile(waits, 0.5).toFixed(1),
      'p99 ms': quantile(waits, 0.99).toFixed(1),
      'read CPU µs/span': readUs.toFixed(2),
    });
    await stream.stop(soon());
  }
}
console.table(lines);
await cluster?.stop();
