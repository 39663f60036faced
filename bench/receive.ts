// What it costs to receive: CPU per request of our gRPC receiver and of a default @grpc/grpc-js server, both of which
// drop the payload. One server per child process, measured there by process.cpuUsage; load is a grpc-js client with
// eight calls in flight. `node bench/receive.ts [requests]`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { randomFillSync } from 'node:crypto';
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { ByteBudget } from '../src/core/budget.ts';
import { createLog } from '../src/core/log.ts';
import { Telemetry } from '../src/core/telemetry.ts';
import { GrpcReceiver } from '../src/receiver/grpc.ts';
import { Intake } from '../src/receiver/intake.ts';

const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const raw = (bytes: Buffer): Buffer => bytes;
const servers = ['ours', 'grpc-js'] as const;
const shapes = [
  { spans: 512, bytes: 430_000, share: 1 },
  { spans: 20, bytes: 16_800, share: 8 },
  { spans: 1, bytes: 840, share: 20 },
];

async function serveOurs(): Promise<number> {
  const log = createLog('silent');
  const intake = new Intake({
    budget: new ByteBudget(256 << 20),
    limitBytes: 64 << 20,
    maxWaitMs: 5000,
    tokens: [],
    coalesceWindowMs: Number(process.env['COALESCE_MS'] ?? 120_000),
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
  const server = new Server();
  const definition = { path, requestStream: false, responseStream: false } as const;
  const codec = {
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  };
  server.addService({ Export: { ...definition, ...codec } }, { Export: drop });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error ? reject(error) : resolve(port),
  );
  return promise;
}

async function load(port: number, bytes: number, requests: number): Promise<void> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const body = randomFillSync(Buffer.alloc(bytes));
  let sent = 0;
  const send = async (): Promise<void> => {
    while (sent < requests) {
      body.writeUInt32LE(sent++, 0); // no two bodies alike, else they would be joined
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const message = Buffer.from(body);
      client.makeUnaryRequest(
        path,
        raw,
        raw,
        message,
        new Metadata(),
        { deadline: Date.now() + 30_000 },
        (error) => (error ? reject(error) : resolve()),
      );
      await promise;
    }
  };
  await Promise.all(Array.from({ length: 8 }, send));
  client.close();
}

async function measure(server: string, bytes: number, requests: number): Promise<number> {
  const child = fork(import.meta.filename, [server], { stdio: 'inherit' });
  const [port] = await once(child, 'message');
  const cpu = async (): Promise<number> => {
    child.send('cpu');
    const [micros] = await once(child, 'message');
    return Number(micros);
  };
  await load(Number(port), bytes, Math.ceil(requests / 2)); // warms the compiler
  const before = await cpu();
  await load(Number(port), bytes, requests);
  const micros = ((await cpu()) - before) / requests;
  child.disconnect();
  return micros;
}

const role = process.argv[2] ?? '';
if (role === 'ours' || role === 'grpc-js') {
  process.send?.(role === 'ours' ? await serveOurs() : await serveGrpcJs());
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
  process.on('disconnect', () => process.exit());
} else {
  const base = Number(role === '' ? 500 : role);
  for (const { spans, bytes, share } of shapes) {
    const costs: Record<string, number> = {};
    for (const server of servers) costs[server] = await measure(server, bytes, base * share);
    const [mine, other] = [costs['ours'] ?? 0, costs['grpc-js'] ?? 0];
    console.log(
      `${spans} spans (${bytes} B): ours ${mine.toFixed(1)} µs/request, grpc-js ${other.toFixed(1)}, ratio ${(other / mine).toFixed(2)}`,
    );
  }
}
