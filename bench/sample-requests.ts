import { encodeRequest, type OracleAttribute, type OracleSpan } from '../test/otlp/oracle.ts';
import { compileKeys } from '../src/otlp/key-table.ts';
import { SpanIndex } from '../src/otlp/span-index.ts';
import { randomOf } from '../src/rehearsal/random.ts';

/** What sample requests look like. The same shape gives the same requests. */
export interface SampleShape {
  /** Spans in each request; default 512. */
  readonly spans?: number;
  /** About how many bytes a span takes; default 840. What a span needs without prose is about 450. */
  readonly bytesPerSpan?: number;
  readonly seed?: number;
}

/** Different texts before they repeat: few would compress, and be looked up, better than in real life. */
const templateCount = 16;
const spansARun = 8;
const tools = [
  'search_orders',
  'get_customer',
  'issue_refund',
  'send_email',
  'query_knowledge_base',
  'create_ticket',
];
const models = ['gpt-5.1', 'claude-sonnet-5', 'gemini-3-pro', 'gpt-5.1-mini'];
const words =
  'the customer asked about a refund for order that arrived late and we found its parcel in depot while agent checked policy stock price invoice address so it can answer today please wait until tomorrow morning because shipping label was printed twice'.split(
    ' ',
  );

/**
 * An endless, deterministic supply of requests as agent frameworks send them: runs of one agent span with llm and
 * tool calls below it. Every request has ids and times of its own, written over a copy of a prepared one.
 */
export class SampleRequests {
  readonly #templates: Template[];
  readonly #random: () => number;
  #next = 0;

  constructor(shape: SampleShape = {}) {
    this.#random = randomOf(shape.seed ?? 1);
    const { spans = 512, bytesPerSpan = 840 } = shape;
    this.#templates = Array.from(
      { length: templateCount },
      () => new Template(spans, bytesPerSpan, this.#random),
    );
  }

  /** A new request, owned by the caller, whose spans end around `nowMs`. */
  next(nowMs = 1_760_000_000_000): Uint8Array {
    const template = this.#templates[this.#next++ % templateCount]!;
    return template.copy(this.#random, nowMs);
  }
}

/** A request whose ids and times are written anew in every copy. */
class Template {
  readonly #bytes: Uint8Array;
  readonly #index = new SpanIndex(
    compileKeys({ fieldCount: 0, sources: [], content: [], ownPrefix: '-', ownKeys: [] }),
  );

  constructor(spans: number, bytesPerSpan: number, random: () => number) {
    this.#bytes = encodeRequest({
      resourceSpans: [
        {
          resource: { attributes: resourceAttributes },
          scopeSpans: [
            {
              scope: { name: 'opentelemetry.instrumentation.agents', version: '2.4.0' },
              spans: Array.from({ length: spans }, (_, row) => sampleSpan(row, bytesPerSpan, random)),
            },
          ],
        },
      ],
    });
    this.#index.read(this.#bytes);
  }

  copy(random: () => number, nowMs: number): Uint8Array {
    const bytes = new Uint8Array(this.#bytes); // never slice: of a Buffer that is a view, not a copy
    const view = new DataView(bytes.buffer);
    const { spans, count } = this.#index;
    for (let row = 0; row < count; row++) {
      const root = row - (row % spansARun);
      if (row === root)
        for (let k = 0; k < 16; k += 4) view.setUint32(spans.traceIdAt[row]! + k, draw(random));
      else bytes.copyWithin(spans.traceIdAt[row]!, spans.traceIdAt[root]!, spans.traceIdAt[root]! + 16);
      view.setUint32(spans.spanIdAt[row]!, draw(random));
      view.setUint32(spans.spanIdAt[row]! + 4, draw(random));
      if (row !== root)
        bytes.copyWithin(spans.parentSpanIdAt[row]!, spans.spanIdAt[root]!, spans.spanIdAt[root]! + 8);
      const startMs = nowMs - 20_000 + (row % spansARun) * 2_000 + random() * 1_000;
      view.setBigUint64(spans.startTimeAt[row]!, BigInt(Math.round(startMs * 1e6)), true);
      const tookMs = row === root ? 19_000 : 40 + random() * 1_900;
      view.setBigUint64(spans.endTimeAt[row]!, BigInt(Math.round((startMs + tookMs) * 1e6)), true);
    }
    return bytes;
  }
}

const resourceAttributes = [
  text('service.name', 'support-agent'),
  text('service.version', '1.42.0'),
  text('deployment.environment.name', 'production'),
  text('service.instance.id', '627cc493-f310-47de-96bd-71410b7dec09'),
  text('telemetry.sdk.language', 'python'),
  text('telemetry.sdk.name', 'opentelemetry'),
  text('telemetry.sdk.version', '1.38.0'),
];

