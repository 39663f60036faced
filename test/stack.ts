import { once } from 'node:events';
import { ClickHouseServer } from './clickhouse/server.ts';
import { KafkaCluster } from './kafka/broker.ts';

// `npm run stack`: what the roles run around, in the foreground, for development, until Ctrl-C: Apache Kafka, and
// ClickHouse's engine behind a stand-in for its server.
const [kafka, clickhouse] = await Promise.all([KafkaCluster.start(), ClickHouseServer.start()]);
const environment = `KAFKA_BROKERS=${kafka.addresses.join()} CLICKHOUSE_URL=${clickhouse.url}`;
process.stdout.write(
  `Kafka listens on ${kafka.addresses.join()}, ClickHouse on ${clickhouse.url}. In another terminal:\n`,
);
process.stdout.write(`  ${environment} npm start -- --config config/all-kafka.yaml\n`);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await Promise.all([kafka.stop(), clickhouse.stop()]);
