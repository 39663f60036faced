import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../../src/core/log.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import type { Family } from '../../src/kpi/family.ts';
import { Exposition } from '../../src/metrics/exposition.ts';
import { Prometheus } from '../prometheus.ts';
import { requires } from '../requires.ts';
import { until } from '../until.ts';

const missing = requires('prometheus', { version: '--version' });

const traceId = '0af7651916cd43dd8448eb211c80319c';
const exemplar = { traceId, value: 0.25, timeMs: Date.now() };

const families: readonly Family[] = [
  {
    name: 'plimsoll_cost_usd_total',
    help: 'Cost.',
    kind: 'counter',
    samples: [{ labels: [['agent', 'a "quoted" \\ name']], value: 1.25, exemplar }],
  },
  {
    name: 'plimsoll_run_duration_seconds',
    help: 'Time.',
    kind: 'histogram',
    samples: [
      { suffix: '_bucket', labels: [['le', '1']], value: 3, exemplar },
      { suffix: '_bucket', labels: [['le', '+Inf']], value: 4 },
      { suffix: '_sum', labels: [], value: 9.5 },
      { suffix: '_count', labels: [], value: 4 },
    ],
  },
];

interface Vector {
  readonly result: readonly {
    readonly metric: Readonly<Record<string, string>>;
    readonly value: [number, string];
  }[];
}

interface Exemplars {
  readonly seriesLabels: Readonly<Record<string, string>>;
  readonly exemplars: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: string;
    readonly timestamp: number;
  }[];
}

describe.skipIf(missing)('Prometheus', () => {
  let exposition: Exposition;
  let prometheus: Prometheus;

  beforeAll(async () => {
    exposition = new Exposition(
      { host: '127.0.0.1', port: 0, configPath: 'service::telemetry::metrics::endpoint' },
      { telemetry: new Telemetry(), kpis: () => families, log: createLog('silent') },
    );
    await exposition.start();
    prometheus = await Prometheus.start(
      JSON.stringify({
        global: { scrape_interval: '200ms' },
        scrape_configs: [
          {
            job_name: 'plimsoll',
            honor_labels: true,
            static_configs: [{ targets: [`127.0.0.1:${exposition.port}`] }],
          },
        ],
      }),
      '--enable-feature=exemplar-storage',
    );
  });
  afterAll(async () => {
    await prometheus.stop();
    await exposition.stop(AbortSignal.timeout(1000));
  });

  const valueOf = async (query: string): Promise<string | undefined> =>
    (await prometheus.get<Vector>('query', { query })).result[0]?.value[1];

  test('scrapes OpenMetrics, and keeps every series and what it is', async () => {
    await until('it has scraped', async () => (await valueOf('up{job="plimsoll"}')) === '1');
    expect(await valueOf(String.raw`plimsoll_cost_usd_total{agent="a \"quoted\" \\ name"}`)).toBe('1.25');
    expect(await valueOf('plimsoll_run_duration_seconds_bucket{le="1.0"}')).toBe('3');
    expect(await valueOf('plimsoll_run_duration_seconds_count')).toBe('4');
    expect(await valueOf('count({__name__=~"plimsoll_.*"})')).toBe(
      await valueOf('scrape_samples_scraped{job="plimsoll"}'),
    );
    const metadata =
      await prometheus.get<Record<string, readonly { type: string; unit: string }[]>>('metadata');
    expect(metadata['plimsoll_run_duration_seconds']).toMatchObject([{ type: 'histogram', unit: 'seconds' }]);
    expect(metadata['plimsoll_process_resident_memory_bytes']).toMatchObject([
      { type: 'gauge', unit: 'bytes' },
    ]);
  });

  test.each(['plimsoll_cost_usd_total', 'plimsoll_run_duration_seconds_bucket'])(
    'finds the trace behind %s by its exemplar',
    async (query) => {
      const found = await until('an exemplar', async () => {
        const params = {
          query,
          start: String(Date.now() / 1000 - 3600),
          end: String(Date.now() / 1000 + 3600),
        };
        const [series] = await prometheus.get<readonly Exemplars[]>('query_exemplars', params);
        return series;
      });
      expect(found.exemplars[0]).toMatchObject({ labels: { trace_id: traceId }, value: '0.25' });
      expect(found.exemplars[0]?.timestamp).toBeCloseTo(exemplar.timeMs / 1000, 3);
    },
  );
});
