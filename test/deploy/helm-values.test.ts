import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { chart, helm, manifestsOf, rendered, type Manifest } from './chart.ts';
import { validatorPrograms } from './validators.ts';

const roles = ['ingest', 'store', 'assess'];
const folder = mkdtempSync(join(tmpdir(), 'plimsoll-helm-values-'));
afterAll(() => rmSync(folder, { recursive: true }));

let programs: string;
beforeAll(async () => {
  programs = await validatorPrograms();
}, 900_000);

/** The objects that come of `values`. */
function objectsOf(values: unknown = {}): readonly Manifest[] {
  const file = join(folder, 'values.yaml');
  writeFileSync(file, stringify(values));
  return manifestsOf(rendered(programs, '--values', file));
}

/** The object of a kind and of what its name says after that of the release; '' where that is all. */
function found<Shape extends z.ZodType>(
  all: readonly Manifest[],
  kind: string,
  name: string,
  shape: Shape,
): z.infer<Shape> {
  return shape.parse(
    all.find(
      (each) =>
        each.kind === kind &&
        each.metadata.name === ['agents', 'plimsoll', ...(name === '' ? [] : [name])].join('-'),
    ),
  );
}

const configMap = z.object({ data: z.object({ 'config.yaml': z.string() }) });
const configOf = (all: readonly Manifest[], role: string): unknown =>
  parse(found(all, 'ConfigMap', role, configMap).data['config.yaml']);

const named = z.looseObject({ name: z.string() });
const deployment = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.tuple([z.object({ env: z.array(named), volumeMounts: z.array(named) })]),
        volumes: z.array(named),
      }),
    }),
  }),
});
const podOf = (all: readonly Manifest[], role: string) => {
  const { containers, volumes } = found(all, 'Deployment', role, deployment).spec.template.spec;
  return { ...containers[0], volumes };
};

test('a role is given files of its own, such as the authority of a Kafka out of a Secret', () => {
  const volume = { name: 'kafka-ca', secret: { secretName: 'kafka-cluster-ca-cert' } };
  const volumeMount = { name: 'kafka-ca', mountPath: '/etc/plimsoll/kafka', readOnly: true };
  const all = objectsOf({ store: { volumes: [volume], volumeMounts: [volumeMount] } });
  expect(podOf(all, 'store').volumes).toContainEqual(volume);
  expect(podOf(all, 'store').volumeMounts).toContainEqual(volumeMount);
  for (const role of ['ingest', 'assess']) {
    const { volumes, volumeMounts } = podOf(all, role);
    expect([...volumes, ...volumeMounts].map(({ name }) => name)).not.toContain('kafka-ca');
  }
});

const service = z.object({
  spec: z.object({ type: z.string(), ports: z.array(z.object({ name: z.string(), port: z.number() })) }),
});
const labelled = z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()) }) });
const monitor = z.object({
  spec: z.object({ selector: z.object({ matchLabels: z.record(z.string(), z.string()) }) }),
});

test('who opens a role to the outside does not open its metrics, which a Service of their own has', () => {
  const outside = { service: { type: 'LoadBalancer' } };
  const all = objectsOf({ ingest: outside, assess: outside, serviceMonitor: { enabled: true } });
  for (const [role, names] of [
    ['ingest', ['otlp-grpc', 'otlp-http']],
    ['assess', ['api']],
  ] as const) {
    const { spec } = found(all, 'Service', role, service);
    expect({ type: spec.type, names: spec.ports.map(({ name }) => name) }).toEqual({
      type: 'LoadBalancer',
      names,
    });
  }
  for (const role of roles)
    expect(found(all, 'Service', `${role}-metrics`, service).spec).toEqual({
      type: 'ClusterIP',
      ports: [{ name: 'metrics', port: 9464 }],
    });
  const wanted = Object.entries(found(all, 'ServiceMonitor', '', monitor).spec.selector.matchLabels);
  const scraped = all.filter((each) => {
    const { labels } = labelled.parse(each).metadata;
    return each.kind === 'Service' && wanted.every(([key, value]) => labels[key] === value);
  });
  expect(scraped.map(({ metadata }) => metadata.name)).toEqual(
    roles.map((role) => `agents-plimsoll-${role}-metrics`),
  );
});

