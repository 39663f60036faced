import { apiPortFault } from './api/api-port.ts';
import { writtenInFull, type WrittenConfig } from './config-in-full.ts';
import { ConfigError, expand, readSources } from './config-source.ts';
import { configSchema, messageOf, type Config } from './config-schema.ts';
import { senderFaults } from './config-senders.ts';
import { nameFault } from './enrich/by-name.ts';
import { patternFault } from './enrich/content-rules.ts';
import { sqlPortFault } from './store/sql-port.ts';
import { ttlLimitsMs } from './store/table-ttl.ts';

type PipelineName = keyof Config['service']['pipelines'];
type Shape = { readonly [S in 'receivers' | 'processors' | 'exporters']: readonly string[] };

const largestRequestBytes = 64 * 2 ** 20;
const leastRetentionMs = 3_600_000;
const leastDeadlineMs = 30_000;
const mostDeadlineMs = 3_600_000;
/** Far above a span, so that few are refused. */
const leastRecordBytes = 65_536;

const aStream = 'embedded or kafka';

/** What each role is built of, in the order in which data flows; a configuration that says otherwise would lie. */
const shapes: Readonly<Record<PipelineName, Shape>> = {
  'traces/ingest': { receivers: ['otlp'], processors: ['enrich'], exporters: [aStream] },
  'traces/store': { receivers: [aStream], processors: [], exporters: ['clickhouse'] },
  'traces/assess': { receivers: [aStream], processors: ['runs'], exporters: ['kpi'] },
};

/**
 * Loads, expands, merges and checks configuration files. Reads the process environment; nothing else does.
 * Throws a ConfigError with one line per mistake, each naming the path and the fix.
 */
export function loadConfig(files: readonly string[]): Config {
  const parsed = configSchema.safeParse(expand(readSources(files), process.env), { reportInput: true });
  if (!parsed.success) {
    const lines = parsed.error.issues.map(
      (issue) => `${issue.path.join('::') || 'the configuration'}: ${messageOf(issue, configSchema)}`,
    );
    throw new ConfigError([...new Set(lines)].join('\n'));
  }
  const faults = [
    ...pipelineFaults(parsed.data),
    ...wiringFaults(parsed.data),
    ...limitFaults(parsed.data),
    ...streamFaults(parsed.data),
    ...clickhouseFaults(parsed.data),
    ...securityFaults(parsed.data),
    ...nameFaults(parsed.data),
  ];
  if (faults.length > 0) throw new ConfigError(faults.join('\n'));
  return parsed.data;
}

/** What `loadConfig` loads, as users write it: merged, and in full. Throws as that does. */
export function loadWrittenConfig(files: readonly string[]): WrittenConfig {
  loadConfig(files);
  return writtenInFull(readSources(files), process.env);
}

/** What the variable `name` of the environment says; undefined where it is not set, or empty. */
export function fromEnvironment(name: string): string | undefined {
  const value = process.env[name];
  return value === '' ? undefined : value;
}

function sections(config: Config): Readonly<Record<keyof Shape, Readonly<Record<string, unknown>>>> {
  const { connectors } = config;
  return {
    receivers: { ...config.receivers, ...connectors },
    processors: config.processors,
    exporters: { ...config.exporters, ...connectors },
  };
}

function* pipelineFaults(config: Config): Generator<string> {
  const known = sections(config);
  for (const [name, pipeline] of pipelines(config)) {
    for (const part of ['receivers', 'processors', 'exporters'] as const) {
      const at = `service::pipelines::${name}::${part}`;
      for (const id of pipeline[part]) {
        if (!Object.hasOwn(known[part], id))
          yield `${at}: references "${id}" which is not configured under ${part}`;
      }
      const types = pipeline[part].map((id) => id.replace(/\/.*/, '').replace(/^(embedded|kafka)$/, aStream));
      const built = shapes[name][part];
      const fits =
        part === 'receivers' ? types.every((type) => type === built[0]) : types.join() === built.join();
      if (!fits) yield `${at}: [${pipeline[part].join(', ')}] cannot be built; write [${built.join(', ')}]`;
    }
  }
}

function* wiringFaults(config: Config): Generator<string> {
  const active = pipelines(config);
  if (active.length === 0) {
    yield `service::pipelines: lists no pipeline, so nothing would run; list one of ${Object.keys(shapes).join(', ')}`;
  }
  const used = new Set(
    active.flatMap(([, pipeline]) => [...pipeline.receivers, ...pipeline.processors, ...pipeline.exporters]),
  );
  const streams = Object.keys(config.connectors).filter((id) => used.has(id));
  if (streams.length > 1)
    yield `service::pipelines: use the streams ${streams.join(' and ')}; one process has one stream`;
  for (const [name, pipeline] of active) {
    if (name !== 'traces/ingest' && pipeline.receivers.length > 1) {
      yield `service::pipelines::${name}::receivers: lists ${pipeline.receivers.length}; it reads from exactly one`;
    }
  }
  for (const id of config.service.extensions) {
    if (!Object.hasOwn(config.extensions, id))
      yield `service::extensions: references "${id}" which is not configured`;
  }
  yield* extensionFaults(config, new Set(active.map(([name]) => name)));
  yield* portFaults(config);
}

