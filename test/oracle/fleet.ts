import { attributesOf, type Values } from '../enrich/one-span.ts';
import { Draw } from '../faults/draw.ts';
import type { OracleResourceSpans, OracleSpan } from '../otlp/oracle.ts';

/** One span, when it ends by the clock of its sender, and when it reaches the pipeline. Times are milliseconds since the epoch. */
export interface Delivery {
  readonly arrivesMs: number;
  readonly endMs: number;
  readonly partition: number;
  readonly spans: OracleResourceSpans;
}

/** The agents of a fleet. */
export const agents = ['refund', 'billing', 'search'];
/** The releases of its runs; some say none. */
export const releases = ['1.4.0', '1.4.0', '1.5.0', '1.5.0', ''];
/** Where they run. */
export const environments = ['production', 'staging'];
const tools = ['get_order', 'pay', 'web_search', 'notify'];
const evaluators = ['groundedness', 'tone'];
const second = 1000;
const minute = 60 * second;

const nanoseconds = (ms: number): string => `${ms}000000`;

/** How the spans of one run are delayed, and whether its root comes. */
type Manner = 'usual' | 'hung' | 'whole late' | 'root late';

/**
 * Runs of agents with all that happens to them: every outcome, escalations, retries, calls seen by client and server,
 * unknown prices, scores and words that come after the end, spans that come late, too late, twice and out of order, and
 * runs without an end. Model calls wrap nothing, a trace is a run, and all spans of one name the same release: this is
 * what the SQL beside it takes for granted. The same seed gives the same spans.
 */
export class Fleet {
  readonly #draw: Draw;
  readonly #clocksMs: readonly number[];
  #runs = 0;

  /** `clocksMs`: by how much the clock of the senders of each partition is ahead. */
  constructor(seed: number, clocksMs: readonly number[]) {
    this.#draw = new Draw(seed);
    this.#clocksMs = clocksMs;
  }

  /** The deliveries of a run that begins at `startMs`. */
  run(startMs: number): readonly Delivery[] {
    const manners: readonly Manner[] = ['hung', 'whole late', 'root late'];
    const manner = this.#chance(0.15) ? this.#draw.pick(manners) : 'usual';
    const number = this.#runs++;
    const partition = number % this.#clocksMs.length;
    const place = { partition, clockMs: this.#clocksMs[partition]! };
    return new Run(this.#draw, number, place, manner, startMs).deliveries();
  }

  #chance(of: number): boolean {
    return this.#draw.random() < of;
  }
}

/** The partition of a run, and by how much the clock there is ahead. */
interface RunPlace {
  readonly partition: number;
  readonly clockMs: number;
}

class Run {
  readonly #draw: Draw;
  readonly #manner: Manner;
  readonly #startMs: number;
  readonly #traceId: Buffer;
  readonly #place: RunPlace;
  readonly #resource: NonNullable<OracleResourceSpans['resource']>;
  readonly #agent: string;
  readonly #deliveries: Delivery[] = [];
  #nowMs: number;
  #spans = 0;

  // oxlint-disable-next-line max-params -- all of them make the run
  constructor(draw: Draw, number: number, place: RunPlace, manner: Manner, startMs: number) {
    this.#draw = draw;
    this.#manner = manner;
    this.#startMs = startMs;
    this.#nowMs = startMs;
    this.#place = place;
    this.#traceId = Buffer.alloc(16);
    this.#traceId.writeUInt32BE(number + 1, 12);
    this.#traceId.writeUInt32BE(draw.between(0, 2 ** 32), 0);
    this.#agent = draw.pick(agents);
    const release = draw.pick(releases);
    this.#resource = {
      attributes: attributesOf({
        'service.name': this.#agent,
        ...(release !== '' && { 'service.version': release }),
        'deployment.environment.name': draw.pick(environments),
      }),
    };
  }

  deliveries(): readonly Delivery[] {
    for (let i = this.#draw.between(1, 4); i > 0; i--) this.#modelCall();
    if (this.#usesTools) for (let i = this.#draw.between(0, 5); i > 0; i--) this.#toolCall(`call ${i}`);
    this.#humans();
    if (this.#manner !== 'hung') {
      this.#root();
      this.#afterwards();
    }
    if (this.#manner !== 'whole late') return this.#deliveries;
    const arrivesMs = this.#nowMs + this.#draw.between(minute, 10 * minute);
    return this.#deliveries.map((delivery) => ({ ...delivery, arrivesMs }));
  }

  #chance(of: number): boolean {
    return this.#draw.random() < of;
  }

  /** Where a clock is behind, no query can know which attempts at a call were too late to be the same call. */
  get #usesTools(): boolean {
    return this.#place.clockMs >= 0;
  }

  /** A span of `ms`, which ends now, and comes `delayMs` later; with what it says besides. Returns its id. */
  #span(name: string, ms: number, delayMs: number, values: Values, rest: OracleSpan = {}): Buffer {
    this.#spans++;
    const spanId = this.#id(this.#spans);
    const endMs = this.#nowMs + this.#place.clockMs;
    const span: OracleSpan = {
      traceId: this.#traceId,
      spanId,
      parentSpanId: this.#id(0),
      name,
      startTimeUnixNano: nanoseconds(endMs - ms),
      endTimeUnixNano: nanoseconds(endMs),
      attributes: attributesOf(values),
      ...rest,
    };
    const delivery: Delivery = {
      arrivesMs: this.#nowMs + delayMs,
      endMs,
      partition: this.#place.partition,
      spans: { resource: this.#resource, scopeSpans: [{ spans: [span] }] },
    };
    this.#deliveries.push(delivery);
    if (this.#manner === 'usual' && this.#chance(0.03))
      this.#deliveries.push({
        ...delivery,
        arrivesMs: delivery.arrivesMs + this.#draw.between(0, 8 * second),
      });
    return spanId;
  }

