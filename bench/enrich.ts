// What enrichment costs: CPU per span from a request to records for twelve partitions (index, enrich, append, split),
// with policies in use and without, beside decoding and encoding the same requests with protobufjs. `node bench/enrich.ts [drop|keep|hash]`.
import { readFileSync } from 'node:fs';
import { BytePool } from '../src/core/byte-pool.ts';
import { canonicalKeys } from '../src/enrich/canonical-keys.ts';
import { Enricher, limitRecordBytes } from '../src/enrich/enricher.ts';
import type { ContentMode } from '../src/enrich/content-rules.ts';
import { partitioners } from '../src/otlp/partition.ts';
import { Rewrite } from '../src/otlp/rewrite.ts';
import { SpanIndex } from '../src/otlp/span-index.ts';
import { requestType } from '../test/otlp/oracle.ts';
import { Coverage } from '../src/policy/coverage.ts';
import { readPolicy, type PolicyFile } from '../src/policy/read-policy.ts';
import { SampleRequests } from './sample-requests.ts';

const spans = 512;
const partitions = 12;
const rounds = 15;
const modes: Readonly<Record<string, ContentMode>> = {
  drop: { mode: 'drop' },
  keep: { mode: 'keep' },
  hash: { mode: 'hash', key: Buffer.from('a key of the bench') },
};
const mode = process.argv[2] ?? 'drop';
const content = modes[mode];
if (!content) throw new Error(`no mode ${mode}: use ${Object.keys(modes).join(', ')}`);

const samples = new SampleRequests({ spans });
const requests = Array.from({ length: 32 }, () => samples.next());
const bytesASpan = requests.reduce((sum, { length }) => sum + length, 0) / (requests.length * spans);
const index = new SpanIndex(canonicalKeys);
const enricher = new Enricher({ content });
const covered = new Coverage([coveringPolicy()]);
const stamping = new Enricher({
  content,
  policyRevision: (agent, environment) => covered.revision(agent, environment),
});
const memory = new BytePool(32 << 20);
const rewrite = new Rewrite((bytes) => memory.take(bytes), partitioners.murmur2);
let enrichedBytes = 0;

const stages: readonly {
  readonly name: string;
  readonly repeats: number;
  readonly work: (request: Uint8Array) => void;
}[] = [
  { name: 'index', repeats: 2, work: (request) => index.read(request) },
  {
    name: 'write',
    repeats: 2,
    work: (request) => {
      index.read(request);
      rewrite.begin(index, limitRecordBytes);
      for (let row = 0; row < index.count; row++) rewrite.endSpan();
      for (const { payload } of rewrite.finish(partitions, limitRecordBytes)) memory.give(payload);
    },
  },
  {
    name: 'enrich',
    repeats: 2,
    work: (request) => {
      const { records } = enricher.enrich(request, partitions);
      for (const { payload } of records) enrichedBytes += payload.length;
      enricher.release(records);
    },
  },
  {
    name: 'enrich with policies',
    repeats: 2,
    work: (request) => stamping.release(stamping.enrich(request, partitions).records),
  },
  {
    name: 'protobufjs',
    repeats: 1,
    work: (request) => void requestType.encode(requestType.decode(request)).finish(),
  },
];
const nanos = stages.map((): number[] => []);
for (let round = 0; round <= rounds; round++) {
  for (const [stage, { repeats, work }] of stages.entries()) {
    const began = process.cpuUsage();
    for (let repeat = 0; repeat < repeats; repeat++) for (const request of requests) work(request);
    const { user, system } = process.cpuUsage(began);
    // The first round is the compiler's.
    if (round > 0) nanos[stage]?.push(((user + system) * 1000) / (repeats * requests.length * spans));
  }
}

const median = (values: readonly number[] = []): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const [indexNanos = 0, writeNanos = 0, enrichNanos = 0, policyNanos = 0, oracleNanos = 0] = nanos.map(median);
const enrichedASpan = enrichedBytes / ((rounds + 1) * 2 * requests.length * spans);
console.log(
  `${bytesASpan.toFixed(0)} bytes a span, ${spans} spans a request, content: ${mode}, ${enrichedASpan.toFixed(0)} bytes a span behind`,
);
console.log(
  `CPU ns a span, median of ${rounds} rounds: index ${indexNanos.toFixed(0)}, index and records as they came ${writeNanos.toFixed(0)}, all of enrichment ${enrichNanos.toFixed(0)} (with the index), protobufjs decode and encode ${oracleNanos.toFixed(0)}`,
);
console.log(`with the revision of a policy on every span, all of enrichment is ${policyNanos.toFixed(0)}`);
const semanticsNanos = indexNanos + enrichNanos - writeNanos;
console.log(
  `indexing, understanding and redacting is ${(semanticsNanos / indexNanos).toFixed(2)} times indexing alone; with the writing of records ${(enrichNanos / indexNanos).toFixed(2)} times`,
);
console.log(`enrichment is ${(oracleNanos / enrichNanos).toFixed(1)} times as fast as protobufjs alone`);

/** The shipped policy, of every agent everywhere. */
function coveringPolicy(): PolicyFile {
  const file = new URL('../config/policies/refund-agent.yaml', import.meta.url);
  const result = readPolicy(file.pathname, readFileSync(file, 'utf8'));
  if (!('read' in result)) throw new Error(`${file.pathname} is no policy`);
  const { policy, ...rest } = result.read;
  return { ...rest, policy: { ...policy, scope: { agents: ['*'], environments: ['*'] } } };
}
