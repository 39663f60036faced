import { afterAll, beforeAll } from 'vitest';
import { requires } from '../requires.ts';
import { KafkaCluster } from './broker.ts';

const missing = process.env['KAFKA_BROKERS']
  ? undefined
  : (requires('java', { version: '-version', from: 'openjdk-17-jre-headless' }) ??
    requires('mvn', { version: '--version', from: 'maven' }));

/** Why tests of Kafka are skipped on this machine; undefined when they can run. */
export const kafkaMissing: string | undefined = missing;

/**
 * The addresses of a cluster of `brokers` for the tests of a file, once they run: that of `KAFKA_BROKERS` if it is set,
 * one of their own otherwise.
 */
export function testCluster(brokers: 1 | 3): () => readonly string[] {
  let cluster: KafkaCluster | undefined;
  const given = process.env['KAFKA_BROKERS']?.split(',');
  beforeAll(async () => {
    if (!given && missing === undefined) cluster = await KafkaCluster.start({ brokers });
  });
  afterAll(async () => cluster?.stop());
  return () => given ?? cluster?.addresses ?? [];
}
