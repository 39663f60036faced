// Everything embedded in one process under a steady load: what memory it takes, minute by minute.
// `node bench/soak.ts [minutes] [spans a second]`.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseSamples } from '../src/cli/demo-table.ts';
import { Place, Program } from '../test/e2e/program.ts';
import { GrpcLoad } from './grpc-load.ts';
import { SampleRequests } from './sample-requests.ts';

const minutes = Number(process.argv[2] ?? 60);
const spansPerSecond = Number(process.argv[3] ?? 1024);
const spans = 512;

const place = new Place();
const program = await Program.start(place);
const load = new GrpcLoad(program.url('OTLP gRPC'), 1);
const samples = new SampleRequests({ spans });
const endMs = performance.now() + minutes * 60_000;
let sent = 0;

async function report(): Promise<void> {
  const all = parseSamples(await program.metrics());
  const value = (name: string): number => all.find((sample) => sample.name === name)?.value ?? 0;
  const mebibytes = (name: string): string => (value(name) / 2 ** 20).toFixed(0);
  console.log(
    `${new Date().toISOString()} ${sent} spans; RSS ${mebibytes('plimsoll_process_resident_memory_bytes')} MiB, runs in memory ${value('plimsoll_assess_runs_in_memory')}, series ${all.length}`,
  );
}

let reportMs = performance.now();
while (performance.now() < endMs) {
  const status = await load.send(samples.next(Date.now()));
  if (status === 0) sent += spans;
  if (performance.now() >= reportMs) {
    await report();
    reportMs += 60_000;
  }
  await sleep((spans / spansPerSecond) * 1000);
}
await report();
load.close();
await program.kill('SIGTERM');
place.remove();