function sampleSpan(row: number, bytesPerSpan: number, random: () => number): OracleSpan {
  const ids = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1) };
  const times = { startTimeUnixNano: '1760000000000000000', endTimeUnixNano: '1760000000000000000' };
  const place = row % spansARun;
  const parent = place === 0 ? {} : { parentSpanId: Buffer.alloc(8, 1) };
  const kindOf = place === 0 ? agentSpan : place % 2 === 1 ? llmSpan : toolSpan;
  const span = { ...ids, ...times, ...parent, flags: 257, ...kindOf(random, '') };
  const bare = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }).length;
  // Lengths differ from span to span, around the one that was asked for.
  const proseBytes = Math.max(0, Math.round((bytesPerSpan - bare) * (0.7 + 0.6 * random())));
  return { ...ids, ...times, ...parent, flags: 257, ...kindOf(random, prose(proseBytes, random)) };
}

function agentSpan(random: () => number, content: string): OracleSpan {
  return {
    name: 'invoke_agent support-agent',
    kind: 1,
    attributes: [
      text('gen_ai.operation.name', 'invoke_agent'),
      text('gen_ai.provider.name', 'openai'),
      text('gen_ai.agent.name', 'support-agent'),
      text('gen_ai.agent.id', 'agent_5j66UpCpwteGg4YSxUnt7lPY'),
      text('gen_ai.conversation.id', `conv_${hexOf(random, 24)}`),
      int('gen_ai.usage.input_tokens', 4_000 + random() * 9_000),
      int('gen_ai.usage.output_tokens', 300 + random() * 900),
      text('user.id', `user_${Math.floor(random() * 1e6)}`),
      text('gen_ai.input.messages', content),
    ],
    status: { code: random() < 0.05 ? 2 : 1 },
  };
}

function llmSpan(random: () => number, content: string): OracleSpan {
  const model = models[Math.floor(random() * models.length)]!;
  return {
    name: `chat ${model}`,
    kind: 3,
    attributes: [
      text('gen_ai.operation.name', 'chat'),
      text('gen_ai.provider.name', 'openai'),
      text('gen_ai.request.model', model),
      text('gen_ai.response.model', `${model}-2026-08-07`),
      text('gen_ai.response.id', `chatcmpl-${hexOf(random, 28)}`),
      text('gen_ai.agent.name', 'support-agent'),
      { key: 'gen_ai.request.temperature', value: { doubleValue: 0.2 } },
      int('gen_ai.request.max_tokens', 2048),
      {
        key: 'gen_ai.response.finish_reasons',
        value: { arrayValue: { values: [{ stringValue: 'tool_calls' }] } },
      },
      int('gen_ai.usage.input_tokens', 900 + random() * 5_000),
      int('gen_ai.usage.output_tokens', 20 + random() * 600),
      int('gen_ai.usage.cache_read.input_tokens', random() * 900),
      text('server.address', 'api.openai.com'),
      text('gen_ai.output.messages', content),
    ],
    status: {},
  };
}

function toolSpan(random: () => number, content: string): OracleSpan {
  const tool = tools[Math.floor(random() * tools.length)]!;
  const span: OracleSpan = {
    name: `execute_tool ${tool}`,
    kind: 1,
    attributes: [
      text('gen_ai.operation.name', 'execute_tool'),
      text('gen_ai.tool.name', tool),
      text('gen_ai.tool.call.id', `call_${hexOf(random, 24)}`),
      text('gen_ai.tool.type', 'function'),
      text('gen_ai.agent.name', 'support-agent'),
      text('gen_ai.tool.call.arguments', `{"order_id":"${hexOf(random, 8)}","reason":"late"}`),
      text('gen_ai.tool.call.result', content),
    ],
    status: {},
  };
  if (random() >= 0.08) return span;
  span.attributes!.push(text('error.type', 'TimeoutError'));
  span.status = { code: 2, message: 'the upstream did not answer within 10 s' };
  span.events = [
    {
      timeUnixNano: '1760000000000000000',
      name: 'exception',
      attributes: [
        text('exception.type', 'TimeoutError'),
        text('exception.message', 'the upstream did not answer within 10 s'),
      ],
    },
  ];
  return span;
}

function text(key: string, stringValue: string): OracleAttribute {
  return { key, value: { stringValue } };
}

function int(key: string, value: number): OracleAttribute {
  return { key, value: { intValue: String(Math.floor(value)) } };
}

function prose(bytes: number, random: () => number): string {
  let out = '';
  while (out.length < bytes) out += `${words[Math.floor(random() * words.length)]!} `;
  return out.slice(0, bytes);
}

function hexOf(random: () => number, digits: number): string {
  let out = '';
  while (out.length < digits) out += draw(random).toString(16).padStart(8, '0');
  return out.slice(0, digits);
}

function draw(random: () => number): number {
  return Math.floor(random() * 2 ** 32);
}
