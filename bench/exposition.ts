// What a scrape costs: CPU of computing about 20,000 series of KPIs, of writing them in the Prometheus text format and in
// OpenMetrics with exemplars, and of packing that. `node bench/exposition.ts [releases]`.
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { openMetricsText } from '../src/metrics/open-metrics-text.ts';
import { prometheusText } from '../src/metrics/prometheus-text.ts';
import { call, kpisOf, run } from '../test/kpi/events.ts';
import { median } from './measure.ts';

const releases = Number(process.argv[2] ?? 56);
const rounds = 25;
const zip = promisify(gzip);
const nowMs = Date.UTC(2026, 10, 23, 12);
const tools = ['search_orders', 'get_customer', 'issue_refund', 'send_email'];

const kpis = kpisOf(1, { maxSeries: 10_000_000 });
for (let n = 0; n < releases * 40; n++) {
  const labels = { agent: `support-agent-${n % 8}`, release: `2026.11.${n % releases}` };
  const traceId = n.toString(16).padStart(32, '0');
  const endMs = nowMs - ((n * 7919) % 300_000);
  const costUsd = { llm: n / 1e6, tool: 0, review: 0 };
  kpis.finished(run(endMs, { ...labels, traceId, costUsd, scores: new Map([['relevance', 0.8]]) }));
  for (const tool of tools) kpis.toolCall(call(endMs, { ...labels, traceId, tool, durationMs: n % 5000 }));
}
kpis.watermark.advance(0, nowMs, nowMs, nowMs);
kpis.sweep(nowMs);
kpis.publish(kpis.save([], nowMs));

const formats = { 'Prometheus text': prometheusText, OpenMetrics: openMetricsText };

for (const [name, textOf] of Object.entries(formats)) {
  const stages = { computing: [] as number[], writing: [] as number[], packing: [] as number[] };
  let [series, exemplars, bytes, packedBytes] = [0, 0, 0, 0];
  for (let round = -5; round < rounds; round++) {
    const began = cpuMs();
    const families = kpis.families(nowMs, true);
    const computed = cpuMs();
    const body = Buffer.from(textOf(families));
    const written = cpuMs();
    const packed = await zip(body, { level: constants.Z_BEST_SPEED });
    const done = cpuMs();
    const samples = families.flatMap((family) => family.samples);
    [series, bytes, packedBytes] = [samples.length, body.length, packed.length];
    exemplars = samples.filter(({ exemplar }) => exemplar !== undefined).length;
    if (round < 0) continue; // the compiler's
    stages.computing.push(computed - began);
    stages.writing.push(written - computed);
    stages.packing.push(done - written);
  }
  const spent = Object.entries(stages).map(([stage, all]) => `${stage} ${median(all).toFixed(1)}`);
  console.log(
    `${name}: ${series} series, ${exemplars} with an exemplar, ${(bytes / 1e6).toFixed(2)} MB, packed ${(packedBytes / 1e6).toFixed(2)} MB; CPU ms, median of ${rounds}: ${spent.join(', ')}`,
  );
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
