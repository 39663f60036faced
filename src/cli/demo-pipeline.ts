import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { widestTokenOf } from '../config-senders.ts';
import { reachableUrl } from '../core/listen.ts';
import type { Plan } from '../plan.ts';
import type { FleetTarget } from './demo-fleet.ts';

/** Where the fleet sends its spans. Throws an Error that names what the configuration lacks. */
export function targetOf({ ingest }: Plan): FleetTarget {
  const otlp = ingest?.receivers.find(
    ({ options: { protocols } }) => protocols.grpc && protocols.http,
  )?.options;
  const { grpc, http } = otlp?.protocols ?? {};
  if (!grpc || !http)
    throw new Error('the demo sends over gRPC and HTTP: configure an otlp receiver with both');
  if (grpc.tls || http.tls)
    throw new Error('the demo speaks no TLS: give it a configuration without receivers::otlp tls');
  return {
    grpcUrl: reachableUrl(grpc.endpoint),
    httpUrl: reachableUrl(http.endpoint),
    token: widestTokenOf(otlp?.auth),
  };
}

const answerMs = 5000;

/** What `url` answers; undefined when that is not there in whole within 5 s, or when `signal` aborts before. */
export async function answerOf(
  url: string,
  signal?: AbortSignal,
): Promise<{ readonly isOk: boolean; readonly text: string } | undefined> {
  const limit = AbortSignal.timeout(answerMs);
  try {
    const response = await fetch(url, { signal: signal ? AbortSignal.any([signal, limit]) : limit });
    return { isOk: response.ok, text: await response.text() };
  } catch {
    return undefined;
  }
}

/** Whether a pipeline answers at `health` and is well. */
export async function isUp(health: string, signal?: AbortSignal): Promise<boolean> {
  const answer = await answerOf(health, signal);
  return answer !== undefined && answer.isOk && answer.text.includes('"components"'); // others answer on this port too
}

/** A pipeline that the demo started. */
export interface Started {
  readonly child: ChildProcess;
  /** Resolves with how it ended, a code or a signal. */
  readonly ended: Promise<string>;
  hasEnded: boolean;
}

/** Starts a pipeline with the configuration `files`. */
export function startPipeline(files: readonly string[]): Started {
  const launcher = fileURLToPath(new URL('../plimsoll.js', import.meta.url));
  const words = files.flatMap((file) => ['--config', file]);
  // A process group of its own: Ctrl-C reaches the demo alone, which lets the fleet finish before it stops the pipeline.
  // A channel: the pipeline stops by itself when the demo is gone.
  const child = spawn(process.execPath, [launcher, 'run', ...words], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  const started: Started = { child, ended: promise, hasEnded: false };
  child.once('exit', (code, signal) => {
    started.hasEnded = true;
    resolve(signal ?? `code ${code}`);
  });
  return started;
}

/** Resolves when the pipeline is up, or `signal` aborts. Rejects when it ends before. */
export async function untilUp(
  health: string,
  pipeline: Started | undefined,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && !(await isUp(health, signal))) {
    if (pipeline?.hasEnded) {
      throw new Error(
        `the pipeline ended (${await pipeline.ended}) before it was ready; its message is above`,
      );
    }
    await sleep(100);
  }
}

/** Stops it in order; resolves when it has ended. */
export async function stopPipeline(pipeline: Started | undefined): Promise<void> {
  pipeline?.child.kill('SIGTERM');
  await pipeline?.ended;
}
