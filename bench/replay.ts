// A backlog on Apache Kafka, stored in a ClickHouse server as fast as it goes: are the rows exact, is memory flat, are
// the parts of a date bounded? `node bench/replay.ts [millions of spans]`. Linux only.
import { AroundKafka, rssMib } from './around-kafka.ts';
import { GrpcLoad, sendAll } from './grpc-load.ts';
import { cpuSecondsOf, peakRssBytesOf } from './measure.ts';
import { SampleRequests } from './sample-requests.ts';

const total = Number(process.argv[2] ?? 10) * 1e6;
const spans = 500;
const reportEveryMs = 10_000;

const around = await AroundKafka.start();
const ingest = await around.role('ingest.yaml');
const load = new GrpcLoad(ingest.url('OTLP gRPC'), 2);
const samples = new SampleRequests({ spans });
let began = performance.now();
await sendAll(load, () => samples.next(Date.now()), total / spans, 8);
const sentSeconds = (performance.now() - began) / 1000;
console.log(
  `sent ${total} spans in ${sentSeconds.toFixed(0)} s (${(total / sentSeconds).toFixed(0)} a second); ingest: ${((cpuSecondsOf(ingest.pid) / total) * 1e6).toFixed(2)} µs CPU a span, peak RSS ${(peakRssBytesOf(ingest.pid) / 2 ** 20).toFixed(0)} MiB`,
);
load.close();
await ingest.kill('SIGTERM');

async function partsADate(): Promise<number> {
  const [found] = await around.clickhouse.query<{ parts: string }>(
    "SELECT toString(max(parts)) AS parts FROM (SELECT count() AS parts FROM system.parts WHERE active AND table = 'otel_traces' GROUP BY partition)",
  );
  return Number(found?.parts ?? 0);
}

const store = await around.role('store.yaml');
began = performance.now();
let reportAt = began + reportEveryMs;
let mostParts = 0;
console.log('| seconds | rows | RSS MiB | parts of a date |');
console.log('| ---: | ---: | ---: | ---: |');
await around.rowsReach(total, async (rows) => {
  const parts = await partsADate();
  mostParts = Math.max(mostParts, parts);
  if (performance.now() < reportAt && rows < total) return;
  reportAt += reportEveryMs;
  console.log(
    `| ${((performance.now() - began) / 1000).toFixed(0)} | ${rows} | ${rssMib(store.pid)} | ${parts} |`,
  );
});
const seconds = (performance.now() - began) / 1000;
const [exact] = await around.clickhouse.query<{ rows: string; spans: string; positions: string }>(
  'SELECT toString(count()) AS rows, toString(uniqExact(SpanId)) AS spans, toString(uniqExact(StreamPartition, StreamOffset, StreamIndex)) AS positions FROM otel_traces',
);
console.log(
  `rows ${exact?.rows}, distinct spans ${exact?.spans}, distinct positions ${exact?.positions}, of ${total} sent`,
);
console.log(
  `${(total / seconds).toFixed(0)} rows a second; store: ${((cpuSecondsOf(store.pid) / total) * 1e6).toFixed(2)} µs CPU a span, peak RSS ${(peakRssBytesOf(store.pid) / 2 ** 20).toFixed(0)} MiB; most parts of a date ${mostParts}`,
);
if ([exact?.rows, exact?.spans, exact?.positions].some((count) => Number(count) !== total))
  process.exitCode = 1;
await store.kill('SIGTERM');
await around.stop();
process.exit();
