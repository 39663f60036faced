import { z } from 'zod';
import { prices } from './config-prices.ts';
import { duration, size } from './config-quantities.ts';
import { rollbackExtension } from './config-rollback.ts';
import { unknownKeys } from './core/issue-sentence.ts';
import { logLevels } from './core/log.ts';
import { Secret } from './core/secret.ts';
import { canBeShown } from './core/tokens.ts';
import { escalationReasons } from './semconv/vocabulary.ts';

const count = (min: number, max: number) =>
  z
    .union([z.string().regex(/^\d+$/), z.number()])
    .transform(Number)
    .pipe(z.number().int().min(min).max(max));

const endpoint = z.string().transform((text, context) => {
  const [, host, port] =
    /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text)?.filter((part) => part !== undefined) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    context.addIssue(`must be host:port such as 127.0.0.1:4317, not ${JSON.stringify(text)}`);
    return z.NEVER;
  }
  return { host: host === '' ? '0.0.0.0' : host, port: Number(port) };
});

const asSecret = (text: string): Secret => new Secret(text);

function secretText(leastCharacters: number) {
  return z.string().min(leastCharacters, `must have ${leastCharacters} characters or more`);
}

const secret = secretText(1).transform(asSecret);
const token = secretText(1)
  .refine(canBeShown, 'has spaces or line breaks, so no request can show it: remove them')
  .transform(asSecret);

const tls = z.strictObject({
  cert_file: z.string(),
  key_file: z.string(),
  client_ca_file: z.string().optional(),
});

const clientTls = z.strictObject({
  ca_file: z.string().optional(),
  cert_file: z.string().optional(),
  key_file: z.string().optional(),
});

const listener = (address: string) => ({
  endpoint: endpoint.prefault(address),
  tls: tls.optional(),
});

const otlpReceiver = z.strictObject({
  protocols: z
    .strictObject({
      grpc: z
        .strictObject({ ...listener('127.0.0.1:4317'), max_connection_age: duration.optional() })
        .optional(),
      http: z.strictObject(listener('127.0.0.1:4318')).optional(),
    })
    .prefault({ grpc: {}, http: {} }),
  auth: z.strictObject({ bearer_tokens: z.array(token).min(1) }).optional(),
  max_request_size: size.prefault('64MiB'),
  in_flight_limit: size.prefault('256MiB'),
  max_wait: duration.prefault('5s'),
  coalesce_window: duration.prefault('2m'),
});

const evaluator = z
  .strictObject({ min: z.number(), max: z.number() })
  .refine(({ min, max }) => min < max, 'min must be less than max');

const enrichProcessor = z.strictObject({
  content: z.enum(['drop', 'hash', 'keep']).prefault('drop'),
  content_hash_key: secretText(16).transform(asSecret).optional(),
  attributes: z.record(z.string(), z.enum(['drop', 'hash', 'keep'])).prefault({}),
  prices: prices.prefault({}),
  human_tools: z.record(z.string(), z.enum(escalationReasons)).prefault({}),
  evaluators: z.record(z.string(), evaluator).prefault({}),
});

const runsProcessor = z.strictObject({
  idle_timeout: duration.prefault('5m'),
  max_open_runs: count(100, 10_000_000).prefault(100_000),
  guess_escalations: z.boolean().prefault(false),
});

const embeddedConnector = z.strictObject({
  partitions: count(1, 256).prefault(1),
  retention: z
    .strictObject({
      age: duration.prefault('24h'),
      size: size.prefault('8GiB'),
    })
    .prefault({}),
  min_free_disk: size.prefault('1GiB'),
});

const brokerList = z
  .union([z.string().transform((text) => text.split(',').map((part) => part.trim())), z.array(z.string())])
  .pipe(z.array(z.string().regex(/^[^:\s]+:\d{1,5}$/, 'must be host:port such as 127.0.0.1:9092')).min(1));

const sasl = z.discriminatedUnion('mechanism', [
  z.strictObject({
    mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
    username: z.string().min(1),
    password: secret,
  }),
  z.strictObject({ mechanism: z.literal('OAUTHBEARER'), token_file: z.string() }),
]);

