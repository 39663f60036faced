import { join } from 'node:path';
import { systemClock as clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { Stream } from '../core/stream.ts';
import type { Telemetry } from '../core/telemetry.ts';
import type { Plan } from '../plan.ts';
import { defaultSettings } from '../store/store.ts';
import { EmbeddedLog } from '../stream/embedded.ts';
import type { KafkaOptions } from '../stream/kafka-options.ts';
import { KafkaStream } from '../stream/kafka.ts';
import type { Retention } from '../stream/retention.ts';

/**
 * Dead letters are few and wait for an operator: a small share of the stream's disk, kept for long. The embedded log
 * keeps what was not replayed whatever its age, and is full rather than without it; a full one holds the store.
 */
const deadLetterShare = 1 / 16;
const deadLetterAgeMs = 30 * 86_400_000;

/**
 * What is known of a run takes about a tenth of its spans. So a ClickHouse that is down fills the stream of spans first,
 * and ingest refuses before assess has to wait.
 */
const runsShare = 1 / 8;

/**
 * Snapshots of what is assessed, of which the last is needed and the one before it while that is written. The embedded log
 * keeps as many as fit into its share, which is larger where the log is small; a topic of Kafka, whose oldest records go by
 * whole segments, this much.
 */
const statesShare = 1 / 16;
const largestStatesShare = 1 / 4;
const enoughStatesBytes = 2 ** 28;
const statesBytes = 2 ** 30;

/** What was asked for and done about bad releases: small, and kept for good. A full one takes no more, so somebody is told. */
const rollbacksShare = 1 / 64;

/** The consumer group that stores runs. */
export const runsGroup = 'runs';

/** The consumer group of replays, among those of the dead letters. */
export const replayGroup = 'replay';

/** An append is tried longer than most senders wait: their repeat is then joined to it, or finds another broker. */
const kafkaDeliveryMs = 30_000;

/** The spans, those that can never be stored, what is known of runs, snapshots of what is assessed, and the journal of rollbacks. */
export interface Streams {
  readonly spans: Stream;
  readonly runs: Stream;
  readonly deadLetters: Stream;
  readonly states: Stream;
  readonly rollbacks: Stream;
}

/** The streams that the plan lists, not started. */
export function streamsOf(plan: Plan, telemetry: Telemetry, log: Log): Streams {
  const { stream } = plan;
  return stream.type === 'kafka'
    ? kafkaStreams(stream, telemetry, log)
    : embeddedStreams(stream, plan, telemetry, log);
}

function embeddedStreams(
  { partitions, retention, min_free_disk }: Extract<Plan['stream'], { type: 'embedded' }>,
  plan: Plan,
  telemetry: Telemetry,
  log: Log,
): Streams {
  const directory = join(plan.dataDirectory, 'stream');
  const embedded = new EmbeddedLog({ directory, minFreeDiskBytes: min_free_disk, clock, log, telemetry });
  const ofStatesBytes = Math.max(
    retention.size * statesShare,
    Math.min(retention.size * largestStatesShare, enoughStatesBytes),
  );
  const keep = {
    ageMs: retention.age,
    bytes: retention.size * (1 - deadLetterShare - runsShare - rollbacksShare) - ofStatesBytes,
    minAfterCommitMs: defaultSettings.verifyMs,
  };
  const groups = [...(plan.store ? ['store'] : []), ...(plan.assess ? ['assess'] : [])];
  const single = (topic: string, kept: Retention, readers: readonly string[]): Stream =>
    embedded.stream({ topic, partitions: 1, groups: readers, retention: kept });
  const share = (part: number): number => retention.size * part;
  const forGood = { ageMs: Number.POSITIVE_INFINITY, minAfterCommitMs: 0, isSpared: true };
  return {
    spans: embedded.stream({ topic: 'otlp_spans', partitions, groups, retention: keep }),
    runs: single('agent_runs', { ...keep, bytes: share(runsShare) }, plan.store ? [runsGroup] : []),
    deadLetters: single(
      'otlp_spans_dlq',
      { ageMs: deadLetterAgeMs, bytes: share(deadLetterShare), minAfterCommitMs: 0 },
      [replayGroup],
    ),
    states: single('plimsoll_state', { ...forGood, bytes: ofStatesBytes }, []),
    // What a group has not committed is kept, and this one never commits.
    rollbacks: single('plimsoll_rollbacks', { ...forGood, bytes: share(rollbacksShare) }, ['nobody']),
  };
}

function kafkaStreams(options: KafkaConnector, telemetry: Telemetry, log: Log): Streams {
  const topics = topicsOf(options, telemetry, log);
  return {
    spans: new KafkaStream(topics.spans),
    runs: new KafkaStream(topics.runs),
    deadLetters: new KafkaStream(topics.deadLetters),
    states: new KafkaStream(topics.states),
    rollbacks: new KafkaStream(topics.rollbacks),
  };
}

type KafkaConnector = Extract<Plan['stream'], { type: 'kafka' }>;

/** The topics that `options` name. */
export function topicsOf(
  options: KafkaConnector,
  telemetry: Telemetry,
  log: Log,
): { readonly [S in keyof Streams]: KafkaOptions } {
  const { groups } = options;
  const common = commonOf(options, telemetry, log);
  return {
    spans: {
      ...common,
      topic: options.topic,
      partitions: options.partitions,
      retentionMs: options.retention.age,
      groups: {
        store: { id: groups.store, assignment: 'share' },
        assess: { id: groups.assess, assignment: 'incumbent' },
      },
    },
    runs: {
      ...common,
      topic: options.runs_topic,
      partitions: 1,
      retentionMs: options.retention.age,
      groups: { [runsGroup]: { id: groups.runs, assignment: 'incumbent', isForgettable: true } },
    },
    deadLetters: {
      ...common,
      topic: options.dead_letter_topic,
      partitions: 1,
      retentionMs: deadLetterAgeMs,
      groups: { [replayGroup]: { id: groups.replay, assignment: 'incumbent', isForgettable: true } },
    },
    states: { ...common, ...stateTopic(options.state_topic) },
    rollbacks: {
      ...common,
      topic: options.rollback_topic,
      partitions: 1,
      retentionMs: undefined,
      groups: {},
    },
  };
}

/** What all topics have in common. */
function commonOf(options: KafkaConnector, telemetry: Telemetry, log: Log) {
  const { tls, sasl } = options;
  return {
    brokers: options.brokers,
    replication: options.replication,
    maxRecordBytes: options.max_record_size,
    compression: options.compression,
    lingerMs: options.linger,
    deliveryMs: kafkaDeliveryMs,
    sessionMs: options.session_timeout,
    instanceId: options.instance_id,
    tls: tls && { caFile: tls.ca_file, certFile: tls.cert_file, keyFile: tls.key_file },
    sasl: sasl && saslOf(sasl),
    clock,
    log,
    telemetry,
  };
}

type Sasl = NonNullable<KafkaConnector['sasl']>;

function saslOf(sasl: Sasl): KafkaOptions['sasl'] {
  return sasl.mechanism === 'OAUTHBEARER' ? { mechanism: sasl.mechanism, tokenFile: sasl.token_file } : sasl;
}

/** Snapshots are packed, and read at a restart only. */
function stateTopic(topic: string) {
  return {
    topic,
    partitions: 1,
    compression: 'none',
    retentionMs: undefined,
    retentionBytes: statesBytes,
    groups: {},
  } as const;
}
