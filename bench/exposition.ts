// What a scrape costs: CPU of writing 20,000 series, counters, gauges and histograms as the KPIs have them, in the
// Prometheus text format and in OpenMetrics with exemplars, and of packing that. `node bench/exposition.ts [series]`.
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { Family, Labels, Sample } from '../src/kpi/family.ts';
import { openMetricsText } from '../src/metrics/open-metrics-text.ts';
import { prometheusText } from '../src/metrics/prometheus-text.ts';
import { median } from './measure.ts';

const series = Number(process.argv[2] ?? 20_000);
const rounds = 25;
const zip = promisify(gzip);
const bounds = ['0.1', '0.5', '1', '2.5', '5', '10', '30', '60', '120', '300', '600', '1800', '3600', '+Inf'];

/** As the KPIs are: a few labels that name the release, one or two that differ within it. */
function labelsOf(n: number, ...more: Labels): Labels {
  return [
    ['agent', `support-agent-${n % 50}`],
    ['release', `2026.11.${n % 500}`],
    ['environment', n % 2 === 0 ? 'production' : 'staging'],
    ...more,
  ];
}

const exemplarOf = (n: number) => ({
  traceId: n.toString(16).padStart(32, '0'),
  value: 1,
  timeMs: 1_795_000_000_000 + n,
});

function familiesOf(count: number): readonly Family[] {
  const each = Math.floor(count / 4);
  const of = (sample: (n: number) => Sample): Sample[] => Array.from({ length: each }, (_, n) => sample(n));
  const histogram = Array.from({ length: Math.floor(each / (bounds.length + 2)) }, (_, n) => [
    ...bounds.map((bound, k): Sample => {
      const labels = labelsOf(n, ['le', bound]);
      return { suffix: '_bucket', labels, value: n * k, exemplar: exemplarOf(n) };
    }),
    { suffix: '_sum' as const, labels: labelsOf(n), value: n / 7 },
    { suffix: '_count' as const, labels: labelsOf(n), value: n },
  ]).flat();
  return [
    {
      name: 'plimsoll_runs_total',
      help: 'Runs.',
      kind: 'counter',
      samples: of((n) => ({
        labels: labelsOf(n, ['outcome', 'completed'], ['evidence', 'none']),
        value: n,
        exemplar: exemplarOf(n),
      })),
    },
    {
      name: 'plimsoll_kpi_run_success_ratio',
      help: 'Share of runs.',
      kind: 'gauge',
      samples: of((n) => ({ labels: labelsOf(n, ['window', '5m']), value: n / 10_007 })),
    },
    {
      name: 'plimsoll_kpi_tool_call_duration_seconds',
      help: 'Duration.',
      kind: 'gauge',
      samples: of((n) => ({
        labels: labelsOf(n, ['tool', 'issue_refund'], ['window', '1h'], ['stat', 'p95']),
        value: n / 13,
      })),
    },
    { name: 'plimsoll_run_duration_seconds', help: 'Duration.', kind: 'histogram', samples: histogram },
  ];
}

const formats = { 'Prometheus text': prometheusText, OpenMetrics: openMetricsText };
const cpuMs = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
};

for (const [name, textOf] of Object.entries(formats)) {
  const writing: number[] = [];
  const packing: number[] = [];
  let [bytes, packedBytes, written] = [0, 0, 0];
  for (let round = -5; round < rounds; round++) {
    const families = familiesOf(series); // anew, as for each scrape
    written = families.reduce((sum, { samples }) => sum + samples.length, 0);
    let began = process.cpuUsage();
    const body = Buffer.from(textOf(families));
    if (round >= 0) writing.push(cpuMs(began));
    began = process.cpuUsage();
    const packed = await zip(body, { level: constants.Z_BEST_SPEED });
    if (round >= 0) packing.push(cpuMs(began));
    [bytes, packedBytes] = [body.length, packed.length];
  }
  console.log(
    `${name}: ${written} series, ${(bytes / 1e6).toFixed(2)} MB, packed ${(packedBytes / 1e6).toFixed(2)} MB; CPU ms, median of ${rounds}: writing ${median(writing).toFixed(1)}, packing ${median(packing).toFixed(1)}`,
  );
}
