/** One way of spans through the Collector, from a receiver of its own to one exporter. */
export interface Route {
  readonly name: string;
  /** The id and the options of the exporter. */
  readonly exporter: readonly [id: string, options: object];
  /** How the Collector chooses the partition of a record; undefined when the route does not lead to Kafka, or has no keys. */
  readonly hasher: 'sarama_compat' | 'murmur2' | undefined;
}

const keys = [undefined, 'sarama_compat', 'murmur2'] as const;
const noQueue = { sending_queue: { enabled: false } };

/** Each encoding with each compression, and each with and without keys of either hash. The header `route` says which. */
export function kafkaRoutes(brokers: readonly string[], topic: string, limitBytes: number): readonly Route[] {
  const encodings = ['otlp_proto', 'otlp_json'].flatMap((encoding) =>
    ['none', 'gzip', 'snappy', 'lz4', 'zstd'].map((compression) => ({ encoding, compression })),
  );
  return encodings.map(({ encoding, compression }, at) => {
    const hasher = keys[at % keys.length];
    const name = [encoding, compression, hasher ?? 'no_key'].join('-');
    const options = {
      brokers,
      traces: { topic, encoding },
      producer: { compression, max_message_bytes: limitBytes, required_acks: -1 },
      record_headers: [{ name: 'route', value: name }],
      ...(hasher && { partition_traces_by_id: true, record_partitioner: { sticky_key: { hasher } } }),
      ...noQueue,
    };
    return { name, exporter: [`kafka/${name}`, options], hasher };
  });
}

/** Each transport, encoding and compression in which the Collector exports and we receive. */
export function otlpRoutes(grpc: string, http: string): readonly Route[] {
  const overGrpc = ['none', 'gzip', 'zstd'].map((compression) => {
    const endpoint = grpc.replace('http://', '');
    return [
      `otlp_grpc/${compression}`,
      { endpoint, compression, tls: { insecure: true }, ...noQueue },
    ] as const;
  });
  const overHttp = ['proto', 'json'].flatMap((encoding) =>
    ['none', 'gzip', 'zstd'].map(
      (compression) =>
        [
          `otlp_http/${encoding}_${compression}`,
          { endpoint: http, encoding, compression, ...noQueue },
        ] as const,
    ),
  );
  return [...overGrpc, ...overHttp].map((exporter) => ({ name: exporter[0], exporter, hasher: undefined }));
}

/** The configuration of a Collector with `routes`, whose receivers listen on `ports`, and which takes what is in `more` too. */
export function collectorConfig(
  routes: readonly Route[],
  ports: readonly number[],
  more: CollectorParts,
): object {
  const http = (at: number) => ({ protocols: { http: { endpoint: `127.0.0.1:${ports[at]}` } } });
  const own: CollectorParts = {
    receivers: Object.fromEntries(routes.map(({ name }, at) => [`otlp/${name.replace('/', '_')}`, http(at)])),
    exporters: Object.fromEntries(routes.map(({ exporter }) => exporter)),
    pipelines: Object.fromEntries(
      routes.map(({ name, exporter: [id] }) => [
        `traces/${name.replace('/', '_')}`,
        { receivers: [`otlp/${name.replace('/', '_')}`], exporters: [id] },
      ]),
    ),
  };
  return {
    receivers: { ...own.receivers, ...more.receivers },
    exporters: { ...own.exporters, ...more.exporters },
    service: {
      telemetry: { metrics: { level: 'none' }, logs: { level: 'info' } },
      pipelines: { ...own.pipelines, ...more.pipelines },
    },
  };
}

/** Parts of a Collector's configuration, by id. */
export interface CollectorParts {
  readonly receivers: Readonly<Record<string, object>>;
  readonly exporters: Readonly<Record<string, object>>;
  readonly pipelines: Readonly<Record<string, object>>;
}
