import { z } from 'zod';
import { duration, size } from './config-quantities.ts';
import { clientTls, count, secret } from './config-values.ts';

/** `connectors::embedded`: the stream on local disk. */
export const embeddedConnector = z
  .strictObject({
    partitions: count(1, 256).prefault(1).describe('They spread load over machines, and here there is one.'),
    retention: z
      .strictObject({
        age: duration.prefault('24h').describe('What is older is removed.'),
        size: size.prefault('8GiB').describe('What is beyond is removed, the oldest first.'),
      })
      .prefault({})
      .describe('How long records are kept: never past the slowest reader; a full stream refuses input.'),
    min_free_disk: size.prefault('1GiB').describe('Below this, input is refused.'),
  })
  .describe('The stream between the pipelines: a durable log on local disk, under `data_dir`.');

const brokerList = z
  .union([z.string().transform((text) => text.split(',').map((part) => part.trim())), z.array(z.string())])
  .pipe(z.array(z.string().regex(/^[^:\s]+:\d{1,5}$/, 'must be host:port such as 127.0.0.1:9092')).min(1))
  .meta({ title: 'list of host:port' });

const sasl = z
  .discriminatedUnion('mechanism', [
    z.strictObject({
      mechanism: z
        .enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
        .describe('A name and a password. PLAIN sends both as they are, so use it with TLS.'),
      username: z.string().min(1).describe('Who the process is to the brokers.'),
      password: secret().describe('Its password.'),
    }),
    z.strictObject({
      mechanism: z.literal('OAUTHBEARER').describe('A token that others renew.'),
      token_file: z
        .string()
        .meta({ title: 'path' })
        .describe('Where the token is; read anew at every connection.'),
    }),
  ])
  .describe('How the process says to the brokers who it is.');

const topic = z.string().min(1);
const group = z.string().min(1);

/** `connectors::kafka`: the stream on Apache Kafka. */
export const kafkaConnector = z
  .strictObject({
    brokers: brokerList.describe("Some of the cluster's; as text they are separated by commas."),
    topic: topic
      .prefault('otlp_spans')
      .describe('Of spans; an OpenTelemetry Collector can read and write it too.'),
    dead_letter_topic: topic
      .prefault('otlp_spans_dlq')
      .describe('Of spans that cannot be stored, until they are replayed.'),
    runs_topic: topic
      .prefault('agent_runs')
      .describe('What assess knows of ended runs, on its way to the table.'),
    state_topic: topic
      .prefault('plimsoll_state')
      .describe('Snapshots of what assess knows, for its next process.'),
    rollback_topic: topic
      .prefault('plimsoll_rollbacks')
      .describe('What was asked for and done about bad releases, kept for good.'),
    partitions: count(1, 256)
      .prefault(12)
      .describe('Of the topics of spans. A trace stays on its partition, so this cannot be changed later.'),
    partitioner: z
      .enum(['murmur2', 'fnv1a'])
      .prefault('murmur2')
      .describe(
        'How a trace finds its partition: as Java clients do, or (fnv1a) as a Collector with partition_traces_by_id does, unless its hasher is murmur2. Cannot be changed later.',
      ),
    replication: count(1, 9)
      .prefault(3)
      .describe('Brokers that keep each record; with one, what it loses is lost.'),
    retention: z
      .strictObject({
        age: duration
          .prefault('3d')
          .describe("1h or more, and never longer than the brokers' offsets.retention.minutes."),
      })
      .prefault({})
      .describe('How long records are kept.'),
    max_record_size: size
      .prefault('8MiB')
      .describe(
        "64KiB to 64MiB: the topics' max.message.bytes. Records are cut to it, and a longer span is refused.",
      ),
    linger: duration.prefault('20ms').describe('How long a record waits for others to share its batch with.'),
    compression: z.enum(['zstd', 'gzip', 'none']).prefault('zstd').describe('Of records.'),
    session_timeout: duration
      .prefault('30s')
      .describe('A process that is silent for so long loses its partitions to others.'),
    instance_id: z
      .string()
      .regex(/^[\w.-]{1,249}$/, 'must be 1 to 249 letters, digits, dots, dashes or underscores')
      .optional()
      .describe(
        'A name that no other process has: who is back within session_timeout has its partitions again.',
      ),
    groups: z
      .strictObject({
        store: group.prefault('plimsoll-store').describe('Of those that store spans.'),
        assess: group.prefault('plimsoll-assess').describe('Of those that assess.'),
        replay: group.prefault('plimsoll-replay').describe('Of those that replay dead letters.'),
        runs: group.prefault('plimsoll-runs').describe('Of those that store runs and other rows.'),
      })
      .prefault({})
      .describe('Consumer groups; all different.'),
    sasl: sasl.optional(),
    tls: clientTls.optional(),
  })
  .describe('The stream between the pipelines: topics of Apache Kafka. Whoever starts first creates them.');
