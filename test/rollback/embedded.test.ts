import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EmbeddedLog } from '../../src/stream/embedded.ts';
import {
  hour,
  logIn,
  soon,
  temporaryFolder,
  removeFolder,
  topicOf,
  HandClock,
} from '../stream/embedded-place.ts';
import { noon, requestWith, Site } from './site.ts';

let folder: string;
let site: Site;
beforeEach(() => {
  folder = temporaryFolder();
  site = new Site();
});
afterEach(() => {
  site.remove();
  removeFolder(folder);
});

function journalIn(log: EmbeddedLog) {
  const retention = { ageMs: 1000 * hour, bytes: 2 ** 30, minAfterCommitMs: 0 };
  return log.stream(topicOf({ topic: 'plimsoll_rollbacks', partitions: 1, groups: ['nobody'], retention }));
}

test('on the embedded stream a rollback goes on where a restart left it', async () => {
  site.figures.clear();
  const file = join(folder, 'rollbacks.jsonl');
  const clock = new HandClock(noon);
  const first = journalIn(logIn(join(folder, 'stream'), clock));
  await first.start();
  const before = site.executor({ journal: first, file });
  await before.start();
  await before.request(requestWith());
  await before.round();
  await before.round();
  expect(before.status(undefined).attempts).toMatchObject([{ state: 'verifying' }]);
  await before.stop(soon());
  await first.stop(soon());

  const second = journalIn(logIn(join(folder, 'stream'), clock));
  await second.start();
  const after = site.executor({ journal: second, file });
  await after.start();
  expect(after.status(undefined).head).toEqual(before.status(undefined).head);
  expect(await after.request(requestWith())).toMatchObject({ kind: 'joined' });
  site.figures.set('v1', { meets: true, events: 30 });
  site.clock.advance(5000);
  await after.round();
  expect(after.status(undefined).attempts).toMatchObject([{ state: 'done' }]);
  expect(site.target.orders).toHaveLength(1);
  await after.stop(soon());
  await second.stop(soon());
});

test('two processes that ask and act at once, many times, keep one chain and do each thing once', async () => {
  const stream = journalIn(logIn(join(folder, 'stream'), new HandClock(noon)));
  await stream.start();
  const both = [1, 2].map((number) =>
    site.executor({ journal: stream, file: join(folder, `${number}.jsonl`), perHour: 1000, perDay: 1000 }),
  );
  site.target.release = undefined;
  const agents = Array.from({ length: 8 }, (_, index) => `agent-${index}`);
  site.plan = { ...site.plan!, cooldownMs: 1, perDay: 100 };
  await Promise.all(
    agents.flatMap((agent, index) =>
      both.map(async (each) => each.request(requestWith({ agent, release: `v2.${index}` }))),
    ),
  );
  for (let rounds = 0; rounds < 40; rounds++) {
    site.clock.advance(10);
    await Promise.all(both.map(async (each) => each.round()));
  }
  const statuses = both.map((each) => each.status(undefined));
  expect(statuses[0]!.head).toEqual(statuses[1]!.head);
  expect(statuses[0]!.attempts.map(({ state }) => state)).toEqual(agents.map(() => 'done'));
  expect(new Set(site.target.orders.map(({ id }) => id)).size).toBe(agents.length);
  expect(site.target.orders).toHaveLength(agents.length);
  await stream.stop(soon());
});
