// What the wire costs: CPU per span of indexing a request, and of indexing it, appending attributes and writing it
// anew, beside protobufjs on the same requests. Alternatives take turns in one process. `node bench/otlp.ts [rounds]`.
import { BytePool } from '../src/core/byte-pool.ts';
import { AttributeKey } from '../src/otlp/attributes.ts';
import { compileKeys } from '../src/otlp/key-table.ts';
import { Rewrite } from '../src/otlp/rewrite.ts';
import { SpanIndex } from '../src/otlp/span-index.ts';
import { SpanView } from '../src/otlp/span-view.ts';
import { fields } from '../src/semconv/fields.ts';
import { keyTableSpec } from '../src/semconv/tables.ts';
import { requestType } from '../test/otlp/oracle.ts';
import { median } from './measure.ts';
import { SampleRequests } from './sample-requests.ts';

/** One measured alternative. */
export interface Row {
  readonly name: string;
  /** CPU nanoseconds a span, median of the rounds. */
  readonly nanosPerSpan: number;
  /** How many times as fast as `than`; undefined for the alternatives others are compared with. */
  readonly ratio: number | undefined;
  readonly than: string | undefined;
}

const spans = 512;
const partitions = 12;
const bareKeys = { fieldCount: 0, sources: [], content: [], ownPrefix: 'plimsoll.', ownKeys: [] };

const index = new SpanIndex(compileKeys(keyTableSpec));
const bareIndex = new SpanIndex(compileKeys(bareKeys));
const view = new SpanView(index);
/** Requests give their memory back, as in the program. */
const memory = new BytePool(32 << 20);
const rewrite = new Rewrite((bytes) => memory.take(bytes));
const stepKey = new AttributeKey('plimsoll.step');
const resultKey = new AttributeKey('plimsoll.result');
const costKey = new AttributeKey('plimsoll.cost.usd');
const costSourceKey = new AttributeKey('plimsoll.cost.source');
const sizeKey = new AttributeKey('plimsoll.content.size');

/** Stands for enrichment, with as many reads and appends; `bench/enrich.ts` measures the real one. */
function append(row: number): void {
  const { attributes } = rewrite;
  view.at(row);
  const isTool = view.string(fields.tool) !== undefined;
  attributes.append(stepKey.term(isTool ? 'tool' : 'llm'));
  attributes.append(resultKey.term(view.statusCode === 2 ? 'error' : 'ok'));
  const tokens = (view.number(fields.inputTokens) ?? 0) + (view.number(fields.outputTokens) ?? 0);
  if (tokens > 0) {
    attributes.double(costKey, tokens * 3e-6);
    attributes.append(costSourceKey.term('computed'));
  }
  attributes.int(sizeKey, tokens);
}

function write(request: Uint8Array, into: number, dropsMarks: boolean): void {
  index.read(request);
  rewrite.begin(index);
  const { marksFrom } = index.spans;
  for (let row = 0; row < index.count; row++) {
    append(row);
    if (dropsMarks) for (let mark = marksFrom[row]!; mark < marksFrom[row + 1]!; mark++) rewrite.drop(mark);
    rewrite.endSpan();
  }
  for (const { payload } of rewrite.finish(into)) memory.give(payload);
}

const decode = 'protobufjs decode';
const decodeEncode = 'protobufjs decode and encode';
const alternatives: readonly {
  readonly name: string;
  readonly than?: string;
  readonly work: (request: Uint8Array) => void;
}[] = [
  { name: decode, work: (request) => void requestType.decode(request) },
  { name: 'index without keys', than: decode, work: (request) => bareIndex.read(request) },
  { name: 'index', than: decode, work: (request) => index.read(request) },
  { name: decodeEncode, work: (request) => void requestType.encode(requestType.decode(request)).finish() },
  { name: 'index, append, write', than: decodeEncode, work: (request) => write(request, 1, false) },
  {
    name: `index, append, write for ${partitions} partitions`,
    than: decodeEncode,
    work: (request) => write(request, partitions, false),
  },
  {
    name: `index, append, drop content, write for ${partitions}`,
    than: decodeEncode,
    work: (request) => write(request, partitions, true),
  },
];

/** Measures all alternatives in turn, `rounds` times behind one round for the compiler. */
export async function run(rounds = 9): Promise<Row[]> {
  const samples = new SampleRequests({ spans });
  const requests = Array.from({ length: 32 }, () => samples.next());
  const nanos = alternatives.map((): number[] => []);
  for (let round = -2; round < rounds; round++) {
    alternatives.forEach(({ work }, which) => {
      const began = process.cpuUsage();
      for (const request of requests) work(request);
      const { user, system } = process.cpuUsage(began);
      if (round >= 0) nanos[which]!.push(((user + system) * 1000) / (requests.length * spans));
    });
    await Promise.resolve();
  }
  const medians = new Map(alternatives.map(({ name }, which) => [name, median(nanos[which]!)]));
  return alternatives.map(({ name, than }) => {
    const nanosPerSpan = medians.get(name)!;
    return {
      name,
      nanosPerSpan,
      than,
      ratio: than === undefined ? undefined : medians.get(than)! / nanosPerSpan,
    };
  });
}

if (import.meta.main) {
  for (const { name, nanosPerSpan, ratio, than } of await run(Number(process.argv[2] ?? 9))) {
    const compared = ratio === undefined ? '' : `  ${ratio.toFixed(1)} times as fast as ${than}`;
    console.log(`${name.padEnd(48)} ${nanosPerSpan.toFixed(0).padStart(6)} ns a span${compared}`);
  }
}
