import { once } from 'node:events';
import { createServer } from 'node:http';
import type { TestProject } from 'vitest/node';
import { KafkaCluster } from './broker.ts';

declare module 'vitest' {
  interface ProvidedContext {
    readonly sharedBrokersUrl: string;
  }
}

const clusters = new Map<string, Promise<KafkaCluster>>();

const server = createServer((request, response) => {
  const path = request.url ?? '';
  const cluster = clusters.get(path) ?? KafkaCluster.start({ brokers: path === '/3' ? 3 : 1 });
  clusters.set(path, cluster);
  cluster.then(
    ({ addresses }) => response.end(JSON.stringify(addresses)),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
});

/**
 * Clusters that the test files of a run share, each started when the first of them asks: `GET /1` and `GET /3` of
 * `sharedBrokersUrl` answer, as JSON, the addresses of one with so many brokers.
 */
export async function setup(project: TestProject): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('a TCP server has a port');
  project.provide('sharedBrokersUrl', `http://127.0.0.1:${address.port}`);
}

/** Ends them. */
export async function teardown(): Promise<void> {
  server.close();
  server.closeAllConnections();
  for (const cluster of await Promise.allSettled(clusters.values()))
    if (cluster.status === 'fulfilled') await cluster.value.stop();
}