const kafkaConnector = z.strictObject({
  brokers: brokerList,
  topic: z.string().min(1).prefault('otlp_spans'),
  dead_letter_topic: z.string().min(1).prefault('otlp_spans_dlq'),
  runs_topic: z.string().min(1).prefault('agent_runs'),
  state_topic: z.string().min(1).prefault('plimsoll_state'),
  rollback_topic: z.string().min(1).prefault('plimsoll_rollbacks'),
  partitions: count(1, 256).prefault(12),
  partitioner: z.enum(['murmur2', 'fnv1a']).prefault('murmur2'),
  replication: count(1, 9).prefault(3),
  retention: z.strictObject({ age: duration.prefault('3d') }).prefault({}),
  max_record_size: size.prefault('8MiB'),
  linger: duration.prefault('20ms'),
  compression: z.enum(['zstd', 'gzip', 'none']).prefault('zstd'),
  session_timeout: duration.prefault('30s'),
  instance_id: z
    .string()
    .regex(/^[\w.-]{1,249}$/, 'must be 1 to 249 letters, digits, dots, dashes or underscores')
    .optional(),
  groups: z
    .strictObject({
      store: z.string().min(1).prefault('plimsoll-store'),
      assess: z.string().min(1).prefault('plimsoll-assess'),
      replay: z.string().min(1).prefault('plimsoll-replay'),
      runs: z.string().min(1).prefault('plimsoll-runs'),
    })
    .prefault({}),
  sasl: sasl.optional(),
  tls: clientTls.optional(),
});

/** What `${env:NAME:-}` gives where NAME is not set is as if nothing had been said. */
const orNothing = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());

const serverUrl = z.string().transform((text, context) => {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    context.addIssue('must be a URL of http or https such as http://127.0.0.1:8123'); // it may hold a password
    return z.NEVER;
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.pathname !== '/') {
    context.addIssue(
      'must be scheme, host and port alone: username, password and database are options of their own',
    );
    return z.NEVER;
  }
  return url.origin;
});

/** What is said of a server alone. */
const server = {
  username: orNothing(z.string()),
  password: orNothing(secret),
  database: orNothing(z.string()),
  tls: clientTls.optional(),
  compression: z.enum(['zstd', 'gzip', 'none']).optional(),
  cluster: orNothing(z.string()),
  insert_deadline: duration.optional(),
};

const clickhouseExporter = z
  .strictObject({
    url: orNothing(serverUrl),
    ...server,
    flush_interval: duration.prefault('1s'),
    max_block_rows: count(1, 50_000).prefault(50_000),
    max_block_size: size.prefault('32MiB'),
  })
  .superRefine(({ url, ...options }, context) => {
    if (url !== undefined) return;
    for (const [name, value] of Object.entries(options))
      if (value !== undefined && Object.hasOwn(server, name))
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `is for a server: set url, or remove ${name}`,
        });
  })
  .transform(
    ({
      username = 'default',
      database = 'default',
      compression = 'zstd',
      insert_deadline = 300_000,
      ...rest
    }) => ({ ...rest, username, database, compression, insert_deadline }),
  );

const kpiExporter = z.strictObject({
  windows: z.array(duration).min(1).prefault(['5m', '1h', '24h']),
  lateness: duration.prefault('2m'),
  max_series: count(10, 1_000_000).prefault(10_000),
  scrape_interval: duration.prefault('15s'),
});

const sqlExtension = z.strictObject({
  endpoint: endpoint.prefault('127.0.0.1:8123'),
  token: token.optional(),
  allowed_hosts: z.array(z.string()).prefault([]),
  max_memory: size.prefault('1GiB'),
  max_execution_time: duration.prefault('30s'),
  max_result_rows: count(1, 1_000_000_000).prefault(1_000_000),
});

const apiExtension = z.strictObject({
  endpoint: endpoint.prefault('127.0.0.1:8080'),
  token: orNothing(token),
  users: z
    .record(
      z
        .string()
        .regex(/^[\w.@:+-]{1,100}$/, 'must be a name without spaces')
        .regex(
          /^(?!(?:judge|plimsoll|token)$)/,
          'is what the journal calls the judge, the pipeline or the shared token: give the user another name',
        ),
      token,
    )
    .prefault({}),
});

