import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { OwnershipLost } from '../../src/core/stream.ts';
import { contractGroups, contractPartitions, streamContract, type StreamPlace } from '../contract/stream.ts';
import { until } from '../until.ts';
import { HandClock, hour, logIn, removeFolder, soon, temporaryFolder, topicOf } from './embedded-place.ts';

const script = fileURLToPath(new URL('append-until-killed.ts', import.meta.url));
const clocks = new WeakMap<StreamPlace, HandClock>();

async function newPlace(): Promise<StreamPlace> {
  const directory = temporaryFolder();
  const clock = new HandClock(Date.now());
  const place: StreamPlace = {
    open: () =>
      logIn(directory, clock).stream(
        topicOf({
          partitions: contractPartitions,
          groups: contractGroups,
          retention: { ageMs: hour, bytes: 2 ** 30, minAfterCommitMs: 0 },
        }),
      ),
    appendAndKill: async (records) => {
      const child = spawn(process.execPath, [script, directory, String(records)], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.on('data', (text) => (said += String(text)));
      await until('every acknowledgement', () => said.includes(`acknowledged ${records - 1}\n`));
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    remove: async () => Promise.resolve(removeFolder(directory)),
  };
  clocks.set(place, clock);
  return Promise.resolve(place);
}

streamContract('the embedded log', newPlace, {
  countsAppendedSpans: true,
  consumeAbortsBeforeItBegins: true,
  expire: async (place, stream, offset) => {
    for (const group of contractGroups) {
      const consumer = stream.consumer(group, async (claim) => {
        if (claim.partition === 0) await claim.commit({ position: { offset, index: 0 }, metadata: '' });
      });
      await consumer.start();
      await consumer.stop(soon());
    }
    clocks.get(place)?.advance(2 * hour);
    let start = 0;
    const watcher = stream.consumer('assess', async (claim, stopping) => {
      while (claim.partition === 0 && start < offset && !stopping.aborted) {
        start = (await claim.bounds()).start;
        await claim.read(1e9, 1, 20).catch((error: unknown) => {
          if (!(error instanceof OwnershipLost)) throw error;
        });
      }
    });
    await watcher.start();
    await until('retention', () => start >= offset);
    await watcher.stop(soon());
  },
});
