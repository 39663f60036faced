import type { Component } from '../core/component.ts';
import type { Log } from '../core/log.ts';
import type { ClickHouse } from './clickhouse.ts';
import { embeddedDialect, migrate, readMigrations } from './migrations.ts';

/** ClickHouse with its tables: open once every migration has been applied. */
export class Tables implements Component {
  readonly name = 'tables';
  readonly #clickhouse: ClickHouse;
  readonly #log: Log;

  constructor(clickhouse: ClickHouse, log: Log) {
    this.#clickhouse = clickhouse;
    this.#log = log;
  }

  async start(): Promise<void> {
    await this.#clickhouse.start();
    await migrate(this.#clickhouse, await readMigrations(), embeddedDialect, this.#log);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    await this.#clickhouse.stop(deadline);
  }
}
