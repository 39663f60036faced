// 5,000 spans/s while ClickHouse is down, and then while Apache Kafka is: what do agents get, does the backlog drain, is
// every acknowledged span there once, and is memory bounded? `node bench/outage.ts [ClickHouse minutes] [Kafka minutes]`.
// Linux only.
import { setTimeout as sleep } from 'node:timers/promises';
import { canonicalKeys } from '../src/enrich/canonical-keys.ts';
import { SpanIndex } from '../src/otlp/span-index.ts';
import type { Program } from '../test/e2e/program.ts';
import { AroundKafka, rssMib } from './around-kafka.ts';
import { GrpcLoad } from './grpc-load.ts';
import { SampleRequests } from './sample-requests.ts';

const clickhouseMinutes = Number(process.argv[2] ?? 10);
const kafkaMinutes = Number(process.argv[3] ?? 2);
const spans = 500;
const requestsASecond = 10;
const settleMs = 20_000;

const around = await AroundKafka.start();
const ingest = await around.role('ingest.yaml');
const store = await around.role('store.yaml');
const load = new GrpcLoad(ingest.url('OTLP gRPC'), 2);
const samples = new SampleRequests({ spans });
let acknowledged = 0;
/** The first span id of every acknowledged request. */
const witnesses: string[] = [];
const index = new SpanIndex(canonicalKeys);

/** Sends one request; resolves with how it was answered. */
async function answerToOne(): Promise<string> {
  try {
    const request = samples.next(Date.now());
    index.read(request);
    const at = index.spans.spanIdAt[0] ?? 0;
    const witness = Buffer.from(request.subarray(at, at + 8)).toString('hex');
    const status = await load.send(request);
    if (status === 0) {
      acknowledged += spans;
      witnesses.push(witness);
    }
    return status === 0 ? 'acknowledged' : `refused with gRPC status ${status} (${load.lastMessage})`;
  } catch (error) {
    return `lost (${String(error)})`;
  }
}

/** Sends 5,000 spans/s for a while, whether answers come or not, and says how they were answered. */
async function send(what: string, forMs: number): Promise<void> {
  const answers = new Map<string, number>();
  const mostMib = { ingest: 0, store: 0 };
  const one = async (): Promise<void> => {
    const answer = await answerToOne();
    answers.set(answer, (answers.get(answer) ?? 0) + spans);
  };
  const sent: Promise<void>[] = [];
  const began = performance.now();
  const requests = Math.round((forMs / 1000) * requestsASecond);
  for (let n = 0; n < requests; n++) {
    sent.push(one());
    mostMib.ingest = Math.max(mostMib.ingest, rssMib(ingest.pid));
    mostMib.store = Math.max(mostMib.store, rssMib(store.pid));
    await sleep(Math.max(0, began + ((n + 1) * 1000) / requestsASecond - performance.now()));
  }
  await Promise.all(sent);
  const answered = [...answers].map(([answer, count]) => `${count} ${answer}`).join(', ');
  console.log(
    `${what} for ${(forMs / 1000).toFixed(0)} s, ${requests * spans} spans: ${answered}; most RSS: ingest ${mostMib.ingest} MiB, store ${mostMib.store} MiB`,
  );
}

async function healthOf(program: Program): Promise<string> {
  const response = await fetch(program.url('health'));
  return `${response.status} ${(await response.text()).trim().replaceAll(/\s+/g, ' ')}`;
}

/** Waits for the rows of what was acknowledged; anything but each of them once ends the process with 1. */
async function drained(what: string): Promise<void> {
  const began = performance.now();
  await around.rowsReach(acknowledged);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const list = witnesses.map((id) => `'${id}'`).join();
  const [exact] = await around.clickhouse.query<{ rows: string; spans: string; witnesses: string }>(
    `SELECT toString(count()) AS rows, toString(uniqExact(SpanId)) AS spans, toString(uniqExactIf(SpanId, SpanId IN (${list}))) AS witnesses FROM otel_traces`,
  );
  console.log(
    `${what}: drained in ${seconds} s; ${acknowledged} acknowledged, ${exact?.rows} rows, ${exact?.spans} distinct; of ${witnesses.length} acknowledged requests ${exact?.witnesses} are there`,
  );
  if (exact?.rows !== exact?.spans || Number(exact?.witnesses) !== witnesses.length) process.exitCode = 1;
}

await send('all well', settleMs);
await around.clickhouse.kill();
await send('ClickHouse down', clickhouseMinutes * 60_000);
console.log(`health meanwhile: ingest ${await healthOf(ingest)}; store ${await healthOf(store)}`);
await around.clickhouse.restart();
await drained('ClickHouse back');
await send('all well again', settleMs);
await around.kafka.kill(0);
await send('Kafka down', kafkaMinutes * 60_000);
console.log(`health meanwhile: ingest ${await healthOf(ingest)}; store ${await healthOf(store)}`);
await around.kafka.start(0);
await send('Kafka back', settleMs);
await drained('all well at last');
load.close();
for (const program of [ingest, store]) await program.kill('SIGTERM');
await around.stop();
process.exit();
