// What a row costs: CPU per span from the bytes of a record to a Native block, in three steps (index, rows, finish).
// `node bench/rows.ts [spans]`.
import { jsonToProtobuf } from '../src/otlp/json-to-protobuf.ts';
import { compileKeys } from '../src/otlp/key-table.ts';
import { SpanIndex } from '../src/otlp/span-index.ts';
import { SpanRows } from '../src/otlp/span-rows.ts';
import { SpanView } from '../src/otlp/span-view.ts';
import { keyTableSpec } from '../src/semconv/tables.ts';
import { typedColumns } from '../src/store/trace-columns.ts';

const spansARequest = 512;
const rowsABlock = 51_200;
const recordTimeMs = 1_795_397_427_506;

const hex = (bytes: number): string => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex');
const text = (key: string, stringValue: string): object => ({ key, value: { stringValue } });
const int = (key: string, intValue: number): object => ({ key, value: { intValue } });
const words = 'the order was refunded because customer asked for agent tool call with a result that is late again'.split(' ');
const prose = (length: number): string => {
  let out = '';
  while (out.length < length) out += `${words[Math.floor(Math.random() * words.length)]} `;
  return out.slice(0, length);
};

const common = (): object[] => [
  text('gen_ai.agent.name', 'refund-agent'),
  text('gen_ai.conversation.id', hex(8)),
  text('plimsoll.environment', 'production'),
];
const shapes: (() => object)[] = [
  () => ({
    name: 'invoke_agent refund-agent',
    kind: 1,
    attributes: [...common(), text('gen_ai.operation.name', 'invoke_agent'), text('gen_ai.input.messages', prose(380)), text('user.tier', 'gold'), int('agent.turns', 4)],
  }),
  () => ({
    name: 'chat gpt-4o-mini',
    kind: 3,
    attributes: [
      ...common(),
      text('gen_ai.operation.name', 'chat'),
      text('gen_ai.provider.name', 'openai'),
      text('gen_ai.request.model', 'gpt-4o-mini'),
      text('gen_ai.response.model', 'gpt-4o-mini-2024-07-18'),
      text('gen_ai.response.id', `resp_${hex(6)}`),
      { key: 'gen_ai.request.temperature', value: { doubleValue: 0.7 } },
      { key: 'gen_ai.response.finish_reasons', value: { arrayValue: { values: [{ stringValue: 'stop' }] } } },
      int('gen_ai.usage.input_tokens', 100 + Math.floor(Math.random() * 4000)),
      int('gen_ai.usage.output_tokens', Math.floor(Math.random() * 900)),
      text('gen_ai.output.messages', prose(280)),
      text('server.address', 'api.openai.com'),
    ],
  }),
  () => ({
    name: 'execute_tool lookup_order',
    kind: 1,
    attributes: [
      ...common(),
      text('gen_ai.operation.name', 'execute_tool'),
      text('gen_ai.tool.name', 'lookup_order'),
      text('gen_ai.tool.call.id', `call_${hex(8)}`),
      text('gen_ai.tool.type', 'function'),
      text('gen_ai.tool.call.arguments', prose(120)),
      text('gen_ai.tool.call.result', prose(200)),
      int('retry.count', 0),
    ],
    status: { code: 2, message: 'upstream 503' },
  }),
];

/** A request of an agent's spans. */
function request(): Uint8Array {
  const spans = Array.from({ length: spansARequest }, (_, i) => {
    const start = BigInt(recordTimeMs) * 1_000_000n + BigInt(Math.floor(Math.random() * 1e9));
    return {
      traceId: hex(16),
      spanId: hex(8),
      parentSpanId: hex(8),
      startTimeUnixNano: String(start),
      endTimeUnixNano: String(start + BigInt(Math.floor(Math.random() * 1e9))),
      ...shapes[i % shapes.length]?.(),
    };
  });
  const resource = {
    attributes: [text('service.name', 'refund-agent'), text('service.version', '2026.11.1'), text('deployment.environment.name', 'production'), text('host.name', 'node-7'), text('telemetry.sdk.language', 'nodejs'), text('telemetry.sdk.name', 'opentelemetry')],
  };
  const body = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'gen_ai', version: '1.2.0' }, spans }] }] };
  return jsonToProtobuf(Buffer.from(JSON.stringify(body))).bytes;
}

const cpuNanos = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};

const requests = Array.from({ length: rowsABlock / spansARequest }, request);
const bytes = requests.reduce((sum, { length }) => sum + length, 0);
const index = new SpanIndex(compileKeys(keyTableSpec));
const view = new SpanView(index);
const rows = new SpanRows({ streamId: 'bench', partition: 0, typed: typedColumns });
console.log(`${(bytes / rowsABlock).toFixed(0)} bytes a span, ${spansARequest} spans a request, ${rowsABlock} rows a block`);

const blocks = Math.ceil(Number(process.argv[2] ?? 512_000) / rowsABlock);
for (let block = 0; block <= blocks; block++) {
  let [indexing, writing, blockBytes] = [0, 0, 0];
  rows.reset();
  requests.forEach((body, offset) => {
    const began = cpuNanos();
    index.read(body);
    const indexed = cpuNanos();
    for (let i = 0; i < index.count; i++) rows.append(view.at(i), { offset, index: i, recordTimeMs });
    indexing += indexed - began;
    writing += cpuNanos() - indexed;
  });
  const before = cpuNanos();
  for (const chunk of rows.finish()) blockBytes += chunk.length;
  const finishing = cpuNanos() - before;
  const perSpan = (nanos: number): string => (nanos / rowsABlock).toFixed(0).padStart(5);
  const total = perSpan(indexing + writing + finishing);
  console.log(`index ${perSpan(indexing)}  rows ${perSpan(writing)}  finish ${perSpan(finishing)}  sum ${total} ns a span, ${(blockBytes / rowsABlock).toFixed(0)} bytes a row`);
}
