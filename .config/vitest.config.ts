import { configDefaults, defineConfig } from 'vitest/config';
import { npmMissing, pipMissing } from '../test/frameworks/requires-packages.ts';
import { goMissing } from '../test/requires-go.ts';
import { CountReporter } from './count-reporter.ts';

/** Tests may take this long; ten times as many cases, ten times as long. */
const limitMs = 60 * Number(process.env['PLIMSOLL_TEST_RUNS'] ?? 1000);

/** What a machine must fetch or build before it can test with it is no test at all where it cannot. */
function without(what: string, missing: string | undefined, ...files: readonly string[]): readonly string[] {
  if (missing === undefined) return [];
  process.stderr.write(`no tests with ${what}: ${missing}\n`);
  return files;
}
const withoutThese = [
  ...without('a Collector or a program in Go', goMissing, 'test/interop/**', 'test/instrument/go.test.ts'),
  ...without('agent frameworks in JavaScript', npmMissing, 'test/{frameworks,instrument}/javascript.test.ts'),
  ...without('agent frameworks in Python', pipMissing, 'test/{frameworks,instrument}/python.test.ts'),
];

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...withoutThese],
    pool: 'forks',
    reporters: ['default', new CountReporter()],
    testTimeout: limitMs,
    hookTimeout: limitMs,
  },
});
