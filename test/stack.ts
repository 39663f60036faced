import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { ClickHouseServer } from './clickhouse/server.ts';
import { KafkaCluster } from './kafka/broker.ts';

// `npm run stack`: what the roles run around, in the foreground, for development, until Ctrl-C: Apache Kafka, and
// ClickHouse's engine behind a stand-in for its server.
const help = `Usage: npm run stack

Starts an Apache Kafka broker and a stand-in for a ClickHouse server on free ports of 127.0.0.1, prints what to export so
that the roles run around them, and ends both at Ctrl-C, with all that they hold. It needs Java and Maven.
`;
try {
  if (parseArgs({ options: { help: { type: 'boolean', short: 'h' } } }).values.help) {
    process.stdout.write(help);
    process.exit(0);
  }
} catch (error) {
  const [what = ''] = (error instanceof Error ? error.message : String(error)).split(/\.\s/);
  process.stderr.write(`stack: ${what}; it takes --help alone\n`);
  process.exit(2);
}

process.stdout.write('starting Kafka and ClickHouse; the first time Maven fetches Kafka\n');
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
