import type { Sample } from '../../src/cli/demo-table.ts';
import type { Ledger, Verdict } from './ledger.ts';
import type { Role } from './role.ts';
import { eventually, groups, partitions, valueOf, type Stage } from './stage.ts';
import { deadSpanIds, repeatedPositions, rowsById, runRows, runsAmiss } from './table-rows.ts';

const drainMs = 300_000;
const countMs = 60_000;

/** What a ledger is worth once everything has come to rest. */
export interface Reckoning extends Verdict {
  /** Rows beyond the first of their position in the stream. */
  readonly repeatedPositions: number;
  /** Spans that the stores have passed by their own count, and that are neither stored, dead nor expired by it. */
  readonly unaccounted: number;
  /** Runs that have a row and were not counted, or that were counted more than once. */
  readonly miscountedRuns: number;
}

/** Compares the ledger with what is there, once everything has come to rest. Nobody sends meanwhile. */
export async function reckon(stage: Stage, ledger: Ledger): Promise<Reckoning> {
  await settled(stage);
  const { clickhouse, deadLetters } = stage.around;
  return {
    ...ledger.compare(await rowsById(clickhouse, ledger), await deadSpanIds(deadLetters)),
    repeatedPositions: await repeatedPositions(clickhouse),
    unaccounted: await unaccounted(stage.stores),
    miscountedRuns: stage.isPlanted ? 0 : await miscountedRuns(stage),
  };
}

/**
 * Resolves when nothing is appended any more, both groups have committed everything that was, and every run has its row;
 * rejects when some never gets it. The stores of a plant store no runs.
 */
export async function settled(stage: Stage): Promise<void> {
  // A receiver that stops in order finishes its appends; it starts again at once.
  await Promise.all(stage.ingests.map(async (ingest) => ingest.up().then(async () => ingest.end('SIGTERM'))));
  for (const group of Object.values(groups)) {
    await eventually(
      `${group} to have committed everything`,
      async () => {
        const lag = await stage.around.spans.lag(group);
        return lag.length === partitions && lag.every((records) => records === 0);
      },
      drainMs,
    );
  }
  if (stage.isPlanted) return;
  await eventually(
    'a row of every run, with what its spans add up to',
    async () => (await runsAmiss(stage.around.clickhouse)) === 0,
    drainMs,
  );
}

/** Gives the counters a while: they are exported once they are committed. */
async function miscountedRuns({ counters, around }: Stage): Promise<number> {
  const rows = await runRows(around.clickhouse);
  const isCounted = async (): Promise<boolean> =>
    Promise.resolve(counters.total('plimsoll_runs_total') === rows);
  await eventually('every run to be counted once', isCounted, countMs).catch(() => undefined); // the difference says it
  return counters.total('plimsoll_runs_total') - rows;
}

/** Asks the owners of all partitions. */
async function unaccounted(stores: readonly Role[]): Promise<number> {
  return eventually('the stores to say what they have stored', async () => {
    const all = await Promise.all(stores.map(async (store) => store.samples()));
    const counted = Array.from({ length: partitions }, (_, partition) =>
      differenceOf(all, String(partition)),
    );
    const known = counted.filter((difference) => difference !== undefined);
    return known.length === partitions && { spans: known.reduce((sum, spans) => sum + spans, 0) };
  }).then(({ spans }) => spans);
}

/** What the owner of a partition, who has committed most of it, counts of its spans. */
function differenceOf(all: readonly (readonly Sample[])[], partition: string): number | undefined {
  const of = (samples: readonly Sample[], what: string): number =>
    valueOf(samples, `plimsoll_store_${what}_spans`, { partition });
  const [owner] = all.toSorted((a, b) => of(b, 'committed') - of(a, 'committed'));
  if (!owner || of(owner, 'committed') === 0) return undefined;
  return of(owner, 'committed') - of(owner, 'stored') - of(owner, 'dead') - of(owner, 'expired');
}
