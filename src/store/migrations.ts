import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type { ClickHouse } from './clickhouse.ts';
import { quoteIdentifier, quoteString } from './sql-text.ts';

/** One numbered step of the schema. Once released its text never changes: a further step changes the tables. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly text: string;
}

/** What stands for the placeholders of a migration: the same tables on one machine or on a cluster. */
export interface Dialect {
  /** An ON CLUSTER clause; empty without a cluster. */
  readonly onCluster: string;
  /** The ENGINE clause for an engine of the MergeTree family, by its plain name and what stands in its brackets. */
  readonly engine: (family: string, column?: string) => string;
  /** Settings by which a repeated insert is known. */
  readonly deduplication: string;
  /** Settings by which every insert counts, also one like another before it. */
  readonly noDeduplication: string;
  /** Settings by which an acknowledged row survives a power cut. */
  readonly durability: string;
}

/** One ClickHouse, in this process or elsewhere: nobody else holds a copy of the rows, so the disk is asked to keep them. */
export const aloneDialect: Dialect = {
  onCluster: '',
  engine: (family, column = '') => `${family}(${column})`,
  deduplication: 'non_replicated_deduplication_window = 100000',
  noDeduplication: 'non_replicated_deduplication_window = 0',
  durability: [
    'fsync_after_insert = 1',
    'fsync_part_directory = 1',
    'min_rows_to_fsync_after_merge = 1',
    'min_compressed_bytes_to_fsync_after_merge = 1',
    'old_parts_lifetime = 480',
  ].join(', '),
};

/**
 * The replicas of `cluster`: the disk is asked to keep what was inserted, which one replica alone holds at first; what
 * was merged another one has, too.
 */
export function clusterDialect(cluster: string): Dialect {
  return {
    onCluster: `ON CLUSTER ${quoteIdentifier(cluster)}`,
    engine: (family, column = '') => `Replicated${family}(${column})`,
    deduplication:
      'replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800',
    noDeduplication: 'replicated_deduplication_window = 0',
    durability: 'fsync_after_insert = 1, fsync_part_directory = 1',
  };
}

/** The program's migrations in order, as they lie beside this file. */
export async function readMigrations(): Promise<readonly Migration[]> {
  const folder = new URL('migrations/', import.meta.url);
  const files = (await readdir(folder)).filter((file) => /^\d{4}-.+\.sql$/.test(file)).toSorted();
  return Promise.all(
    files.map(async (file) => ({
      number: Number(file.slice(0, 4)),
      name: file.slice(5, -'.sql'.length),
      text: await readFile(new URL(file, folder), 'utf8'),
    })),
  );
}

/** The statements of `migration` in order, for `dialect`. */
export function statementsOf(migration: Migration, dialect: Dialect): readonly string[] {
  const text = migration.text
    .replaceAll(/^--.*\n/gm, '')
    .replaceAll('{on_cluster}', dialect.onCluster)
    .replaceAll(/\{engine:(\w+)(?:\((\w+)\))?\}/g, (_, family: string, column?: string) =>
      dialect.engine(family, column),
    )
    .replaceAll('{deduplication}', dialect.deduplication)
    .replaceAll('{no_deduplication}', dialect.noDeduplication)
    .replaceAll('{durability}', dialect.durability);
  return text
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

/**
 * Brings the tables up to the last of `migrations`, which are in order. A migration cut short is run again from its
 * start, and several processes may run the same one at once, so every statement of one can be repeated. Rejects when the
 * tables were made by other migrations.
 */
export async function migrate(
  clickhouse: Pick<ClickHouse, 'command' | 'query'>,
  migrations: readonly Migration[],
  dialect: Dialect,
  log: Log,
): Promise<void> {
  const done = await appliedMigrations(clickhouse, migrations);
  // Not where it is in use: on a cluster this waits for every replica, also for one that is down.
  if (done.size === 0) await clickhouse.command(recordTable(dialect));
  for (const migration of migrations) {
    if (done.has(migration.number)) continue;
    await apply(clickhouse, migration, dialect);
    log.debug({ number: migration.number, migration: migration.name }, 'applied a migration');
  }
}

/**
 * The numbers of the migrations that the tables have had; none where there are no tables. Rejects when they are not
 * those of `migrations`.
 */
export async function appliedMigrations(
  clickhouse: Pick<ClickHouse, 'query'>,
  migrations: readonly Migration[],
): Promise<ReadonlySet<number>> {
  const [exists] = await clickhouse.query<{ result: number }>('EXISTS TABLE plimsoll_migrations');
  if (exists?.result !== 1) return new Set();
  const applied = await clickhouse.query<{ Number: number; Name: string; Checksum: string }>(
    'SELECT Number, Name, Checksum FROM plimsoll_migrations FINAL ORDER BY Number',
  );
  const known = new Map(migrations.map((migration) => [migration.number, migration]));
  for (const { Number: number, Name: name, Checksum: checksum } of applied) {
    const migration = known.get(number);
    const which = `migration ${number} (${name})`;
    if (migration === undefined)
      throw new Error(
        `the tables have had ${which}, which this program does not know: run the newer version that applied it`,
      );
    if (checksumOf(migration) !== checksum)
      throw new Error(
        `the tables have had ${which} with another text than this program's: run the version that applied it, and change tables by a new migration`,
      );
  }
  return new Set(applied.map((row) => row.Number));
}

async function apply(
  clickhouse: Pick<ClickHouse, 'command'>,
  migration: Migration,
  dialect: Dialect,
): Promise<void> {
  const { number, name } = migration;
  const values = [number, quoteString(name), quoteString(checksumOf(migration)), 'now64(3)'];
  try {
    for (const statement of statementsOf(migration, dialect)) await clickhouse.command(statement);
    await clickhouse.command(
      `INSERT INTO plimsoll_migrations SETTINGS async_insert = 0 VALUES (${values.join(', ')})`,
    );
  } catch (cause) {
    throw new Error(`cannot apply migration ${number} (${name}): ${messageOf(cause)}`, { cause });
  }
}

/** The statement that makes the table in which it stands which migrations were applied. */
export function recordTable(dialect: Dialect): string {
  return `CREATE TABLE IF NOT EXISTS plimsoll_migrations ${dialect.onCluster}
(Number UInt32, Name String, Checksum String, AppliedAt DateTime64(3))
ENGINE = ${dialect.engine('ReplacingMergeTree')} ORDER BY Number SETTINGS ${dialect.durability}`;
}

function checksumOf(migration: Migration): string {
  return createHash('sha256').update(migration.text).digest('hex');
}
