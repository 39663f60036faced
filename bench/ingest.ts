// OTLP/gRPC to durable acknowledgement: spans per CPU-second of the server process (all threads), as a ratio to a
// default @grpc/grpc-js server that drops the payload. Both take the same load in turn. `node bench/ingest.ts [rounds]`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Place, Program } from '../test/e2e/program.ts';
import { GrpcLoad, sendAll } from './grpc-load.ts';
import { cpuSecondsOf, median } from './measure.ts';
import { SampleRequests } from './sample-requests.ts';

const rounds = Number(process.argv[2] ?? 5);
const shapes = [
  { spans: 512, bytesPerSpan: 840, requests: 300 },
  { spans: 20, bytesPerSpan: 840, requests: 3000 },
  { spans: 1, bytesPerSpan: 840, requests: 8000 },
  { spans: 512, bytesPerSpan: 1024, requests: 250 },
  { spans: 64, bytesPerSpan: 16 * 1024, requests: 150 },
  { spans: 8, bytesPerSpan: 128 * 1024, requests: 150 },
];
const ingestOnly = `
service: { extensions: [health_check], pipelines: { traces/store: null, traces/assess: null } }
connectors: { embedded: { retention: { size: 1GiB } } }
`;

interface Server {
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

async function ours(): Promise<Server> {
  const place = new Place(ingestOnly);
  const program = await Program.start(place);
  return {
    pid: program.pid,
    url: program.url('OTLP gRPC'),
    stop: async () => {
      await program.kill('SIGKILL');
      place.remove();
    },
  };
}

async function yardstick(): Promise<Server> {
  const child = fork(new URL('drop-server.ts', import.meta.url).pathname);
  const [port] = await once(child, 'message');
  return {
    pid: child.pid ?? 0,
    url: `http://127.0.0.1:${port}`,
    stop: () => Promise.resolve(child.disconnect()),
  };
}

async function spansPerCpuSecond(
  server: Server,
  load: GrpcLoad,
  samples: SampleRequests,
  shape: (typeof shapes)[number],
): Promise<number> {
  const next = (): Uint8Array => samples.next(Date.now());
  const before = cpuSecondsOf(server.pid);
  await sendAll(load, next, shape.requests, 8);
  return (shape.requests * shape.spans) / (cpuSecondsOf(server.pid) - before);
}

console.log(
  '| spans a request | bytes a span | ours, spans per CPU-s | grpc-js dropping, spans per CPU-s | ratio |',
);
console.log('| ---: | ---: | ---: | ---: | ---: |');
for (const shape of shapes) {
  const servers = { ours: await ours(), yardstick: await yardstick() };
  const samples = new SampleRequests(shape);
  const figures = { ours: [] as number[], yardstick: [] as number[] };
  const loads = {
    ours: new GrpcLoad(servers.ours.url, 2),
    yardstick: new GrpcLoad(servers.yardstick.url, 2),
  };
  for (let round = -1; round < rounds; round++) {
    for (const who of ['ours', 'yardstick'] as const) {
      const figure = await spansPerCpuSecond(servers[who], loads[who], samples, shape);
      if (round >= 0) figures[who].push(figure); // the first warms the compiler
    }
  }
  const [mine, other] = [median(figures.ours), median(figures.yardstick)];
  console.log(
    `| ${shape.spans} | ${shape.bytesPerSpan} | ${mine.toFixed(0)} | ${other.toFixed(0)} | ${(mine / other).toFixed(2)} |`,
  );
  for (const who of ['ours', 'yardstick'] as const) {
    loads[who].close();
    await servers[who].stop();
  }
}
process.exit();