const healthExtension = z.strictObject({ endpoint: endpoint.prefault('127.0.0.1:13133') });

const pipeline = z.strictObject({
  receivers: z.array(z.string()).min(1),
  processors: z.array(z.string()).prefault([]),
  exporters: z.array(z.string()).min(1),
});

/**
 * A mapping from `type` or `type/name` ids to components of the section; `enrich:` alone means all defaults. Each
 * becomes `{ type, ...options }`.
 */
function section<S extends Readonly<Record<string, z.ZodType<object>>>>(kind: string, schemas: S) {
  type Component = { [K in keyof S & string]: { readonly type: K } & z.output<S[K]> }[keyof S & string];
  const known = Object.keys(schemas);
  return z
    .record(z.string(), z.unknown())
    .prefault({})
    .transform((components, context): Readonly<Record<string, Component>> => {
      const parsed = Object.entries(components).map(([id, options]) => {
        const type = id.split('/', 1)[0] ?? id;
        const schema = schemas[type];
        if (!schema || !/^[a-z_]+(\/\S+)?$/.test(id)) {
          context.addIssue({
            code: 'custom',
            path: [id],
            message: `is not a ${kind}; known are ${known.join(', ')}`,
          });
          return [];
        }
        const result = schema.safeParse(options ?? {});
        for (const issue of result.error?.issues ?? []) {
          context.addIssue({
            ...issue,
            code: 'custom',
            path: [id, ...issue.path],
            message: messageOf(issue, schema),
          });
        }
        return result.success ? [[id, { type, ...result.data }]] : [];
      });
      return Object.fromEntries(parsed.flat()) as Readonly<Record<string, Component>>; // oxlint-disable-line typescript/no-unsafe-type-assertion -- the schema of each type was just applied
    });
}

/** An issue that `schema` found, in our words: what is wrong and how to mend it. */
export function messageOf(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  if (issue.code === 'unrecognized_keys') return unknownKeys(issue, schema);
  if (issue.code === 'invalid_type' && issue.input === undefined)
    return 'is missing: set it, or give --config config/plimsoll.yaml before your own file';
  if (issue.code === 'too_small' && issue.origin === 'array') return `must list ${issue.minimum} or more`;
  if (issue.code === 'too_small' && issue.origin === 'number') return `must be ${issue.minimum} or more`;
  if (issue.code === 'too_big' && issue.origin === 'number') return `must be ${issue.maximum} or less`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`;
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => message).join('; ');
  return issue.message;
}

/**
 * The configuration as users write it: the Collector's grammar. Every default is here and nowhere else. Durations
 * become milliseconds, sizes bytes, endpoints `{ host, port }`.
 */
export const configSchema = z.strictObject({
  data_dir: z.string().min(1).prefault('./data'),
  receivers: section('receiver', { otlp: otlpReceiver }),
  processors: section('processor', { enrich: enrichProcessor, runs: runsProcessor }),
  connectors: section('connector', { embedded: embeddedConnector, kafka: kafkaConnector }),
  exporters: section('exporter', { clickhouse: clickhouseExporter, kpi: kpiExporter }),
  extensions: section('extension', {
    health_check: healthExtension,
    sql: sqlExtension,
    api: apiExtension,
    rollback: rollbackExtension,
  }),
  service: z.strictObject({
    extensions: z.array(z.string()).prefault([]),
    pipelines: z.strictObject({
      'traces/ingest': pipeline.optional(),
      'traces/store': pipeline.optional(),
      'traces/assess': pipeline.optional(),
    }),
    telemetry: z
      .strictObject({
        logs: z.strictObject({ level: z.enum(logLevels).prefault('info') }).prefault({}),
        metrics: z.strictObject({ endpoint: endpoint.prefault('127.0.0.1:9464') }).prefault({}),
      })
      .prefault({}),
    policies: z.array(z.string().min(1)).prefault([]),
    drain_timeout: duration.prefault('20s'),
  }),
});

/** The configuration with every default filled in. */
export type Config = z.output<typeof configSchema>;
