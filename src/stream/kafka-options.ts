import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { Secret } from '../core/secret.ts';
import type { Telemetry } from '../core/telemetry.ts';

/** How records are compressed on their way to the broker and in it. */
export type Compression = 'zstd' | 'gzip' | 'none';

/** How a client shows who it is. The token of `OAUTHBEARER` is read anew from its file at every connection. */
export type SaslOptions =
  | {
      readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      readonly username: string;
      readonly password: Secret;
    }
  | { readonly mechanism: 'OAUTHBEARER'; readonly tokenFile: string };

/** TLS to the brokers: PEM files, read when the stream starts. */
export interface TlsOptions {
  /** Certificates to trust instead of the system's. */
  readonly caFile: string | undefined;
  /** The client's own certificate and its key, for mutual TLS. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/**
 * Who of a group's members gets which partitions: `share` deals them out in turn, the youngest member first, so that a
 * process started anew takes its part; `incumbent` gives all to the oldest, and the others stand by.
 */
export type Assignment = 'share' | 'incumbent';

/** A consumer group: its name in Kafka, and how its members share the topic. */
export interface GroupOptions {
  readonly id: string;
  readonly assignment: Assignment;
  /** Whether the brokers may forget what it committed, so that it reads more than it need and does nothing twice. */
  readonly isForgettable?: boolean;
}

/** What a topic must be like; it is created so when it is missing, and refused when it is otherwise. */
interface TopicShape {
  readonly topic: string;
  readonly partitions: number;
  /** On how many brokers each partition is kept. */
  readonly replication: number;
  /** Undefined: its records go by their size, however old they are. */
  readonly retentionMs: number | undefined;
  /** How much of a partition is kept at least, where nothing is read of it but what was written last; undefined: everything younger than `retentionMs`. */
  readonly retentionBytes?: number;
  /** The longest batch of records the topic takes, in bytes as they are stored: its `max.message.bytes`. */
  readonly maxRecordBytes: number;
}

/** What a batch of one record has beside its payload: its own header, and the headers of the record. */
const overheadBytes = 4096;
/** By so much of it can a payload that does not compress become longer when it is packed. */
const packedShare = 1 / 256;

/** The longest payload, in bytes, that surely goes into a batch of `maxRecordBytes`. */
export function payloadLimitBytes(maxRecordBytes: number): number {
  return maxRecordBytes - overheadBytes - Math.ceil(maxRecordBytes * packedShare);
}

/** One topic of a Kafka cluster as a stream. */
export interface KafkaOptions extends TopicShape {
  /** `host:port` of some brokers of the cluster; they name the others. */
  readonly brokers: readonly string[];
  readonly sasl: SaslOptions | undefined;
  readonly tls: TlsOptions | undefined;
  readonly compression: Compression;
  /** How long a record waits for others to share its batch with. */
  readonly lingerMs: number;
  /** How long an append is tried before it is refused. */
  readonly deliveryMs: number;
  /** A member that the cluster has not heard of for so long loses its partitions. */
  readonly sessionMs: number;
  /**
   * What no other process of the groups is called (Kafka's `group.instance.id`): whoever comes back under the name within
   * `sessionMs` has its partitions again without anybody else noticing. Undefined: partitions are given up at the stop.
   */
  readonly instanceId: string | undefined;
  /** By the names under which consumers ask for them. */
  readonly groups: Readonly<Record<string, GroupOptions>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly telemetry: Telemetry;
}
