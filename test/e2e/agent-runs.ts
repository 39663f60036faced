import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { GrpcLoad } from '../../bench/grpc-load.ts';
import { encodeRequest } from '../otlp/oracle.ts';

/** Some runs of a release that end now. */
export interface Runs {
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly count: number;
  /** The first of them fail. */
  readonly failures: number;
}

/** An export request of `runs`, each one span. */
function requestOf({ agent, release, environment, count, failures }: Runs): Uint8Array {
  const now = Date.now();
  const spans = Array.from({ length: count }, (_, i) => ({
    traceId: randomBytes(16),
    spanId: randomBytes(8),
    name: `invoke_agent ${agent}`,
    kind: 1,
    startTimeUnixNano: `${now - 50}000000`,
    endTimeUnixNano: `${now}000000`,
    attributes: [
      { key: 'gen_ai.operation.name', value: { stringValue: 'invoke_agent' } },
      { key: 'gen_ai.agent.name', value: { stringValue: agent } },
    ],
    ...(i < failures && { status: { code: 2 } }),
  }));
  const resource = {
    attributes: [
      { key: 'service.version', value: { stringValue: release } },
      { key: 'deployment.environment.name', value: { stringValue: environment } },
    ],
  };
  return encodeRequest({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
}

/** What a sender sends ten times a second, and who learns what was acknowledged. */
export interface Work {
  /** Where it is sent now: another process may have taken over. */
  url(): string;
  next(): readonly Runs[];
  acknowledged?(runs: Runs): void;
}

/** Sends until `stopped` aborts, to whoever takes it, whatever is killed meanwhile. */
export async function sendSteadily(work: Work, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    const sender = new GrpcLoad(work.url(), 1);
    for (let isUp = true; isUp && !stopped.aborted;) {
      for (const runs of work.next()) {
        const answer = await sender.send(requestOf(runs)).catch(() => undefined); // a kill
        if (answer === undefined) isUp = false;
        else if (answer === 0) work.acknowledged?.(runs);
      }
      await sleep(100);
    }
    sender.close();
    await sleep(100);
  }
}
