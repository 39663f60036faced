import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { npmMissing, parserMissing, pipMissing } from '../test/frameworks/requires-packages.ts';
import { goMissing } from '../test/requires-go.ts';
import { CountReporter } from './count-reporter.ts';
import { LongestFirst } from './longest-first.ts';

/** Tests may take this long; ten times as many cases, ten times as long. */
const limitMs = 600 * Number(process.env['PLIMSOLL_TEST_RUNS'] ?? 200);

/** What a machine must fetch or build before it can test with it is no test at all where it cannot. */
function without(what: string, missing: string | undefined, ...files: readonly string[]): readonly string[] {
  if (missing === undefined) return [];
  process.stderr.write(`no tests with ${what}: ${missing}\n`);
  return files;
}
const withoutThese = [
  ...without(
    'a Collector or a program in Go',
    goMissing,
    'test/interop/**',
    'test/instrument/go.test.ts',
    'test/deploy/{compose,helm}.test.ts',
  ),
  ...without('agent frameworks in JavaScript', npmMissing, 'test/{frameworks,instrument}/javascript.test.ts'),
  ...without(
    'the package as it is installed, and the image',
    npmMissing,
    'test/deploy/{package,containerfile}.test.ts',
  ),
  ...without('agent frameworks in Python', pipMissing, 'test/{frameworks,instrument}/python.test.ts'),
  ...without('the reference parser of OpenMetrics', parserMissing, 'test/metrics/reference-parser.test.ts'),
];

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...withoutThese],
    globalSetup: ['test/kafka/shared-brokers.ts', 'test/deploy/shared-package.ts'],
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') }, // children of tests start sooner; the program's own has this place, too
    pool: 'forks',
    maxWorkers: availableParallelism() + 2, // those that start servers, fetch and build wait most of the time
    sequence: { sequencer: LongestFirst },
    reporters: ['default', new CountReporter()],
    testTimeout: limitMs,
    hookTimeout: limitMs,
  },
});
