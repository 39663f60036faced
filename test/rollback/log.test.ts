import { afterEach, beforeEach, expect, test } from 'vitest';
import { logLines } from './log-lines.ts';
import { planWith, requestWith, Site } from './site.ts';

let site: Site;
beforeEach(() => (site = new Site()));
afterEach(() => site.remove());

test('what happens to a rollback is logged once, by the process that does it, and not again by one that starts later', async () => {
  const { log, lines } = logLines();
  const executor = site.executor({ log });
  const other = site.executor({ log });
  await executor.request(requestWith());
  for (const each of [executor, other, executor]) await each.round();
  const outcome = executor.status(undefined).attempts[0];
  const of = { agent: 'refund', environment: 'production', release: 'v2', id: outcome?.id };
  const expected = [
    { ...of, level: 30, msg: 'a rollback is asked for', by: 'judge', reason: 'run_success is worse' },
    { ...of, level: 40, msg: 'a target was told to roll back', to: 'v1' },
    { ...of, level: 30, msg: 'a rollback is done', to: 'v1' },
  ];
  expect(lines()).toMatchObject(expected);
  await site.executor({ log }).round();
  expect(lines()).toHaveLength(expected.length);
});

test('what waits for people, or is only said, and a stop are logged', async () => {
  const { log, lines } = logLines();
  const executor = site.executor({ log });
  site.plan = planWith({ mode: 'approve' });
  await executor.request(requestWith());
  await executor.round();
  site.plan = planWith({ mode: 'dry_run' });
  await executor.request(requestWith({ release: 'v3' }));
  await executor.round();
  await executor.decisions.stopAll('ana', 'an audit');
  await executor.decisions.resume('bo');
  expect(lines().map(({ level, msg, release }) => [level, msg, release])).toEqual([
    [30, 'a rollback is asked for', 'v2'],
    [40, 'a rollback is awaiting_approval', 'v2'],
    [30, 'a rollback is asked for', 'v3'],
    [30, 'a rollback is a dry run: nothing is done', 'v3'],
    [40, 'all rollbacks are stopped', undefined],
    [30, 'rollbacks are resumed', undefined],
  ]);
  expect(lines()[4]).toMatchObject({ by: 'ana', reason: 'an audit' });
});
