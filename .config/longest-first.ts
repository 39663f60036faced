import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The files that take longest, in the order in which they begin: those that compute among those that fetch, build and
 * wait, so that neither have the machine to themselves.
 */
const long = [
  'interop/collector',
  'faults/faults',
  'frameworks/python',
  'deploy/package',
  'stream/kafka-failover',
  'e2e/kafka',
  'frameworks/javascript',
  'deploy/containerfile',
  'deploy/helm',
  'stream/kafka-group',
  'e2e/runs',
  'stream/kafka-topic',
  'e2e/dlq',
  'store/server-faults',
  'stream/kafka-security',
  'store/crash',
  'page/page',
  'stream/kafka-contract',
  'e2e/kill',
  'stream/kafka-appender',
  'e2e/clickhouse-server',
  'e2e/incidents',
  'e2e/drill',
  'store/clickhouse-check',
  'store/traces-table',
  'deploy/cookbook',
  'oracle/oracle',
  'e2e/commands',
  'policy/render',
  'e2e/bad-input',
  'stream/kafka',
  'enrich/enricher',
  'e2e/alerts',
  'e2e/rollback',
].map((name) => `${root}test/${name}.test.ts`);

for (const file of long)
  if (!existsSync(file)) throw new Error(`.config/longest-first.ts names ${file}, which is not there`);

/** Begins with the files that take longest: one that begins last would keep the others waiting for it. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification): number => {
      const at = long.indexOf(moduleId);
      return at < 0 ? long.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}
