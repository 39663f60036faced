import { hash } from 'node:crypto';
import type { MadeSpan, Values } from './encode-spans.ts';
import type { Behaviour, Traffic } from './traffic.ts';

/** What a run is of. */
export interface RunPlace {
  readonly traffic: Traffic;
  /** Names the run among all runs of all rehearsals: ids are made of it. */
  readonly name: string;
  readonly sessionId: string;
  readonly startMs: number;
}

const kinds = { internal: 1, client: 3 } as const;

/** How much the lengths of runs and their costs differ: from half to one and a half of what is usual. */
const about = (usual: number, random: () => number): number => usual * (0.5 + random());

/**
 * The spans of one make-believe run, in the order in which they end: an agent asks a model before each of its tools and
 * at last; a failed tool call may end the run; a human may be asked. The agent's span comes last, or never in a run that
 * hangs.
 */
export function makeBelieveRun(
  place: RunPlace,
  behaviour: Behaviour,
  random: () => number,
): readonly MadeSpan[] {
  const run = new Run(place, behaviour, random);
  const { tools } = place.traffic;
  const hangsAfter = random() < behaviour.hang ? Math.floor(random() * tools.length) : tools.length;
  const failsAfter = random() < behaviour.run_failure ? Math.floor(random() * tools.length) : tools.length;
  for (const [i, tool] of tools.entries()) {
    run.chat();
    if (i === hangsAfter) return run.spans;
    if (i === failsAfter || !run.callTool(tool)) return run.end(false);
  }
  if (random() < behaviour.escalation) run.askHuman();
  run.chat();
  return run.end(true);
}

class Run {
  readonly spans: MadeSpan[] = [];
  readonly #place: RunPlace;
  readonly #behaviour: Behaviour;
  readonly #random: () => number;
  /** 16 bytes of the trace, and more for its spans. */
  readonly #ids: Buffer;
  /** How long a model and a tool call take, together. */
  readonly #stepMs: number;
  readonly #stepUsd: number;
  #atMs: number;

  constructor(place: RunPlace, behaviour: Behaviour, random: () => number) {
    this.#place = place;
    this.#behaviour = behaviour;
    this.#random = random;
    this.#ids = hash('sha256', place.name, 'buffer');
    const steps = place.traffic.tools.length + 1;
    this.#stepMs = about(behaviour.seconds * 1000, random) / steps;
    this.#stepUsd = about(behaviour.cost_usd, random) / steps;
    this.#atMs = place.startMs;
  }

  chat(): void {
    this.#child('chat gpt-4o-mini', kinds.client, this.#stepMs * 0.85, {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-4o-mini',
      'plimsoll.cost.usd': this.#stepUsd,
    });
  }

  /** Whether the run goes on. */
  callTool(tool: string): boolean {
    const { tool_failure: failure, retry, gives_up: givesUp } = this.#behaviour;
    let isFailed = this.#random() < failure;
    this.#attempt(tool, isFailed, 1);
    if (isFailed && this.#random() < retry) {
      isFailed = this.#random() < failure;
      this.#attempt(tool, isFailed, 2);
    }
    return !isFailed || this.#random() >= givesUp;
  }

  #attempt(tool: string, isFailed: boolean, attempt: number): void {
    const call = `call_${this.#ids.toString('hex', 0, 6)}_${tool}`;
    const values = {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': tool,
      'gen_ai.tool.call.id': call,
      ...(attempt > 1 && { 'plimsoll.attempt': attempt }),
      ...(isFailed && { 'error.type': 'TimeoutError' }),
    };
    this.#child(`execute_tool ${tool}`, kinds.internal, this.#stepMs * 0.15, values, isFailed);
  }

  askHuman(): void {
    this.#child('approve', kinds.internal, this.#stepMs, {
      'plimsoll.step': 'review',
      'plimsoll.escalation.reason': 'approval',
      'plimsoll.escalation.state': 'approved',
    });
  }

  /** Ends with the agent's own span. */
  end(isWell: boolean): readonly MadeSpan[] {
    const { startMs, sessionId, traffic } = this.#place;
    this.#add(`invoke_agent ${traffic.agent}`, kinds.internal, startMs, !isWell, {
      'gen_ai.operation.name': 'invoke_agent',
      'session.id': sessionId,
    });
    return this.spans;
  }

  #child(name: string, kind: number, lastsMs: number, values: Values, isFailed = false): void {
    const startMs = this.#atMs;
    this.#atMs += about(lastsMs, this.#random);
    this.#add(name, kind, startMs, isFailed, values, this.#spanId(0));
  }

  #add(
    name: string,
    kind: number,
    startMs: number,
    isFailed: boolean,
    values: Values,
    parentSpanId?: Uint8Array,
  ): void {
    this.spans.push({
      traceId: this.#ids.subarray(0, 16),
      spanId: this.#spanId(parentSpanId === undefined ? 0 : this.spans.length + 1),
      parentSpanId,
      name,
      kind,
      startMs,
      endMs: this.#atMs,
      isFailed,
      values: { 'gen_ai.agent.name': this.#place.traffic.agent, ...values },
    });
  }

  /** That of the agent is number 0. */
  #spanId(number: number): Uint8Array {
    const id = Buffer.from(this.#ids.subarray(16, 24));
    id.writeUInt16BE(number, 6);
    return id;
  }
}
