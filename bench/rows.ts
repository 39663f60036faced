// What a row costs: CPU per span from the bytes of a record, enriched with content dropped as the stream holds it by
// default, to a Native block, in three steps (index, rows, finish).
// `node bench/rows.ts [spans]`.
import { canonicalKeys } from '../src/enrich/canonical-keys.ts';
import { Enricher } from '../src/enrich/enricher.ts';
import { SpanIndex } from '../src/otlp/span-index.ts';
import { SpanRows } from '../src/otlp/span-rows.ts';
import { SpanView } from '../src/otlp/span-view.ts';
import { typedColumns } from '../src/store/trace-columns.ts';
import { SampleRequests } from './sample-requests.ts';

const spans = 512;
const rowsABlock = 51_200;
const recordTimeMs = 1_760_000_000_000;

const cpuNanos = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

const samples = new SampleRequests({ spans });
const enricher = new Enricher({ content: { mode: 'drop' } });
const requests = Array.from({ length: rowsABlock / spans }, () => {
  const [record] = enricher.enrich(samples.next(recordTimeMs), 1).records;
  if (!record) throw new Error('a sample request made no record');
  return record.payload;
});
const bytesASpan = requests.reduce((sum, { length }) => sum + length, 0) / rowsABlock;
const index = new SpanIndex(canonicalKeys);
const view = new SpanView(index);
const rows = new SpanRows({ streamId: 'bench', partition: 0, typed: typedColumns });
const steps = { index: [] as number[], rows: [] as number[], finish: [] as number[] };
let bytesARow = 0;

const blocks = Math.ceil(Number(process.argv[2] ?? 512_000) / rowsABlock);
for (let block = 0; block <= blocks; block++) {
  let [indexing, writing] = [0, 0];
  rows.reset();
  for (const [offset, request] of requests.entries()) {
    const began = cpuNanos();
    index.read(request);
    const indexed = cpuNanos();
    for (let i = 0; i < index.count; i++) rows.append(view.at(i), { offset, index: i, recordTimeMs });
    indexing += indexed - began;
    writing += cpuNanos() - indexed;
  }
  const before = cpuNanos();
  bytesARow = rows.finish().reduce((sum, { length }) => sum + length, 0) / rowsABlock;
  const finishing = cpuNanos() - before;
  if (block === 0) continue; // the compiler's
  steps.index.push(indexing / rowsABlock);
  steps.rows.push(writing / rowsABlock);
  steps.finish.push(finishing / rowsABlock);
}

const [indexNanos, rowNanos, finishNanos] = [median(steps.index), median(steps.rows), median(steps.finish)];
const sum = indexNanos + rowNanos + finishNanos;
console.log(
  `records enriched with content dropped: ${bytesASpan.toFixed(0)} bytes a span, ${spans} spans a record, blocks of ${rowsABlock} rows, ${bytesARow.toFixed(0)} bytes a row`,
);
console.log(
  `CPU ns a span, median of ${blocks} blocks: index ${indexNanos.toFixed(0)}, rows ${rowNanos.toFixed(0)}, finish ${finishNanos.toFixed(0)}`,
);
console.log(
  `together ${sum.toFixed(0)} ns a span, ${(1000 / sum).toFixed(2)} M spans per CPU-second (least: ${(Math.min(...steps.index) + Math.min(...steps.rows)).toFixed(0)} ns)`,
);
