// Run as a process of its own: appends records one by one to the folder named by its argument, says so, and goes on until it is killed, or stops when told to.
import { systemClock } from '../../src/core/clock.ts';
import { recordOf } from '../contract/stream-records.ts';
import { logIn, never, topicOf } from './embedded-place.ts';

const [directory = '', records = '0', then = 'go on'] = process.argv.slice(2);
const stream = logIn(directory, systemClock).stream(topicOf());
await stream.start();
for (let n = 0; n < Number(records); n++) await stream.consume([recordOf(`killed-${n}`)], never);
process.stdout.write('acknowledged\n');
if (then === 'go on') for (let n = 0; ; n++) await stream.consume([recordOf(`later-${n}`)], never);
await stream.stop(never);
