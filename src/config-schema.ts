import { z } from 'zod';
import { clickhouseExporter } from './config-clickhouse.ts';
import { prices } from './config-prices.ts';
import { duration, size } from './config-quantities.ts';
import { rollbackExtension } from './config-rollback.ts';
import { senders } from './config-senders.ts';
import { embeddedConnector, kafkaConnector } from './config-stream.ts';
import { count, endpoint, orNothing, secret, tls, token } from './config-values.ts';
import { sentenceOf, unknownKeys } from './core/issue-sentence.ts';
import { logLevels } from './core/log.ts';
import { escalationReasons } from './semconv/vocabulary.ts';

const listener = (address: string) => ({
  endpoint: endpoint.prefault(address).describe('Where it listens.'),
  tls: tls.optional().describe('TLS of the port; without it connections are not encrypted.'),
});

const otlpReceiver = z
  .strictObject({
    protocols: z
      .strictObject({
        grpc: z
          .strictObject({
            ...listener('127.0.0.1:4317'),
            max_connection_age: duration
              .optional()
              .describe('So that load balancers spread senders anew; for ever unless said.'),
          })
          .optional()
          .describe('OTLP over gRPC.'),
        http: z.strictObject(listener('127.0.0.1:4318')).optional().describe('OTLP over HTTP.'),
      })
      .prefault({ grpc: {}, http: {} })
      .describe('The protocols that are listed are spoken; both where nothing is said.'),
    auth: senders.optional().describe('Who may send, and spans of what; everybody everything without it.'),
    max_request_size: size
      .prefault('64MiB')
      .describe('1KiB to 64MiB: of a request, before and after decompression.'),
    in_flight_limit: size.prefault('256MiB').describe('Bytes admitted at once; what does not fit waits.'),
    max_wait: duration.prefault('5s').describe('How long it waits; then the sender is told to retry.'),
    coalesce_window: duration
      .prefault('2m')
      .describe("A byte-identical request seen within it gets the first one's answer."),
  })
  .describe('Takes spans and log records from agents.');

const evaluator = z
  .strictObject({
    min: z.number().describe('The worst score; it becomes 0.'),
    max: z.number().describe('The best score; it becomes 1.'),
  })
  .refine(({ min, max }) => min < max, 'min must be less than max');

const enrichProcessor = z
  .strictObject({
    content: z
      .enum(['drop', 'hash', 'keep'])
      .prefault('drop')
      .describe(
        'What becomes of prompts, arguments, results and messages: drop (their size is kept), keep, or hash.',
      ),
    content_hash_key: secret(16)
      .optional()
      .describe(
        'Needed by hash; 16 characters or more. Ids of users are hashed with it, and dropped without it.',
      ),
    attributes: z
      .record(z.string(), z.enum(['drop', 'hash', 'keep']))
      .prefault({})
      .describe('The same for single attributes, by key, or beginning and `*`.'),
    prices: prices.prefault({}).describe('What things cost beyond the list prices of models, in US dollars.'),
    human_tools: z
      .record(z.string(), z.enum(escalationReasons))
      .prefault({})
      .describe('Tools that ask a human, besides those known by name, with the reason of that escalation.'),
    evaluators: z
      .record(z.string(), evaluator)
      .prefault({})
      .describe('What the scores of an evaluator lie between, where not 0 and 1.'),
  })
  .describe('Says what spans mean, in `plimsoll.*` attributes, and drops content.');

const runsProcessor = z
  .strictObject({
    idle_timeout: duration
      .prefault('5m')
      .describe('A run whose root span never comes ends this long after its last span.'),
    max_open_runs: count(100, 10_000_000)
      .prefault(100_000)
      .describe(
        'So many are in memory; beyond, ended ones are forgotten, then the one that was idle longest is ended.',
      ),
    guess_escalations: z
      .boolean()
      .prefault(false)
      .describe(
        "true: a run that ended with a model's call for a tool that nobody made waits for an approval.",
      ),
  })
  .describe('Puts spans together to runs.');

const kpiExporter = z
  .strictObject({
    windows: z.array(duration).min(1).prefault(['5m', '1h', '24h']).describe('Of the rolling gauges.'),
    lateness: duration.prefault('2m').describe('How late a span may be and still count in a window.'),
    max_series: count(10, 1_000_000)
      .prefault(10_000)
      .describe('Per metric; the rest is counted under `overflow`.'),
    scrape_interval: duration
      .prefault('15s')
      .describe('How often Prometheus scrapes: a new counter is 0 for so long.'),
  })
  .describe('Counters and gauges of agents, on `/metrics`.');

