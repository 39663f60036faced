import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isAlive } from '../is-alive.ts';
import { until } from '../until.ts';
import { GuardedChild, TearDown } from '../../src/cli/tear-down.ts';

const begun = (ended: string[], failing: readonly string[] = []): TearDown => {
  const tearDown = new TearDown();
  for (const name of ['folder', 'pipeline', 'fleet']) {
    const end = (): void => {
      ended.push(name);
      if (failing.includes(name)) throw new Error(`the ${name} cannot end`);
    };
    tearDown.add({ end: name === 'fleet' ? async () => end() : end, ...(name !== 'fleet' && { kill: end }) });
  }
  return tearDown;
};

test('everything ends after the work, the last first, and its result is kept', async () => {
  const ended: string[] = [];
  expect(await begun(ended).after(async () => 7)).toBe(7);
  expect(ended).toEqual(['fleet', 'pipeline', 'folder']);
});

test('an end that fails keeps no other from happening, and the first fault is told', async () => {
  const ended: string[] = [];
  const work = begun(ended, ['fleet', 'pipeline']).after(async () => 7);
  await expect(work).rejects.toThrow('the fleet cannot end');
  expect(ended).toEqual(['fleet', 'pipeline', 'folder']);
});

test('what went wrong in the work is told before what went wrong in its end', async () => {
  const ended: string[] = [];
  const work = begun(ended, ['fleet']).after(async () => Promise.reject(new Error('the pipeline ended')));
  await expect(work).rejects.toThrow('the pipeline ended');
  expect(ended).toEqual(['fleet', 'pipeline', 'folder']);
});

test('a kill waits for nothing and passes over what it cannot kill', () => {
  const ended: string[] = [];
  begun(ended, ['pipeline']).kill();
  expect(ended).toEqual(['pipeline', 'folder']);
});

test.each([
  ['ends when it is asked to', ''],
  ['that does not end when it is asked to is killed', "trap '' TERM; "],
])('a child %s', async (_, deaf) => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-child-'));
  const script = `${deaf}echo $$ > pid.new; mv pid.new pid; while :; do sleep 0.05; done`;
  const child = new GuardedChild('sh', ['-c', script], folder);
  const file = join(folder, 'pid');
  await until('the child', () => existsSync(file));
  const pid = Number(readFileSync(file, 'utf8'));
  await child.end(deaf === '' ? undefined : 20);
  await until('its end', () => !isAlive(pid));
  await child.end(); // it has ended, and there is nothing to wait for
  rmSync(folder, { recursive: true });
});
