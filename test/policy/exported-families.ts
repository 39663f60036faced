import { readFileSync } from 'node:fs';
import { Telemetry } from '../../src/core/telemetry.ts';
import { judgeFamilies } from '../../src/judge/judge-families.ts';
import { genesis } from '../../src/rollback/chain.ts';
import { RollbackBook } from '../../src/rollback/rollback-book.ts';
import { rollbackFamilies } from '../../src/rollback/rollback-families.ts';

/** The names of the metrics that a pipeline exports. */
export async function exportedFamilies(): Promise<ReadonlySet<string>> {
  const exported = readFileSync(new URL('../golden/metrics.txt', import.meta.url), 'utf8');
  const own = await new Telemetry().registry.metrics();
  const ignored = { again: 0, late: 0, relabelled: 0, unsound: 0, refused: 0 };
  const ofReleases = judgeFamilies([], ignored);
  const ofRollbacks = rollbackFamilies({
    book: new RollbackBook(),
    head: genesis,
    voids: 0,
    requests: [],
    isActing: true,
    stopReason: undefined,
    fault: undefined,
    nowMs: 0,
  });
  return new Set([
    ...[...`${exported}${own}`.matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name),
    ...[...ofReleases, ...ofRollbacks].map(({ name }) => name),
  ]);
}