function* extensionFaults(config: Config, active: ReadonlySet<PipelineName>): Generator<string> {
  const types = config.service.extensions.map((id) => config.extensions[id]?.type);
  for (const type of new Set(types)) {
    if (types.filter((other) => other === type).length > 1)
      yield `service::extensions: lists ${type} more than once`;
  }
  if (types.includes('sql') && !active.has('traces/store')) {
    yield 'service::extensions: sql needs the embedded ClickHouse of traces/store; list that pipeline or remove sql';
  }
  if (types.includes('api') && !active.has('traces/assess')) {
    yield 'service::extensions: api serves the incidents of traces/assess; list that pipeline or remove api';
  }
  if (types.includes('rollback') && !(types.includes('api') && active.has('traces/assess'))) {
    yield 'service::extensions: rollback acts on what traces/assess judges and is asked through api: list both, or remove rollback';
  }
  for (const id of config.service.pipelines['traces/store']?.exporters ?? []) {
    const exporter = config.exporters[id];
    if (types.includes('sql') && exporter?.type === 'clickhouse' && exporter.url)
      yield `service::extensions: sql serves the embedded ClickHouse, and exporters::${id}::url names a server: query that server itself, and remove sql`;
  }
}

/** Every address the process would listen on, with the path that sets it. */
export function endpoints(
  config: Config,
): readonly { readonly path: string; readonly host: string; readonly port: number }[] {
  const listening = config.service.pipelines['traces/ingest']?.receivers ?? [];
  return [
    ...listening.flatMap((id) =>
      Object.entries(config.receivers[id]?.protocols ?? {}).flatMap(([protocol, options]) =>
        options ? [{ path: `receivers::${id}::protocols::${protocol}::endpoint`, ...options.endpoint }] : [],
      ),
    ),
    { path: 'service::telemetry::metrics::endpoint', ...config.service.telemetry.metrics.endpoint },
    ...config.service.extensions.flatMap((id) => {
      const extension = config.extensions[id];
      return extension && 'endpoint' in extension
        ? [{ path: `extensions::${id}::endpoint`, ...extension.endpoint }]
        : [];
    }),
  ];
}

function* portFaults(config: Config): Generator<string> {
  const seen = new Map<string, string>();
  for (const { path, host, port } of endpoints(config)) {
    const taken = port === 0 ? undefined : seen.get(`${host}:${port}`);
    if (taken) yield `${path}: ${host}:${port} is already used by ${taken}; give it another port`;
    seen.set(`${host}:${port}`, path);
  }
}

function* limitFaults(config: Config): Generator<string> {
  for (const [id, receiver] of Object.entries(config.receivers)) {
    if (receiver.max_request_size < 1024 || receiver.max_request_size > largestRequestBytes) {
      yield `receivers::${id}::max_request_size: must be from 1KiB to 64MiB, the limit that OTLP recommends`;
    }
    if (receiver.in_flight_limit < receiver.max_request_size) {
      yield `receivers::${id}::in_flight_limit: must be at least max_request_size, or that request would never have room`;
    }
  }
}

function* streamFaults(config: Config): Generator<string> {
  for (const [id, connector] of Object.entries(config.connectors)) {
    if (connector.type !== 'kafka') continue;
    const { retention, max_record_size, groups, tls } = connector;
    const at = `connectors::${id}`;
    if (retention.age < leastRetentionMs)
      yield `${at}::retention::age: must be 1h or more: after a crash the store reads again what it stored last`;
    if (max_record_size < leastRecordBytes || max_record_size > largestRequestBytes)
      yield `${at}::max_record_size: must be from 64KiB to 64MiB`;
    if (groups.store === groups.assess)
      yield `${at}::groups: store and assess both read everything, so give them different groups`;
    if (groups.replay === groups.store || groups.replay === groups.assess)
      yield `${at}::groups::replay: must be another group than ${groups.replay}: it reads the dead letters`;
    if ([groups.store, groups.assess, groups.replay].includes(groups.runs))
      yield `${at}::groups::runs: must be another group than ${groups.runs}: it reads the stream of runs`;
    const named = new Set<string>([connector.topic]);
    for (const key of ['dead_letter_topic', 'runs_topic', 'state_topic', 'rollback_topic'] as const) {
      const topic = connector[key];
      if (named.has(topic)) yield `${at}::${key}: must be another topic than ${topic}`;
      named.add(topic);
    }
    yield* tlsFaults(`${at}::tls`, tls);
  }
}

