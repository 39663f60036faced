import { once } from 'node:events';
import { ClickHouseServer } from './clickhouse/server.ts';
import { KafkaCluster } from './kafka/broker.ts';

process.stdout.write('starting Kafka and ClickHouse; the first time Maven fetches Kafka\n');
// `npm run stack`: what the roles run around, in the foreground, for development, until Ctrl-C: Apache Kafka, and
// ClickHouse's engine behind a stand-in for its server.
const [kafka, clickhouse] = await Promise.all([KafkaCluster.start(), ClickHouseServer.start()]);
const environment = [
  `KAFKA_BROKERS=${kafka.addresses.join()} CLICKHOUSE_URL=${clickhouse.url}`,
  'PLIMSOLL_KAFKA_REPLICATION=1 PLIMSOLL_KAFKA_PARTITIONS=3', // there is one broker
];
process.stdout.write(
  `Kafka listens on ${kafka.addresses.join()}, ClickHouse on ${clickhouse.url}. In other terminals:\n`,
);
process.stdout.write(`  export ${environment.join(' ')}\n`);
process.stdout.write(
  '  npm start -- --config config/all-kafka.yaml # or one each with ingest, store, assess.yaml\n',
);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await Promise.all([kafka.stop(), clickhouse.stop()]);
