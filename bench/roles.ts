// The roles around Apache Kafka and a ClickHouse server, each a process of its own: OTLP to Kafka, and Kafka to
// ClickHouse, in spans per CPU-second of our process alone, with spans of 1, 16 and 128 KB, content dropped (as
// shipped: then large spans are small ones to the store) and kept. `node bench/roles.ts [rounds]`. Linux only.
import { AroundKafka } from './around-kafka.ts';
import { GrpcLoad, sendAll } from './grpc-load.ts';
import { cpuSecondsOf, median } from './measure.ts';
import { SampleRequests } from './sample-requests.ts';

const rounds = Number(process.argv[2] ?? 3);
const kib = 1024;
const shapes = [
  { kibPerSpan: 1, spans: 512, requests: 2000 },
  { kibPerSpan: 16, spans: 64, requests: 2000 },
  { kibPerSpan: 128, spans: 8, requests: 3000 },
];

/** One round: everything is sent to a new topic, and then stored from it. Spans per CPU-second of either process. */
async function round(around: AroundKafka, shape: (typeof shapes)[number], content: string) {
  around.begin();
  const total = shape.spans * shape.requests;
  const ingest = await around.role('ingest.yaml', content);
  const load = new GrpcLoad(ingest.url('OTLP gRPC'), 2);
  const samples = new SampleRequests({ spans: shape.spans, bytesPerSpan: shape.kibPerSpan * kib });
  const send = async (requests: number): Promise<number> => {
    const before = cpuSecondsOf(ingest.pid);
    await sendAll(load, () => samples.next(Date.now()), requests, 8);
    return cpuSecondsOf(ingest.pid) - before;
  };
  const warmRequests = Math.ceil(shape.requests / 8);
  await send(warmRequests); // compiles
  const ingestSeconds = await send(shape.requests);
  load.close();
  await ingest.kill('SIGTERM');

  if (content === 'drop' && shape.kibPerSpan > 1) return { ingest: total / ingestSeconds, store: NaN };
  const already = await around.rows();
  const store = await around.role('store.yaml');
  const first = await around.rowsReach(already + 1); // compiled, mostly
  const before = cpuSecondsOf(store.pid);
  const last = await around.rowsReach(already + total + warmRequests * shape.spans);
  const storeSeconds = cpuSecondsOf(store.pid) - before;
  await store.kill('SIGTERM');
  return { ingest: total / ingestSeconds, store: (last - first) / storeSeconds };
}

const around = await AroundKafka.start();
console.log(
  '| bytes a span | content | OTLP → Kafka, spans per CPU-s | Kafka → ClickHouse, spans per CPU-s |',
);
console.log('| ---: | --- | ---: | ---: |');
for (const shape of shapes) {
  for (const content of ['drop', 'keep']) {
    const figures = [];
    for (let n = 0; n < rounds; n++) figures.push(await round(around, shape, content));
    const ingest = median(figures.map((figure) => figure.ingest)).toFixed(0);
    const store = median(figures.map((figure) => figure.store));
    console.log(
      `| ${shape.kibPerSpan * kib} | ${content} | ${ingest} | ${Number.isNaN(store) ? 'as small ones' : store.toFixed(0)} |`,
    );
  }
}
await around.stop();
process.exit();
