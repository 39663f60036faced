// Stream to rows to chDB: a backlog in the embedded stream is stored by the whole program, and its CPU is split into
// our own (the main thread and V8's helpers) and the engine's (every other thread, merges included).
// `node bench/store.ts [rounds]`. Linux only.
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Place, Program } from '../test/e2e/program.ts';
import { GrpcLoad, sendAll } from './grpc-load.ts';
import { cpuOf, median } from './measure.ts';
import { SampleRequests } from './sample-requests.ts';

const rounds = Number(process.argv[2] ?? 5);
const spans = 512;
const requests = 2000;
const pollMs = 250;
const ours = new Set([
  'MainThread',
  'node',
  'V8Worker',
  'libuv-worker',
  'SignalInspector',
  'DelayedTaskSche',
]);
const ingestOnly =
  'service: { extensions: [health_check], pipelines: { traces/store: null, traces/assess: null } }';
const storeOnly = 'service: { pipelines: { traces/ingest: null, traces/assess: null } }';

/** CPU seconds of the threads of `pid`, ours and the engine's. */
function cpuByOwner(pid: number): { ours: number; engine: number } {
  const seconds = { ours: 0, engine: 0 };
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const { name, seconds: used } = cpuOf(`/proc/${pid}/task/${thread}/stat`);
    seconds[ours.has(name) ? 'ours' : 'engine'] += used;
  }
  return seconds;
}

const figures: { ours: number[]; engine: number[]; bytes: number[] } = { ours: [], engine: [], bytes: [] };
for (let round = 0; round < rounds; round++) {
  const place = new Place(ingestOnly);
  const ingest = await Program.start(place);
  const load = new GrpcLoad(ingest.url('OTLP gRPC'), 2);
  const samples = new SampleRequests({ spans });
  await sendAll(load, () => samples.next(Date.now()), requests, 8);
  load.close();
  await ingest.kill('SIGTERM');
  place.configure(storeOnly);
  const store = await Program.start(place);
  const before = cpuByOwner(store.pid); // the consumer has only just begun
  const rows = async (): Promise<number> => {
    const [row] = await store.query<{ rows: number }>('SELECT count() AS rows FROM otel_traces');
    return Number(row?.rows);
  };
  while ((await rows()) < requests * spans) await sleep(pollMs);
  const merges = async (): Promise<number> => {
    const [merging] = await store.query<{ merges: number }>('SELECT count() AS merges FROM system.merges');
    return Number(merging?.merges);
  };
  while ((await merges()) > 0) await sleep(pollMs);
  const cpu = cpuByOwner(store.pid);
  const [disk] = await store.query<{ bytes: number }>(
    "SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = 'otel_traces'",
  );
  figures.ours.push(((cpu.ours - before.ours) / (requests * spans)) * 1e6);
  figures.engine.push(((cpu.engine - before.engine) / (requests * spans)) * 1e6);
  figures.bytes.push(Number(disk?.bytes) / (requests * spans));
  await store.kill('SIGTERM');
  place.remove();
}
const [own, engine, bytes] = [median(figures.ours), median(figures.engine), median(figures.bytes)];
console.log(`${requests * spans} spans, median of ${rounds} rounds`);
console.log(
  `our own CPU ${own.toFixed(2)} µs a span (${(1 / own).toFixed(2)} M spans per CPU-second), engine ${engine.toFixed(2)} µs, ${bytes.toFixed(0)} bytes a span on disk`,
);
process.exit();
