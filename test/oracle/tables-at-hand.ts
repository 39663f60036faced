import { contentOf } from '../../src/core/table-row.ts';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { SpanEncoder } from '../../src/store/span-encoder.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { Tables } from '../../src/store/tables.ts';
import { enricher, type KpiEngine } from '../kpi-cases/kpi-engine.ts';
import { silentLog, startClickHouse } from '../store/embedded.ts';

const never = new AbortController().signal;

/** The tables of an embedded ClickHouse, filled with what an engine has read. */
export class TablesAtHand {
  readonly clickhouse: ClickHouse;
  readonly remove: () => Promise<void>;
  readonly #tables: Tables;
  readonly #encoder = new SpanEncoder(new EnrichedSpans(enricher));
  /** Records that are stored, by partition, and of rows of runs and incidents. */
  readonly #stored = new Map<number, number>();
  #storedRows = 0;
  #inserts = 0;

  private constructor(clickhouse: ClickHouse, remove: () => Promise<void>) {
    this.clickhouse = clickhouse;
    this.remove = remove;
    this.#tables = new Tables({ clickhouse, cluster: undefined, isServer: false, log: silentLog });
  }

  static async open(): Promise<TablesAtHand> {
    const { clickhouse, remove } = await startClickHouse();
    return new TablesAtHand(clickhouse, remove);
  }

  /** Stores what came since the last time, on `partitions` partitions. */
  async fill(engine: KpiEngine, partitions: number): Promise<void> {
    for (let partition = 0; partition < partitions; partition++) await this.#fillSpans(engine, partition);
    const rows = (await engine.rowRecords()).slice(this.#storedRows);
    this.#storedRows += rows.length;
    for (const [table, records] of Map.groupBy(rows, ({ headers }) => contentOf(headers)!.table))
      await this.#tables.insertRows(
        table,
        records.map(({ payload }) => payload),
        never,
      );
  }

  async #fillSpans(engine: KpiEngine, partition: number): Promise<void> {
    const origin = { streamId: 'oracle', partition };
    const from = this.#stored.get(partition) ?? 0;
    const records = engine.records(partition);
    if (records.length === from) return;
    this.#stored.set(partition, records.length);
    const rows = this.#encoder.rows(origin);
    for (const record of records.slice(from)) {
      const spans = rows.read(record);
      for (let index = 0; index < spans; index++) rows.append(index);
    }
    const deadlineMs = this.#tables.nowMs() + 60_000;
    const token = `oracle ${this.#inserts++}`;
    await this.#tables.insert({ origin, body: rows.finish(), token, deadlineMs, signal: never });
  }
}
