import { configDefaults, defineConfig } from 'vitest/config';
import { collectorMissing } from '../test/interop/requires-collector.ts';
import { CountReporter } from './count-reporter.ts';

/** Tests may take this long; ten times as many cases, ten times as long. */
const limitMs = 60 * Number(process.env['PLIMSOLL_TEST_RUNS'] ?? 1000);

/** Where no Collector can be built, what is between us and one is no test at all. */
const withoutCollector = collectorMissing === undefined ? [] : ['test/interop/**'];
if (collectorMissing !== undefined) process.stderr.write(`no tests with a Collector: ${collectorMissing}\n`);

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...withoutCollector],
    pool: 'forks',
    reporters: ['default', new CountReporter()],
    testTimeout: limitMs,
    hookTimeout: limitMs,
  },
});
