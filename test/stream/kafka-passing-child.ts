// Run as a process of its own, as `OPTIONS-IN-JSON BROKER…`: writes and reads a stream, stops it, and ends when nothing is
// left that would keep it alive.
import { holder } from '../contract/stream.ts';
import { recordOf } from '../contract/stream-records.ts';
import { until } from '../until.ts';
import { kafkaStream } from './kafka-place.ts';

const [options = '{}', ...brokers] = process.argv.slice(2);
const stream = kafkaStream(brokers, JSON.parse(options) as Parameters<typeof kafkaStream>[1]); // oxlint-disable-line typescript/no-unsafe-type-assertion -- whoever starts it wrote that
await stream.start();
await stream.consume([recordOf('a')], new AbortController().signal);
const { consumer, claims } = holder(stream, 'store');
await consumer.start();
await (await until('a claim', () => claims[0])).read(0, 1e6, 5000);
await stream.stop(AbortSignal.timeout(10_000));
process.stdout.write('stopped\n');
