import { join } from 'node:path';
import { ClickHouseServer } from '../clickhouse/server.ts';
import { freePorts } from '../free-ports.ts';
import { KafkaCluster } from '../kafka/broker.ts';
import { Proxy } from '../kafka/proxy.ts';
import { KafkaView } from './kafka-view.ts';
import { SmallDisk } from './small-disk.ts';

const brokers = 3;
const diskMebibytes = 2048;
export const topic = 'otlp_spans';
export const deadLetterTopic = `${topic}_dlq`;

/** Apache Kafka and ClickHouse, each in processes of its own that can fail. */
export interface Surroundings {
  readonly kafka: KafkaCluster;
  /** One before each broker, between it and its clients. */
  readonly proxies: readonly Proxy[];
  /** The topics as an operator sees them. */
  readonly spans: KafkaView;
  readonly deadLetters: KafkaView;
  readonly clickhouse: ClickHouseServer;
  /** Where ClickHouse keeps its data; undefined where a disk of its own cannot be mounted. */
  readonly disk: SmallDisk | undefined;
  stop(): Promise<void>;
}

/** Starts them with their data below `folder`; resolves when they take requests. */
export async function startSurroundings(folder: string): Promise<Surroundings> {
  const stops: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const undo of stops.toReversed()) await undo();
  };
  try {
    const ports = await freePorts(brokers);
    const kafka = await KafkaCluster.start({ brokers, advertisedPorts: ports });
    stops.push(async () => kafka.stop());
    const proxies = ports.map((_, at) => new Proxy(kafka.port(at)));
    await Promise.all(proxies.map(async (proxy, at) => proxy.listen(ports[at] ?? 0)));
    stops.push(() => proxies.forEach((proxy) => proxy.close()));
    const directory = join(folder, 'clickhouse');
    const disk = SmallDisk.mount(directory, diskMebibytes);
    if (disk) stops.push(() => disk.unmount());
    const clickhouse = await ClickHouseServer.start({ directory });
    stops.push(async () => clickhouse.stop());
    const [spans, deadLetters] = [topic, deadLetterTopic].map((name) => new KafkaView(kafka.addresses, name));
    if (!spans || !deadLetters) throw new Error('no topic');
    stops.push(() => [spans, deadLetters].forEach((view) => view.close()));
    return { kafka, proxies, spans, deadLetters, clickhouse, disk, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
