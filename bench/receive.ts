// What it costs to receive: CPU per request of our gRPC receiver and of a default @grpc/grpc-js server, both of which
// drop the payload. One server per child process, measured there by process.cpuUsage; load is a grpc-js client with
// eight calls in flight; the cheapest of five rounds, as other work on the machine only ever adds. `node bench/receive.ts [requests of 512 spans per round]`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { ByteBudget } from '../src/core/budget.ts';
import { createLog } from '../src/core/log.ts';
import { Telemetry } from '../src/core/telemetry.ts';
import { GrpcReceiver } from '../src/receiver/grpc.ts';
import { Intake } from '../src/receiver/intake.ts';
import type { SampleRequests } from './sample-requests.ts';

const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const raw = (bytes: Buffer): Buffer => bytes;
/** Ours joins repeated bodies, which costs a hash of each; `ours-unjoined` does not. */
const servers = ['ours', 'ours-unjoined', 'grpc-js'] as const;
type ServerName = (typeof servers)[number];
const shapes = [
  { spans: 512, share: 1 },
  { spans: 20, share: 8 },
  { spans: 1, share: 20 },
];
const rounds = 5;
const inFlight = 8;

async function serveOurs(coalesceWindowMs: number): Promise<number> {
  const log = createLog('silent');
  const intake = new Intake({
    budget: new ByteBudget(256 << 20),
    limitBytes: 64 << 20,
    maxWaitMs: 5000,
    tokens: [],
    coalesceWindowMs,
    telemetry: new Telemetry(),
    log,
    exportTraces: () => Promise.resolve({ accepted: 1, rejected: 0, message: '' }),
  });
  const listener = { host: '127.0.0.1', port: 0, configPath: 'bench' };
  const receiver = new GrpcReceiver({ listener, intake, log });
  await receiver.start();
  return receiver.address?.port ?? 0;
}

function drop(_call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void {
  done(null, Buffer.alloc(0));
}

async function serveGrpcJs(): Promise<number> {
  const { Server, ServerCredentials } = await import('@grpc/grpc-js');
  const server = new Server();
  const method = { path, requestStream: false, responseStream: false } as const;
  const codec = {
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  };
  server.addService({ Export: { ...method, ...codec } }, { Export: drop });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const bound = (error: Error | null, port: number): void => (error ? reject(error) : resolve(port));
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), bound);
  return promise;
}

async function serve(name: ServerName): Promise<void> {
  process.send?.(name === 'grpc-js' ? await serveGrpcJs() : await serveOurs(name === 'ours' ? 120_000 : 0));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
  process.on('disconnect', () => process.exit());
}

async function load(port: number, requests: SampleRequests, count: number): Promise<void> {
  const { Client, credentials, Metadata } = await import('@grpc/grpc-js');
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  let left = count;
  const send = async (): Promise<void> => {
    while (left-- > 0) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const answered = (error: Error | null): void => (error ? reject(error) : resolve());
      const deadline = { deadline: Date.now() + 30_000 };
      client.makeUnaryRequest(
        path,
        raw,
        raw,
        Buffer.from(requests.next()),
        new Metadata(),
        deadline,
        answered,
      );
      await promise;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, send));
  client.close();
}

/** CPU of the server per request, in microseconds. */
async function measure(name: ServerName, requests: SampleRequests, count: number): Promise<number> {
  const child = fork(import.meta.filename, [name], { stdio: 'inherit' });
  const [port] = await once(child, 'message');
  const cpuMicros = async (): Promise<number> => {
    child.send('cpu');
    const [micros] = await once(child, 'message');
    return Number(micros);
  };
  await load(Number(port), requests, Math.ceil(count / 2)); // warms the compiler
  const before = await cpuMicros();
  await load(Number(port), requests, count);
  const micros = ((await cpuMicros()) - before) / count;
  child.disconnect();
  return micros;
}

async function compare(base: number): Promise<void> {
  const { SampleRequests } = await import('./sample-requests.ts'); // a server must not carry what only load needs: each garbage collection walks it
  for (const { spans, share } of shapes) {
    const requests = new SampleRequests({ spans });
    const costs = new Map<ServerName, number[]>(servers.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const name of servers) costs.get(name)?.push(await measure(name, requests, base * share));
    }
    const cheapest = (name: ServerName): number => Math.min(...(costs.get(name) ?? []));
    const bytes = requests.next().length;
    const shown = servers.map((name) => `${name} ${cheapest(name).toFixed(1)}`).join(', ');
    const ratio = (cheapest('grpc-js') / cheapest('ours')).toFixed(2);
    console.log(`${spans} spans, ${bytes} B: µs of CPU per request: ${shown}; grpc-js costs ${ratio} × ours`);
  }
}

const argument = process.argv[2] ?? '400';
const role = servers.find((name) => name === argument);
await (role === undefined ? compare(Number(argument)) : serve(role));
