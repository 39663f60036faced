// Run as a process of its own: appends records one by one to the folder named by its argument, says so after each of the
// first ones, and goes on until it is killed, or stops when told to. It ends when its standard input does, so that it
// never outlives the test that started it.
import { writeSync } from 'node:fs';
import { systemClock } from '../../src/core/clock.ts';
import { recordOf } from '../contract/stream-records.ts';
import { logIn, never, topicOf } from './embedded-place.ts';

process.stdin.resume().once('close', () => process.exit(1));
const [directory = '', records = '0', then = 'go on'] = process.argv.slice(2);
const stream = logIn(directory, systemClock).stream(topicOf());
await stream.start();
for (let n = 0; n < Number(records); n++) {
  await stream.consume([recordOf(`killed-${n}`)], never);
  writeSync(1, `acknowledged ${n}\n`);
}
if (then === 'go on') for (let n = 0; ; n++) await stream.consume([recordOf(`later-${n}`)], never);
await stream.stop(never);
process.stdin.destroy().removeAllListeners('close');
