import { once } from 'node:events';
import { KafkaCluster } from './broker.ts';

// `npm run stack`: Apache Kafka in the foreground, for development, until Ctrl-C.
const cluster = await KafkaCluster.start();
process.stdout.write(`Kafka listens on ${cluster.addresses.join()}. In another terminal:\n`);
process.stdout.write(
  `  KAFKA_BROKERS=${cluster.addresses.join()} npm start -- --config config/all-kafka.yaml\n`,
);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await cluster.stop();
