import { afterAll, beforeAll, inject } from 'vitest';
import { z } from 'zod';
import { requires } from '../requires.ts';
import { freePorts } from '../free-ports.ts';
import { KafkaCluster, type ClusterOptions } from './broker.ts';
import { Proxy } from './proxy.ts';

let own: { readonly missing: string | undefined } | undefined;

/** Why tests that start, cut off and kill brokers of their own are skipped on this machine; undefined when they can run. */
export function ownBrokerMissing(): string | undefined {
  own ??= {
    missing:
      requires('java', { version: '-version', from: 'default-jre-headless' }) ??
      requires('mvn', { version: '--version', from: 'maven' }),
  };
  return own.missing;
}

/** Why tests that any broker will do for are skipped on this machine; undefined when they can run. */
export const kafkaMissing: string | undefined = process.env['KAFKA_BROKERS'] ? undefined : ownBrokerMissing();

/**
 * The addresses of a cluster of `brokers` for the tests of a file, once they run: that of `KAFKA_BROKERS` if it is set,
 * one that all test files share otherwise. Topics and groups must have names of their own.
 */
export function testCluster(brokers: 1 | 3): () => readonly string[] {
  let shared: readonly string[] = [];
  const given = process.env['KAFKA_BROKERS']?.split(',');
  beforeAll(async () => {
    if (given ?? kafkaMissing) return;
    const response = await fetch(`${inject('sharedBrokersUrl')}/${brokers}`);
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    shared = z.array(z.string()).parse(JSON.parse(text));
  });
  return () => given ?? shared;
}

/** A broker that clients reach through a proxy alone. */
export interface ProxiedBroker {
  readonly addresses: readonly string[];
  readonly proxy: Proxy;
}

/** A broker behind a proxy for the tests of a file, once they run. */
export function proxiedBroker(properties: ClusterOptions['properties'] = {}): () => ProxiedBroker {
  let place: (ProxiedBroker & { readonly cluster: KafkaCluster }) | undefined;
  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    const cluster = await KafkaCluster.start({ advertisedPorts: [port], properties });
    const proxy = new Proxy(cluster.port(0));
    await proxy.listen(port);
    place = { cluster, proxy, addresses: cluster.addresses };
  });
  afterAll(async () => {
    place?.proxy.close();
    await place?.cluster.stop();
  });
  return () => {
    if (place) return place;
    throw new Error('the broker has not been started');
  };
}
