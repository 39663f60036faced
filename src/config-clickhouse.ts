import { z } from 'zod';
import { duration, size } from './config-quantities.ts';
import { clientTls, count, orNothing, secret } from './config-values.ts';

const serverUrl = z
  .string()
  .transform((text, context) => {
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
  })
  .meta({ title: 'URL' });

/** What is said of a server alone. */
const server = {
  username: orNothing(z.string()).describe('Of a server: `default` unless said.'),
  password: orNothing(secret()).describe('Of a server: the password of that user.'),
  database: orNothing(z.string()).describe('Of a server: must exist; `default` unless said.'),
  tls: clientTls.optional(),
  compression: z
    .enum(['zstd', 'gzip', 'none'])
    .optional()
    .describe('Of a server: of inserts; `zstd` unless said.'),
  cluster: orNothing(z.string()).describe(
    'Of a server: the replicas of one shard keep the tables, which have Replicated engines and are made ON CLUSTER.',
  ),
  insert_deadline: duration
    .optional()
    .describe(
      'Of a server: 30s to 1h; how long after it was announced a block may still land. `5m` unless said.',
    ),
};

/** What holds for a server where nothing is said of it. */
export const serverDefaults = {
  username: 'default',
  database: 'default',
  compression: 'zstd',
  insert_deadline: '5m',
} as const;

/** `exporters::clickhouse`: where rows go. */
export const clickhouseExporter = z
  .strictObject({
    url: orNothing(serverUrl).describe(
      'A server, by scheme, host and port; without it ClickHouse is embedded (chDB), under `data_dir`.',
    ),
    ...server,
    flush_interval: duration.prefault('1s').describe('How long rows wait for others to share a block with.'),
    max_block_rows: count(1, 50_000).prefault(50_000).describe('A block with so many rows waits no longer.'),
    max_block_size: size.prefault('32MiB').describe('Nor does one of this size.'),
    ttl: z
      .strictObject({
        otel_traces: orNothing(duration).describe(
          'Spans, from their start on: 1d to 3650d. They go a day at a time, and then what says when a trace was.',
        ),
        agent_runs: orNothing(duration).describe(
          'Runs, from when they count on: 1d to 3650d. `plimsoll report` has only those that are kept.',
        ),
        incidents: orNothing(duration).describe(
          'Incidents, from when they were opened on, also those still open: 1d to 3650d.',
        ),
        rollbacks: orNothing(duration).describe(
          'Events of rollbacks: 1d to 3650d. The journal keeps its own.',
        ),
      })
      .prefault({})
      .describe(
        'How long tables keep rows, by table; for ever where that is not said. A start applies a change; shorter removes rows.',
      ),
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
      username = serverDefaults.username,
      database = serverDefaults.database,
      compression = serverDefaults.compression,
      insert_deadline = duration.parse(serverDefaults.insert_deadline),
      ...rest
    }) => ({ ...rest, username, database, compression, insert_deadline }),
  )
  .describe('Where rows go: spans, runs, incidents, policies and rollbacks.');