  #id(number: number): Buffer {
    const id = Buffer.from(this.#traceId.subarray(8));
    id.writeUInt32BE(number + 1, 0);
    return id;
  }

  /** Lets so much time go by in the run. */
  #pass(ms: number): number {
    this.#nowMs += ms;
    return ms;
  }

  #soon(): number {
    return this.#draw.between(0, second);
  }

  #modelCall(): void {
    const cost: Values = this.#chance(0.02)
      ? { 'gen_ai.request.model': 'nobody-knows-it', 'gen_ai.usage.input_tokens': 100 }
      : { 'plimsoll.cost.usd': this.#draw.between(1, 1e7) / 1e9 };
    const isLate = this.#manner === 'usual' && this.#chance(0.03);
    const delayMs = isLate ? this.#draw.between(minute, 70 * second) : this.#soon();
    const ms = this.#pass(this.#draw.between(200, 4 * second));
    this.#span('chat', ms, delayMs, { 'gen_ai.operation.name': 'chat', ...cost });
  }

  /** A call with its retries; a failed one may be made again. */
  #toolCall(id: string): void {
    const tool = this.#draw.pick(tools);
    const values: Values = {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': tool,
      'gen_ai.tool.call.id': `${this.#traceId.toString('hex')} ${id}`,
    };
    for (let attempt = 1; attempt <= 3; attempt++) {
      const ms = this.#pass(Math.ceil(20 * 300 ** this.#draw.random()));
      const fate = this.#draw.random();
      if (fate < 0.15) this.#span('tool', ms, this.#soon(), values, { status: { code: 2 } });
      else this.#endOfCall(values, ms, fate);
      if (fate >= 0.15) break;
      this.#pass(this.#draw.between(10, second));
    }
  }

  /** The attempt after which there is no other; by `fate` it is refused or cancelled. */
  #endOfCall(values: Values, ms: number, fate: number): void {
    if (fate < 0.2) {
      this.#span('tool', ms, this.#soon(), { ...values, 'plimsoll.escalation.state': 'rejected' });
    } else if (fate < 0.25) {
      this.#span('tool', ms, this.#soon(), { ...values, 'plimsoll.result': 'cancelled' });
    } else if (fate < 0.35) {
      const delayMs = this.#soon();
      const client = this.#span('client', ms, delayMs, values);
      this.#span('server', Math.ceil(ms / 2), delayMs, values, { parentSpanId: client });
    } else this.#span('tool', ms, this.#soon(), values);
  }

  #humans(): void {
    if (this.#chance(0.08)) {
      this.#pass(this.#draw.between(second, 5 * second));
      const reason = this.#draw.pick(['approval', 'input_request', 'guardrail']);
      const state = this.#manner === 'hung' ? 'requested' : this.#draw.pick(['approved', 'modified', 'auto']);
      this.#span('gate', 10, this.#soon(), {
        'plimsoll.escalation.reason': reason,
        'plimsoll.escalation.state': state,
      });
    }
    if (this.#chance(0.05))
      this.#span('plimsoll.review', 10, this.#soon(), {
        'plimsoll.step': 'review',
        'plimsoll.review.seconds': this.#draw.between(1, 600),
      });
  }

  #root(): void {
    this.#pass(this.#draw.between(10, second));
    const fate = this.#draw.random();
    const outcome =
      fate < 0.5
        ? 'success'
        : fate < 0.58
          ? 'failure'
          : fate < 0.63
            ? 'abandoned'
            : fate < 0.66
              ? 'escalated'
              : '';
    const values: Values = {
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.name': this.#agent,
      ...(outcome !== '' && { 'plimsoll.run.outcome': outcome }),
      ...(this.#chance(0.2) && {
        [`plimsoll.score.${this.#draw.pick(evaluators)}`]: this.#draw.between(0, 101) / 100,
      }),
    };
    const rest: OracleSpan = { spanId: this.#id(0), parentSpanId: Buffer.alloc(0) };
    const failed: OracleSpan = fate > 0.9 ? { status: { code: 2 } } : {};
    const delayMs =
      second + (this.#manner === 'root late' ? this.#draw.between(0, 70 * second) : this.#soon());
    this.#span('invoke_agent', this.#nowMs - this.#startMs, delayMs, values, { ...rest, ...failed });
  }

  /** What is learned after the end: a call that was exported late, some of them too late, a score, a human's word. */
  #afterwards(): void {
    if (this.#manner !== 'usual') return;
    if (this.#usesTools && this.#chance(0.05)) {
      const isTooLate = this.#chance(0.3);
      const delayMs = isTooLate
        ? this.#draw.between(3 * minute, 9 * minute)
        : this.#draw.between(minute, 70 * second);
      const values = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': this.#draw.pick(tools) };
      const id = `${this.#traceId.toString('hex')} late`;
      this.#span(
        'tool',
        100,
        delayMs,
        { ...values, 'gen_ai.tool.call.id': id },
        this.#chance(0.5) ? { status: { code: 2 } } : {},
      );
    }
    if (this.#chance(0.05)) {
      this.#pass(this.#draw.between(second, 9 * minute));
      const evaluator = `plimsoll.score.${this.#draw.pick(evaluators)}`;
      this.#span('judge', 10, 0, {
        'plimsoll.step': 'evaluator',
        [evaluator]: this.#draw.between(0, 101) / 100,
      });
    }
    if (this.#chance(0.05)) {
      this.#pass(this.#draw.between(second, 9 * minute));
      const word = this.#draw.pick(['success', 'failure', 'abandoned']);
      this.#span('feedback', 10, 0, { 'plimsoll.run.outcome': word, 'plimsoll.run.evidence': 'human' });
    }
  }
}
