import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { freePorts } from '../free-ports.ts';
import { Prometheus } from '../prometheus.ts';
import { requires } from '../requires.ts';
import { until } from '../until.ts';

const missing = requires('prometheus', { version: '--version' });
const read = (name: string): string => readFileSync(new URL(`../../deploy/${name}`, import.meta.url), 'utf8');
const relabelled = (name: string): unknown => parse(read(name)).scrape_configs[0].metric_relabel_configs;

interface Vector {
  readonly result: readonly { readonly value: readonly [number, string] }[];
}

test('both configurations of Prometheus, and the chart, make one series of the counters of processes that take turns', () => {
  expect(relabelled('prometheus.yaml')).toEqual(relabelled('compose/prometheus.yaml'));
  const chart = read('helm/plimsoll/templates/prometheus-operator.yaml');
  for (const label of ['instance', 'pod'])
    expect(chart).toContain(`- { sourceLabels: [agent], regex: .+, targetLabel: ${label}, replacement: '' }`);
});

describe.skipIf(missing)('of two processes that take turns, A, B and A again', () => {
  let prometheus: Prometheus;
  let targets: readonly string[] = [];
  /** What each exports of the one counter; undefined while it stands by. */
  const counted: (number | undefined)[] = [0, undefined];
  const servers = counted.map((_, i) =>
    createServer((_request, response) => {
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      const runs = counted[i] === undefined ? '' : `plimsoll_runs_total{agent="a"} ${counted[i]}\n`;
      response.end(`plimsoll_kpi_active ${counted[i] === undefined ? 0 : 1}\n${runs}`);
    }),
  );
  const ask = async (query: string): Promise<readonly string[]> =>
    (await prometheus.get<Vector>('query', { query })).result.map(({ value }) => value[1]);
  const scraped = async (value: number): Promise<boolean> =>
    until(`${value} is scraped twice`, async () => {
      const [times] = await ask(`count_over_time((plimsoll_runs_total == ${value})[1m:200ms])`);
      return Number(times) > 4;
    });

  beforeAll(async () => {
    const ports = await freePorts(2);
    await Promise.all(
      servers.map(async (server, i) => {
        server.listen(ports[i], '127.0.0.1');
        await once(server, 'listening');
      }),
    );
    targets = ports.map((port) => `127.0.0.1:${port}`);
    const scrape = {
      job_name: 'plimsoll',
      honor_labels: true,
      static_configs: [{ targets }],
      metric_relabel_configs: relabelled('prometheus.yaml'),
    };
    prometheus = await Prometheus.start(
      JSON.stringify({ global: { scrape_interval: '200ms' }, scrape_configs: [scrape] }),
    );
  });
  afterAll(async () => {
    await prometheus.stop();
    for (const server of servers) server.close();
  });

  test('what either counts is counted once', async () => {
    const [a, b] = [0, 1];
    await scraped(0);
    counted[a] = 100;
    await scraped(100);
    counted[a] = undefined;
    counted[b] = 100;
    await until(
      'B is scraped',
      async () => (await ask(`plimsoll_kpi_active{instance="${targets[b]}"} == 1`)).length === 1,
    );
    counted[b] = 150;
    await scraped(150);
    counted[b] = undefined;
    counted[a] = 200;
    await scraped(200);
    const [growth] = await ask('sum(increase(plimsoll_runs_total[5m]))'); // extrapolated by up to a scrape
    expect(Math.abs(Number(growth) - 200)).toBeLessThan(25);
    expect(await ask('count(max_over_time(plimsoll_runs_total[5m]))')).toEqual(['1']);
    expect(await ask('sum(resets(plimsoll_runs_total[5m]))')).toEqual(['0']);
    expect(await ask('count(last_over_time(plimsoll_kpi_active[5m]))')).toEqual(['2']);
  });
});
