import { setTimeout as sleep } from 'node:timers/promises';
import type { Component } from '../core/component.ts';
import { messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type { Position } from '../core/stream.ts';
import { clockFault, serverFaults, tableFaults } from './clickhouse-check.ts';
import { ClickHouseFault, loggable, mayPass, remedyOf } from './clickhouse-fault.ts';
import type { ClickHouse } from './clickhouse.ts';
import {
  aloneDialect,
  appliedMigrations,
  clusterDialect,
  migrate,
  readMigrations,
  type Migration,
} from './migrations.ts';
import type { Origin, PositionSet, Stretch } from './place.ts';
import type { Aged, Marked, RecountedTable } from './recounted-table.ts';
import type { RowsTarget } from './row-store.ts';
import { rowSettings, rowTables } from './row-tables.ts';
import { applyTtls, type TableTtls } from './table-ttl.ts';
import type { Insert } from './table.ts';
import { TracesTable } from './traces-table.ts';

/** ClickHouse, and what is particular about the tables in it. */
export interface TablesOptions {
  readonly clickhouse: ClickHouse;
  /** Whose replicas keep the tables; undefined when one ClickHouse does. */
  readonly cluster: string | undefined;
  /** Whether it is a server, where others may have changed the tables, or the server itself, since they were made. */
  readonly isServer: boolean;
  /** How long rows are kept; without it, as the tables say. */
  readonly ttls?: TableTtls;
  /** Whether the tables are only asked: they are not made, nor brought up to date, but refused where that would be needed. */
  readonly isOnlyAsked?: boolean;
  readonly log: Log;
}

/** A late insert of rows does no harm, so this only ends what a server would keep waiting. */
const rowsDeadlineMs = 300_000;

/** How long a start waits for a ClickHouse that does not answer before it goes on without. */
const patienceMs = 5000;

/**
 * ClickHouse with its tables, which are there once every migration has been applied. A ClickHouse that is down does not
 * keep the process from starting: until it answers, every use of the tables begins by trying again.
 */
export class Tables implements Component, RecountedTable, RowsTarget {
  readonly name = 'tables';
  readonly #options: TablesOptions;
  readonly #traces: TracesTable;
  #opening: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: TablesOptions) {
    this.#options = options;
    this.#traces = new TracesTable(options.clickhouse, { isReplicated: options.cluster !== undefined });
  }

  /** Rejects when only an operator can help, and when the error is none of ClickHouse's. */
  async start(): Promise<void> {
    const opened = this.#open().catch((error: unknown) => {
      if (!mayPass(error)) throw error;
      this.#options.log.warn(loggable(error), 'ClickHouse cannot be used yet; the store waits for it');
    });
    const waited = new AbortController();
    const patience = sleep(patienceMs, undefined, { signal: waited.signal }).catch(() => undefined); // opened first
    await Promise.race([opened, patience]).finally(() => waited.abort());
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#isStopped = true;
    await this.#options.clickhouse.stop(deadline);
  }

  nowMs(): number {
    return this.#traces.nowMs();
  }

  async insert(insert: Insert): Promise<void> {
    await this.#open();
    await this.#traces.insert(insert);
  }

  async held(origin: Origin, stretch: Stretch): Promise<Marked> {
    await this.#open();
    return this.#traces.held(origin, stretch);
  }

  async positions(
    origin: Origin,
    stretch: Stretch,
  ): Promise<{ readonly rows: number; readonly present: PositionSet }> {
    await this.#open();
    return this.#traces.positions(origin, stretch);
  }

  async rowsAt(origin: Origin, positions: readonly Position[]): Promise<PositionSet> {
    await this.#open();
    return this.#traces.rowsAt(origin, positions);
  }

  async highest(origin: Origin, from: Position): Promise<Position | undefined> {
    await this.#open();
    return this.#traces.highest(origin, from);
  }

  async count(origin: Origin, stretch: Stretch): Promise<number> {
    await this.#open();
    return this.#traces.count(origin, stretch);
  }

  async doubled(origin: Origin, stretch: Stretch, limit: number): Promise<readonly Position[]> {
    await this.#open();
    return this.#traces.doubled(origin, stretch, limit);
  }

  async oldest(
    origin: Origin,
    stretch: Stretch,
  ): Promise<{ readonly offset: number; readonly timeMs: number } | undefined> {
    await this.#open();
    return this.#traces.oldest(origin, stretch);
  }

  async aged(): Promise<Aged> {
    await this.#open();
    return this.#traces.aged();
  }

  async rederive(origin: Origin, stretch: Stretch): Promise<void> {
    await this.#open();
    await this.#traces.rederive(origin, stretch);
  }

  async insertRows(table: string, body: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    await this.#open();
    const { clickhouse } = this.#options;
    try {
      await clickhouse.insertBlock({
        table,
        columns: rowTables.get(table)?.columns ?? [],
        format: 'JSONEachRow',
        settings: rowSettings,
        deadlineMs: clickhouse.nowMs() + rowsDeadlineMs,
        signal,
        body,
      });
    } catch (error) {
      if (remedyOf(error) !== 'rows') throw error;
      throw new ClickHouseFault(
        'operator',
        `${table} takes no more rows: ${messageOf(error)}: remove the constraint, or the change of the table, that refuses them`,
        { cause: error },
      );
    }
  }

  async #open(): Promise<void> {
    if (this.#isStopped) throw new Error('the tables are closed');
    this.#opening ??= this.#prepare().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    await this.#opening;
  }

  async #prepare(): Promise<void> {
    const { clickhouse, cluster, isServer, ttls, isOnlyAsked, log } = this.#options;
    await clickhouse.start();
    const migrations = await readMigrations();
    if (isServer) refuse(await serverFaults(clickhouse, cluster, migrations));
    const dialect = cluster === undefined ? aloneDialect : clusterDialect(cluster);
    if (isOnlyAsked === true) refuse(await missingMigrations(clickhouse, migrations));
    else await migrate(clickhouse, migrations, dialect, log);
    if (isServer) refuse(await tableFaults(clickhouse, cluster));
    if (ttls) await applyTtls(clickhouse, ttls, dialect, log);
    if (!isServer) return;
    const skew = clockFault(clickhouse);
    if (skew !== undefined) log.warn(skew);
  }
}

async function missingMigrations(
  clickhouse: ClickHouse,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  const applied = await appliedMigrations(clickhouse, migrations);
  const missing = migrations.filter(({ number }) => !applied.has(number));
  if (missing.length === 0) return [];
  return [
    applied.size === 0
      ? 'the tables are not there: start the pipeline that stores, which makes them, or give its configuration'
      : `the tables are older than this program, which has ${missing.length} more migrations: start the pipeline of this version, which brings them up to date, or run the version that made them`,
  ];
}

function refuse([fault]: readonly string[]): void {
  if (fault !== undefined) throw new ClickHouseFault('operator', fault, {});
}
