// What it costs to receive: CPU per request of our gRPC receiver and of a default @grpc/grpc-js server, both of which
// drop the payload. One server per child process, eight calls in flight; the cheapest of five rounds, as other work on
// the machine only ever adds. `node bench/receive.ts [requests of 512 spans per round]`. Linux only.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { ByteBudget } from '../src/core/budget.ts';
import { createLog } from '../src/core/log.ts';
import { Telemetry } from '../src/core/telemetry.ts';
import { GrpcReceiver } from '../src/receiver/grpc.ts';
import { Intake } from '../src/receiver/intake.ts';
import { GrpcLoad, sendAll } from './grpc-load.ts';
import { cpuSecondsOf } from './measure.ts';
import type { SampleRequests } from './sample-requests.ts';

/** Ours joins repeated bodies, which costs a hash of each; `ours-unjoined` does not. */
const coalesceWindowMs: Readonly<Record<string, number>> = { ours: 120_000, 'ours-unjoined': 0 };
const servers = ['ours', 'ours-unjoined', 'grpc-js'];
const shapes = [
  { spans: 512, share: 1 },
  { spans: 20, share: 8 },
  { spans: 1, share: 20 },
];
const rounds = 5;
const inFlight = 8;

async function serve(name: string): Promise<void> {
  const log = createLog('silent');
  const intake = new Intake({
    budget: new ByteBudget(256 << 20),
    limitBytes: 64 << 20,
    maxWaitMs: 5000,
    tokens: [],
    coalesceWindowMs: coalesceWindowMs[name] ?? 0,
    telemetry: new Telemetry(),
    log,
    exports: {
      traces: () => Promise.resolve({ accepted: 1, rejected: 0, message: '' }),
      logs: () => Promise.reject(new Error('no logs are sent')),
    },
  });
  const listener = { host: '127.0.0.1', port: 0, configPath: 'bench' };
  const receiver = new GrpcReceiver({ listener, intake, log });
  await receiver.start();
  process.send?.(receiver.address?.port);
  process.on('disconnect', () => process.exit());
}

/** CPU of the server per request, in microseconds. */
async function measure(name: string, requests: SampleRequests, count: number): Promise<number> {
  const own = name in coalesceWindowMs;
  const program = own ? import.meta.filename : new URL('drop-server.ts', import.meta.url).pathname;
  const child = fork(program, own ? [name] : []);
  const [port] = await once(child, 'message');
  const load = new GrpcLoad(`http://127.0.0.1:${port}`, 2);
  const pid = child.pid ?? 0;
  const next = (): Uint8Array => requests.next();
  await sendAll(load, next, Math.ceil(count / 2), inFlight); // warms the compiler
  const before = cpuSecondsOf(pid);
  await sendAll(load, next, count, inFlight);
  const micros = ((cpuSecondsOf(pid) - before) / count) * 1e6;
  load.close();
  child.disconnect();
  return micros;
}

async function compare(base: number): Promise<void> {
  const { SampleRequests } = await import('./sample-requests.ts'); // a server must not carry what only load needs: each garbage collection walks it
  for (const { spans, share } of shapes) {
    const requests = new SampleRequests({ spans });
    const costs = new Map(servers.map((name): [string, number[]] => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const name of servers) costs.get(name)?.push(await measure(name, requests, base * share));
    }
    const cheapest = (name: string): number => Math.min(...(costs.get(name) ?? []));
    const bytes = requests.next().length;
    const shown = servers.map((name) => `${name} ${cheapest(name).toFixed(1)}`).join(', ');
    const ratio = (cheapest('grpc-js') / cheapest('ours')).toFixed(2);
    console.log(`${spans} spans, ${bytes} B: µs of CPU per request: ${shown}; grpc-js costs ${ratio} × ours`);
  }
}

const argument = process.argv[2] ?? '400';
await (argument in coalesceWindowMs ? serve(argument) : compare(Number(argument)));
if (!(argument in coalesceWindowMs)) process.exit();
