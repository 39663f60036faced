// Run as a process of its own, to be killed or held still, as `COMMAND TOPIC BROKER…`. It ends when its standard input
// does, so that it never outlives the test that started it.
//   append: appends records one by one and says each acknowledgement, for ever
//   own: owns partition 0 of the group store, says so, and commits offset 7 when it reads a line; says how that went
import { createInterface } from 'node:readline';
import { writeSync } from 'node:fs';
import { recordOf } from '../contract/stream-records.ts';
import { kafkaStream } from './kafka-place.ts';

const [command = '', topic = '', ...brokers] = process.argv.slice(2);
const never = new AbortController().signal;
const lines = createInterface({ input: process.stdin }).once('close', () => process.exit(1));
const stream = kafkaStream(brokers, { topic, sessionMs: 2000 });
await stream.start();

if (command === 'append') {
  for (let n = 0; ; n++) {
    await stream.consume([recordOf(`killed-${n}`)], never);
    writeSync(1, `acknowledged ${n}\n`);
  }
}
const consumer = stream.consumer('store', async (claim) => {
  if (claim.partition !== 0) return;
  writeSync(1, 'owned\n');
  await new Promise((resolve) => lines.once('line', resolve));
  await claim.commit({ position: { offset: 7, index: 0 }, metadata: 'zombie' }).then(
    () => writeSync(1, 'committed\n'),
    (error: unknown) => writeSync(1, `${String(error)}\n`),
  );
});
await consumer.start();
