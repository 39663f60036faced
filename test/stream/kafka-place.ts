import { systemClock } from '../../src/core/clock.ts';
import { createLog } from '../../src/core/log.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { KafkaStream } from '../../src/stream/kafka.ts';
import type { KafkaOptions } from '../../src/stream/kafka-options.ts';

let topics = 0;

/** The name of a topic that no other test has. */
export function newTopic(): string {
  return `test-${process.pid}-${Date.now().toString(36)}-${topics++}`;
}

/** Options of a stream that a test does not care about; groups are the topic's own. */
export function kafkaOptions(
  brokers: readonly string[],
  changes: Partial<KafkaOptions> & { readonly topic: string },
): KafkaOptions {
  const { topic } = changes;
  return {
    brokers,
    partitions: 3,
    replication: Math.min(3, brokers.length),
    retentionMs: 3_600_000,
    maxRecordBytes: 2 ** 20,
    sasl: undefined,
    tls: undefined,
    compression: 'zstd',
    lingerMs: 5,
    deliveryMs: 30_000,
    sessionMs: 6000,
    instanceId: undefined,
    groups: {
      store: { id: `${topic}-store`, assignment: 'share' },
      assess: { id: `${topic}-assess`, assignment: 'incumbent' },
    },
    clock: systemClock,
    log: createLog('silent'),
    telemetry: new Telemetry(),
    ...changes,
  };
}

/** A stream on `brokers` with the options a test does not care about. */
export function kafkaStream(
  brokers: readonly string[],
  changes: Partial<KafkaOptions> & { readonly topic: string },
): KafkaStream {
  return new KafkaStream(kafkaOptions(brokers, changes));
}
