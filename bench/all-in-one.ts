// Everything embedded in one process, generator on the same machine: spans stored per second over a minute of full
// load, CPU and peak memory; then, at 5,000 spans/s, how long from export to visible row and to gauge.
// `node bench/all-in-one.ts [seconds] [latency seconds]`.
import { setTimeout as sleep } from 'node:timers/promises';
import { Place, Program } from '../test/e2e/program.ts';
import { until } from '../test/until.ts';
import { GrpcLoad } from './grpc-load.ts';
import { cpuSecondsOf, peakRssBytesOf, quantile } from './measure.ts';
import { SampleRequests } from './sample-requests.ts';

const seconds = Number(process.argv[2] ?? 60);
const latencySeconds = Number(process.argv[3] ?? 30);
const spans = 512;

async function stored(program: Program): Promise<number> {
  const [row] = await program.query<{ rows: string }>('SELECT toString(count()) AS rows FROM otel_traces');
  return Number(row?.rows);
}

async function fullLoad(): Promise<void> {
  const place = new Place();
  const program = await Program.start(place);
  const load = new GrpcLoad(program.url('OTLP gRPC'), 2);
  const samples = new SampleRequests({ spans });
  const began = performance.now();
  const cpuBefore = cpuSecondsOf(program.pid);
  const ownBefore = process.cpuUsage();
  let acknowledged = 0;
  const sender = async (): Promise<void> => {
    while (performance.now() - began < seconds * 1000) {
      if ((await load.send(samples.next(Date.now()))) === 0) acknowledged += spans;
    }
  };
  await Promise.all(Array.from({ length: 6 }, sender));
  const ackSeconds = (performance.now() - began) / 1000;
  await until(
    'every acknowledged span to be stored',
    async () => (await stored(program)) >= acknowledged,
    120_000,
  );
  const allSeconds = (performance.now() - began) / 1000;
  const own = process.cpuUsage(ownBefore);
  const cpu = cpuSecondsOf(program.pid) - cpuBefore;
  console.log(
    `acknowledged ${acknowledged} spans in ${ackSeconds.toFixed(1)} s, all stored after ${allSeconds.toFixed(1)} s`,
  );
  console.log(`stored ${(acknowledged / allSeconds).toFixed(0)} spans/s; rows = ${await stored(program)}`);
  console.log(
    `CPU ${((cpu / acknowledged) * 1e6).toFixed(1)} µs a span; generator ${((own.user + own.system) / 1e6 / ackSeconds).toFixed(2)} cores`,
  );
  console.log(`peak RSS ${(peakRssBytesOf(program.pid) / 2 ** 20).toFixed(0)} MiB`);
  load.close();
  await program.kill('SIGTERM');
  place.remove();
}

async function gaugeRuns(program: Program): Promise<number> {
  const text = await program.metrics();
  const pattern = /^plimsoll_kpi_run_success_denominator\{[^}]*window="1h"[^}]*\} (\S+)$/gm;
  return [...text.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0);
}

async function latency(): Promise<void> {
  const place = new Place();
  const program = await Program.start(place);
  const load = new GrpcLoad(program.url('OTLP gRPC'), 1);
  const perRequest = 500;
  const samples = new SampleRequests({ spans: perRequest });
  const sent: { readonly atMs: number; readonly spans: number; readonly runs: number }[] = [];
  const toRow: number[] = [];
  const toGauge: number[] = [];
  const began = performance.now();
  const watching = new AbortController();
  const watch = async (
    figure: () => Promise<number>,
    reached: (entry: (typeof sent)[number]) => number,
    into: number[],
  ): Promise<void> => {
    let next = 0;
    while (!watching.signal.aborted || next < sent.length) {
      const seen = await figure();
      const nowMs = performance.now();
      for (let entry = sent[next]; entry && reached(entry) <= seen; entry = sent[++next])
        into.push(nowMs - entry.atMs);
      await sleep(10);
    }
  };
  const watchers = [
    watch(
      () => stored(program),
      (entry) => entry.spans,
      toRow,
    ),
    watch(
      () => gaugeRuns(program),
      (entry) => entry.runs,
      toGauge,
    ),
  ];
  for (let request = 1; performance.now() - began < latencySeconds * 1000; request++) {
    const atMs = performance.now();
    if ((await load.send(samples.next(Date.now()))) !== 0) throw new Error('refused at 5,000 spans/s');
    sent.push({ atMs, spans: request * perRequest, runs: Math.ceil(request * (perRequest / 8)) });
    await sleep(Math.max(0, began + request * 100 - performance.now()));
  }
  watching.abort();
  await Promise.race([Promise.all(watchers), sleep(20_000)]);
  for (const [what, values] of [
    ['row', toRow],
    ['gauge', toGauge],
  ] as const) {
    const figures = [0.5, 0.99].map((share) => `p${share * 100} ${quantile(values, share).toFixed(0)} ms`);
    console.log(
      `export to ${what} at 5,000 spans/s: ${figures.join(', ')} (${values.length} of ${sent.length} requests)`,
    );
  }
  console.log(`peak RSS ${(peakRssBytesOf(program.pid) / 2 ** 20).toFixed(0)} MiB`);
  load.close();
  await program.kill('SIGTERM');
  place.remove();
}

if (seconds > 0) await fullLoad();
if (latencySeconds > 0) await latency();
process.exit();