function* tlsFaults(
  at: string,
  tls: { readonly cert_file?: string | undefined; readonly key_file?: string | undefined } | undefined,
): Generator<string> {
  if (tls && (tls.cert_file === undefined) !== (tls.key_file === undefined))
    yield `${at}: cert_file and key_file go together: set both or none`;
}

function* clickhouseFaults(config: Config): Generator<string> {
  for (const [id, exporter] of Object.entries(config.exporters)) {
    if (exporter.type !== 'clickhouse') continue;
    const { url, tls, insert_deadline, ttl } = exporter;
    const at = `exporters::${id}`;
    if (tls && url?.startsWith('http:')) yield `${at}::tls: the url is not one of https: correct one of them`;
    if (insert_deadline < leastDeadlineMs || insert_deadline > mostDeadlineMs)
      yield `${at}::insert_deadline: must be from 30s to 1h: a full block takes seconds to insert, and the table remembers which blocks it has for a limited time`;
    for (const [table, keptMs = ttlLimitsMs.most] of Object.entries(ttl))
      if (keptMs < ttlLimitsMs.least || keptMs > ttlLimitsMs.most)
        yield `${at}::ttl::${table}: must be from 1d to 3650d; to keep rows for ever, remove it`;
    yield* tlsFaults(`${at}::tls`, tls);
  }
}

function* securityFaults(config: Config): Generator<string> {
  for (const [id, { auth, protocols }] of Object.entries(config.receivers)) {
    const spoken = Object.entries(protocols).filter(([, options]) => options !== undefined);
    const unverified = spoken.filter(([, options]) => options?.tls?.client_ca_file === undefined);
    const without = unverified.map(([protocol]) => protocol);
    if (auth) yield* senderFaults(`receivers::${id}::auth`, auth, without);
  }
  for (const [id, extension] of Object.entries(config.extensions)) {
    const fault = exposureFault(extension);
    if (fault) yield `extensions::${id}::token: ${fault}`;
    if (extension.type === 'api') yield* userFaults(`extensions::${id}`, extension);
  }
  for (const [id, processor] of Object.entries(config.processors)) {
    if (processor.type !== 'enrich') continue;
    const { content, content_hash_key, attributes } = processor;
    if (content_hash_key === undefined && [content, ...Object.values(attributes)].includes('hash')) {
      yield `processors::${id}::content_hash_key: is missing: hash needs a secret key`;
    }
    for (const pattern of Object.keys(attributes)) {
      const fault = patternFault(pattern);
      if (fault !== undefined) yield `processors::${id}::attributes::${pattern}: ${fault}`;
    }
  }
}

function exposureFault(extension: Config['extensions'][string]): string | undefined {
  if (extension.type === 'sql')
    return sqlPortFault({ host: extension.endpoint.host, token: extension.token?.reveal() });
  if (extension.type !== 'api') return undefined;
  const { token, users, endpoint } = extension;
  return apiPortFault({
    host: endpoint.host,
    callers: { size: Number(token !== undefined) + Object.keys(users).length },
  });
}

/** Who shows the token of two could be either of them, and what that one approves would be said to be the first one's. */
function* userFaults(
  at: string,
  { token: shared, users }: Extract<Config['extensions'][string], { readonly type: 'api' }>,
): Generator<string> {
  const first = new Map(shared ? [[shared.reveal(), `the shared token (${at}::token)`]] : []);
  for (const [name, token] of Object.entries(users)) {
    const known = first.get(token.reveal());
    if (known !== undefined) yield `${at}::users::${name}: is ${known}: give each user a token of his own`;
    else first.set(token.reveal(), `the token of ${name}`);
  }
}

function* nameFaults(config: Config): Generator<string> {
  for (const [id, processor] of Object.entries(config.processors)) {
    if (processor.type !== 'enrich') continue;
    const { prices, human_tools } = processor;
    const lists = { 'prices::models': prices.models, 'prices::tools': prices.tools, human_tools };
    for (const [kind, names] of Object.entries(lists)) {
      for (const name of Object.keys(names)) {
        const fault = nameFault(name);
        if (fault !== undefined) yield `processors::${id}::${kind}::${name}: ${fault}`;
      }
    }
  }
}

function pipelines(config: Config) {
  return (['traces/ingest', 'traces/store', 'traces/assess'] as const).flatMap((name) => {
    const pipeline = config.service.pipelines[name];
    return pipeline ? [[name, pipeline] as const] : [];
  });
}
