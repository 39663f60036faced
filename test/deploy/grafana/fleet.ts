import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeSpans, type MadeSpan, type Values } from '../../../src/rehearsal/encode-spans.ts';
import { makeBelieveRun } from '../../../src/rehearsal/make-believe-run.ts';
import { randomOf } from '../../../src/rehearsal/random.ts';
import { behaviourAt, readTraffic, type Traffic } from '../../../src/rehearsal/traffic.ts';
import { rehearsalOf } from '../../../src/semconv/rehearsal.ts';
import { hastyCanary } from '../../e2e/hasty-canary.ts';

/** The agent whose canary is bad, its releases, and where they run. */
export const refunds = {
  agent: 'refund-agent',
  environment: 'production',
  baseline: '1.4.0',
  canary: '1.5.0-rc1',
} as const;

/** The release that runs in a rehearsal alone: no panel may know it. */
export const rehearsed = 'only-rehearsed';

const [healthy, bad] = [
  { run_failure: 0.04, tool_failure: 0.05 },
  { run_failure: 0.6, tool_failure: 0.3 },
];
const usual = { seconds: 1, runs_per_minute: 60, retry: 0.5, gives_up: 0.3, escalation: 0.25, hang: 0 };

interface Member {
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly goes: typeof healthy;
  /** Runs in each tenth of a second. */
  readonly share: number;
}

const members = (isShipped: boolean): readonly Member[] => {
  const { agent, environment, baseline, canary } = refunds;
  return [
    { agent, environment, release: baseline, goes: healthy, share: 4 },
    ...(isShipped ? [{ agent, environment, release: canary, goes: bad, share: 3 }] : []),
    { agent: 'search-agent', environment: 'staging', release: '7', goes: healthy, share: 1 },
    { agent, environment: rehearsalOf(environment, 'test'), release: rehearsed, goes: bad, share: 1 },
  ];
};

/** What decides about the canary in seconds, and has it rolled back. */
export function policyText(target: string): string {
  const { agent, environment, canary } = refunds;
  return `
apiVersion: plimsoll/v1
kind: ReliabilityPolicy
metadata: { name: refunds, version: 1, owner: team-payments, on_call: payments-on-call }
scope: { agents: [${agent}], environments: [${environment}] }
good_outcomes: [success, completed]
objectives:
  run_success: { at_least: 0.9, period: 30d, min_events: 20, severity: sev2 }
  quality_score: { evaluator: helpful, at_least: 0.8, window: 5m, min_events: 20, severity: sev3 }
severities: { sev2: { page: true, acknowledge_within: 30m }, sev3: { page: false, acknowledge_within: 4h } }
${hastyCanary({ canary, target, share: 0.4, within: '10m' })}`;
}

function trafficOf({ agent, release, environment, goes }: Member): Traffic {
  const releases = [{ release, ...usual, ...goes, cost_usd: 0.002 }];
  const read = readTraffic(JSON.stringify({ agent, environment, minutes: 60, seed: 7, releases }));
  if (!('traffic' in read)) throw new Error(read.faults.join('\n'));
  return read.traffic;
}

/** What models, reviewers, users and evaluators add to what a run says. */
function told(span: MadeSpan, random: () => number): MadeSpan {
  const { values } = span;
  const more: Values =
    values['gen_ai.operation.name'] === 'chat'
      ? { 'gen_ai.usage.input_tokens': 800, 'gen_ai.usage.output_tokens': 90 }
      : values['plimsoll.step'] === 'review'
        ? { 'plimsoll.review.seconds': 40, 'plimsoll.cost.usd': 0.5 }
        : values['gen_ai.operation.name'] === 'invoke_agent'
          ? {
              'plimsoll.score.helpful': random(),
              'plimsoll.task.type': 'refund',
              ...(!span.isFailed &&
                random() < 0.5 && { 'plimsoll.run.outcome': 'success', 'plimsoll.run.evidence': 'human' }),
            }
          : {};
  return { ...span, values: { ...values, ...more } };
}

/** Make-believe agents at work, in real time. */
export class MakeBelieveFleet {
  readonly #url: string;
  readonly #random = randomOf(11);
  readonly #stopped = new AbortController();
  #runs = 0;
  #work: Promise<void> | undefined;
  /** Whether the canary gets its share. */
  isShipped: () => boolean = () => false;

  /** Sends to the OTLP HTTP port at `url`. */
  constructor(url: string) {
    this.#url = `${url}/v1/traces`;
  }

  start(): void {
    this.#work = this.#send();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#work;
  }

  async #send(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      for (const member of members(this.isShipped())) {
        const headers = { 'content-type': 'application/x-protobuf' };
        const response = await fetch(this.#url, { method: 'POST', headers, body: this.#request(member) });
        if (!response.ok) throw new Error(await response.text());
      }
      await sleep(100);
    }
  }

  #request(member: Member): Buffer {
    const { agent, release, environment, share } = member;
    const traffic = trafficOf(member);
    const behaviour = behaviourAt(traffic, traffic.releases[0]!, 0);
    const spans = Array.from({ length: share }, () => {
      const name = `run ${this.#runs++}`;
      const place = { traffic, name, sessionId: `session ${this.#runs >> 2}`, startMs: Date.now() - 2000 };
      return makeBelieveRun(place, behaviour, this.#random).map((span) => told(span, this.#random));
    }).flat();
    const resource = {
      'service.name': agent,
      'service.version': release,
      'deployment.environment.name': environment,
    };
    return Buffer.from(encodeSpans(resource, spans));
  }
}

/** Writes the policy to `folder`; returns its path. */
export function writePolicy(folder: string, target: string): string {
  const file = join(folder, 'refunds.yaml');
  writeFileSync(file, policyText(target));
  return file;
}