const sqlExtension = z
  .strictObject({
    endpoint: endpoint.prefault('127.0.0.1:8123').describe('Where it listens.'),
    token: token.optional().describe('Needed to ask, where it is set, and to bind beyond loopback.'),
    allowed_hosts: z
      .array(z.string())
      .prefault([])
      .describe('Names besides localhost under which it may be addressed.'),
    max_memory: size.prefault('1GiB').describe('Of one query.'),
    max_execution_time: duration.prefault('30s').describe('Of one query.'),
    max_result_rows: count(1, 1_000_000_000).prefault(1_000_000).describe('A query with more rows fails.'),
  })
  .describe("Read-only SQL on the embedded ClickHouse, over ClickHouse's HTTP interface.");

const apiExtension = z
  .strictObject({
    endpoint: endpoint.prefault('127.0.0.1:8080').describe('Where it listens.'),
    token: orNothing(token).describe('Needed to write, and, where it binds beyond loopback, to read.'),
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
      .prefault({})
      .describe('People with tokens of their own, by name: only they can approve.'),
  })
  .describe('What the process serves; incidents, gates and rollbacks.');

const healthExtension = z
  .strictObject({ endpoint: endpoint.prefault('127.0.0.1:13133').describe('Where it listens.') })
  .describe('200 while all flows, 503 with what does not.');

const pipeline = z.strictObject({
  receivers: z.array(z.string()).min(1).describe('What it reads from.'),
  processors: z.array(z.string()).prefault([]).describe('What is done on the way, in order.'),
  exporters: z.array(z.string()).min(1).describe('What it writes to.'),
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
    .meta({ title: `${kind}s by id` })
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
        const result = schema.safeParse(options ?? {}, { reportInput: true });
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
  if (issue.code === 'invalid_type') return sentenceOf(issue);
  if (issue.code === 'too_small' && issue.origin === 'array') return `must list ${issue.minimum} or more`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`;
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => message).join('; ');
  return issue.message;
}

/** The components that there are, by section and type. */
export const components = {
  receivers: { otlp: otlpReceiver },
  processors: { enrich: enrichProcessor, runs: runsProcessor },
  connectors: { embedded: embeddedConnector, kafka: kafkaConnector },
  exporters: { clickhouse: clickhouseExporter, kpi: kpiExporter },
  extensions: {
    health_check: healthExtension,
    sql: sqlExtension,
    api: apiExtension,
    rollback: rollbackExtension,
  },
} as const;

const service = z
  .strictObject({
    extensions: z.array(z.string()).prefault([]).describe('The extensions that run.'),
    pipelines: z
      .strictObject({
        'traces/ingest': pipeline.optional().describe('Takes spans from agents to the stream.'),
        'traces/store': pipeline.optional().describe('Takes what is on the stream to ClickHouse.'),
        'traces/assess': pipeline
          .optional()
          .describe('Puts runs together, counts them, judges releases, and has bad ones rolled back.'),
      })
      .describe('The pipelines listed are the roles that run.'),
    telemetry: z
      .strictObject({
        logs: z
          .strictObject({
            level: z.enum(logLevels).prefault('info').describe('What is less grave is not said.'),
          })
          .prefault({})
          .describe('The log of the process, JSON lines on standard error.'),
        metrics: z
          .strictObject({
            endpoint: endpoint
              .prefault('127.0.0.1:9464')
              .describe(
                'Where `/metrics` is. It asks for no token: beyond loopback whoever reaches it reads it.',
              ),
          })
          .prefault({})
          .describe('What Prometheus scrapes.'),
      })
      .prefault({})
      .describe('What the process says of itself.'),
    policies: z
      .array(z.string().min(1))
      .prefault([])
      .describe('Files or globs, such as config/policies/*.yaml; changes are taken within 10 s.'),
    drain_timeout: duration.prefault('20s').describe('How long SIGTERM waits for work in flight.'),
  })
  .describe('What of all that runs.');

/**
 * The configuration as users write it: the Collector's grammar. Every default is here and nowhere else. Durations
 * become milliseconds, sizes bytes, endpoints `{ host, port }`.
 */
export const configSchema = z.strictObject({
  data_dir: z
    .string()
    .min(1)
    .prefault('./data')
    .meta({ title: 'path' })
    .describe('Where the embedded stream and ClickHouse keep their files. One process owns it.'),
  receivers: section('receiver', components.receivers).describe('What takes spans.'),
  processors: section('processor', components.processors).describe('What is done to them.'),
  connectors: section('connector', components.connectors).describe('The stream between the pipelines; one.'),
  exporters: section('exporter', components.exporters).describe('Where rows and KPIs go.'),
  extensions: section('extension', components.extensions).describe('What else the process does.'),
  service,
});

/** The configuration with every default filled in. */
export type Config = z.output<typeof configSchema>;