test('what one role is told of Kafka or ClickHouse is told to no other, and what all are told to all', () => {
  const all = objectsOf({
    kafka: { config: { tls: {}, linger: '20ms' } },
    clickhouse: { config: { compression: 'gzip' } },
    ingest: { config: { connectors: { kafka: { linger: '5ms', compression: 'lz4' } } } },
    store: { config: { exporters: { clickhouse: { compression: 'none' } } } },
  });
  expect(configOf(all, 'ingest')).toMatchObject({
    connectors: { kafka: { tls: {}, linger: '5ms', compression: 'lz4' } },
  });
  expect(configOf(all, 'store')).toEqual({
    connectors: { kafka: { tls: {}, linger: '20ms' } },
    exporters: { clickhouse: { compression: 'none' } },
  });
  expect(configOf(all, 'assess')).toMatchObject({ connectors: { kafka: { tls: {}, linger: '20ms' } } });
  expect(configOf(all, 'assess')).not.toHaveProperty('connectors.kafka.compression');
});

test.each([
  {
    how: 'a password',
    sasl: { mechanism: 'PLAIN', username: 'a', password: '${env:KAFKA_PASSWORD}' },
    asked: 1,
  },
  { how: 'a token', sasl: { mechanism: 'OAUTHBEARER', token_file: '/var/run/token' }, asked: 0 },
  { how: 'nothing', sasl: null, asked: 0 },
])('the password of Kafka is asked for where it is shown $how: $asked times', ({ sasl, asked }) => {
  const all = objectsOf({ kafka: { config: { sasl } } });
  for (const role of roles) {
    const names = podOf(all, role).env.map(({ name }) => name);
    expect(names.filter((name) => name === 'KAFKA_PASSWORD')).toHaveLength(asked);
  }
});

const endpoints = z.object({ spec: z.object({ endpoints: z.array(z.object({ interval: z.string() })) }) });

test('the interval of the scraper is what assess takes it for', () => {
  const all = objectsOf({ serviceMonitor: { enabled: true, interval: '30s' } });
  expect(found(all, 'ServiceMonitor', '', endpoints).spec.endpoints).toEqual([{ interval: '30s' }]);
  expect(configOf(all, 'assess')).toMatchObject({ exporters: { kpi: { scrape_interval: '30s' } } });
  const own = { exporters: { kpi: { max_series: 100 } } };
  expect(configOf(objectsOf({ assess: { config: own } }), 'assess')).toEqual({
    exporters: { kpi: { max_series: 100, scrape_interval: '15s' } },
  });
});

test('an interval that only Prometheus can read is refused', () => {
  const words = ['--kube-version', '1.34.0', '--set', 'serviceMonitor.interval=1m30s'];
  const { status, stderr } = helm(programs, 'template', 'agents', chart, ...words);
  expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('interval') });
});

const egress = z.object({
  spec: z.object({
    egress: z.tuple([z.object({ ports: z.array(z.object({ protocol: z.string(), port: z.number() })) })]),
  }),
});

test.each([
  { url: 'http://clickhouse:8123', port: 8123 },
  { url: 'https://clickhouse.example.com', port: 443 },
  { url: 'http://clickhouse/', port: 80 },
  { url: 'https://[fd00::1]:8443/', port: 8443 },
])('roles may reach the ports that brokers and $url name, and those that are added', ({ url, port }) => {
  const all = objectsOf({
    kafka: { brokers: 'a:9094,b:9094,c:19094' },
    clickhouse: { url },
    networkPolicy: { kafkaPorts: [9095] },
  });
  const reached = (role: string) =>
    found(all, 'NetworkPolicy', role, egress)
      .spec.egress[0].ports.filter(({ protocol }) => protocol === 'TCP')
      .map((each) => each.port);
  expect(reached('ingest')).toEqual([53, 9094, 19094, 9095]);
  expect(reached('store')).toEqual([53, 9094, 19094, 9095, port]);
  expect(reached('assess')).toEqual([53, 9094, 19094, 9095]);
});
