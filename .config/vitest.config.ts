import { defineConfig } from 'vitest/config';
import { CountReporter } from './count-reporter.ts';

/** Tests may take this long; ten times as many cases, ten times as long. */
const limitMs = 60 * Number(process.env['PLIMSOLL_TEST_RUNS'] ?? 1000);

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    reporters: ['default', new CountReporter()],
    testTimeout: limitMs,
    hookTimeout: limitMs,
  },
});
