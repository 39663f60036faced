import type { Server } from 'node:net';
import { ByteBudget, type Lease } from '../../src/core/budget.ts';
import { createLog, type Log } from '../../src/core/log.ts';
import { Secret } from '../../src/core/secret.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import type { ConnectionLife } from '../../src/receiver/connections.ts';
import type { ExportRequest, ExportResult } from '../../src/receiver/export.ts';
import { GrpcReceiver } from '../../src/receiver/grpc.ts';
import { HttpReceiver, type Patience } from '../../src/receiver/http.ts';
import { Intake } from '../../src/receiver/intake.ts';
import type { TlsFiles } from '../../src/receiver/listener.ts';
import type { SenderOptions } from '../../src/receiver/senders.ts';

export interface EdgeOptions {
  readonly exportTraces?: ExportRequest;
  readonly exportLogs?: ExportRequest;
  readonly limitBytes?: number;
  readonly budgetBytes?: number;
  readonly maxWaitMs?: number;
  readonly tokens?: readonly string[];
  readonly senders?: SenderOptions;
  readonly coalesceWindowMs?: number;
  readonly tls?: TlsFiles;
  readonly life?: Partial<ConnectionLife>;
  readonly patience?: Partial<Patience>;
  readonly log?: Log;
}

/** A budget that says how often it was asked for room. */
class WatchedBudget extends ByteBudget {
  asked = 0;

  override acquire(bytes: number, waitMs: number, signal: AbortSignal): Promise<Lease> {
    this.asked++;
    return super.acquire(bytes, waitMs, signal);
  }
}

/** Both receivers over one intake, on free ports, and every request they handed on. */
export interface Edge {
  readonly requests: Buffer[];
  readonly budget: WatchedBudget;
  readonly telemetry: Telemetry;
  readonly intake: Intake;
  readonly grpc: GrpcReceiver;
  readonly http: HttpReceiver;
  readonly grpcAddress: string;
  readonly httpUrl: string;
  /** The sum of the series of a metric whose text form begins so. */
  metric(series: string): Promise<number>;
  close(): Promise<void>;
}

export const accepted: ExportResult = { accepted: 1, rejected: 0, message: '' };

export async function openEdge(options: EdgeOptions = {}): Promise<Edge> {
  const requests: Buffer[] = [];
  const budget = new WatchedBudget(options.budgetBytes ?? 512 << 20);
  const telemetry = new Telemetry();
  const log = options.log ?? createLog('silent');
  const answer = options.exportTraces ?? (() => Promise.resolve(accepted));
  const intake = new Intake({
    budget,
    limitBytes: options.limitBytes ?? 64 << 20,
    maxWaitMs: options.maxWaitMs ?? 5000,
    ...(options.senders ?? { tokens: (options.tokens ?? []).map((token) => ({ token: new Secret(token) })) }),
    coalesceWindowMs: options.coalesceWindowMs ?? 120_000,
    telemetry,
    log,
    exports: {
      traces: (request, signal, claims) => {
        requests.push(Buffer.from(request));
        return answer(request, signal, claims);
      },
      logs: options.exportLogs ?? (() => Promise.resolve(accepted)),
    },
  });
  const listener = { host: '127.0.0.1', port: 0, tls: options.tls };
  const grpc = new GrpcReceiver({
    listener: { ...listener, configPath: 'receivers::otlp::protocols::grpc' },
    intake,
    log,
    life: options.life,
  });
  const http = new HttpReceiver({
    listener: { ...listener, configPath: 'receivers::otlp::protocols::http' },
    intake,
    patience: options.patience,
  });
  await Promise.all([grpc.start(), http.start()]);
  return {
    requests,
    budget,
    telemetry,
    intake,
    grpc,
    http,
    grpcAddress: `127.0.0.1:${grpc.address?.port}`,
    httpUrl: `${options.tls ? 'https' : 'http'}://127.0.0.1:${http.address?.port}`,
    metric: async (series) => {
      const lines = (await telemetry.registry.metrics()).split('\n');
      const values = lines.filter((line) => line.startsWith(series)).map((line) => line.split(' ').at(-1));
      return values.reduce((sum, value) => sum + Number(value), 0);
    },
    close: async () => {
      await Promise.all([grpc.stop(AbortSignal.abort()), http.stop(AbortSignal.abort())]);
    },
  };
}

/** A promise that a test settles. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** The port a server of a test listens on. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return address.port;
}
