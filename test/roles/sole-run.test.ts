import { expect, test } from 'vitest';
import { soleRun } from '../../src/roles/sole-run.ts';

test('of what is asked for while work is under way only the last is done, after it', async () => {
  const begun: string[] = [];
  const first = Promise.withResolvers<void>();
  const run = soleRun(async (given: string) => {
    begun.push(given);
    if (given === 'first') await first.promise;
  });
  const all = [run('first'), run('second'), run('third')];
  expect(begun).toEqual(['first']);
  first.resolve();
  await Promise.all(all);
  expect(begun).toEqual(['first', 'third']);
  await run('fourth');
  expect(begun).toEqual(['first', 'third', 'fourth']);
});

test('work that failed is begun again', async () => {
  let runs = 0;
  const run = soleRun(async () => {
    runs++;
    await Promise.reject(new Error('down'));
  });
  for (let asks = 0; asks < 2; asks++) await expect(run(undefined)).rejects.toThrow('down');
  expect(runs).toBe(2);
});
