import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClickHouseServer } from '../test/clickhouse/server.ts';
import { Place, Program } from '../test/e2e/program.ts';
import { KafkaCluster } from '../test/kafka/broker.ts';

const pollMs = 200;
const patienceMs = 15 * 60_000;

/** Apache Kafka and a ClickHouse server of their own, and places for roles on one fresh topic between them. */
export class AroundKafka {
  readonly kafka: KafkaCluster;
  readonly clickhouse: ClickHouseServer;
  #topic = '';
  readonly #places: Place[] = [];

  private constructor(kafka: KafkaCluster, clickhouse: ClickHouseServer) {
    this.kafka = kafka;
    this.clickhouse = clickhouse;
    this.begin();
  }

  static async start(): Promise<AroundKafka> {
    return new AroundKafka(await KafkaCluster.start(), await ClickHouseServer.start());
  }

  /** From now on roles use another topic. */
  begin(): void {
    this.#topic = `bench-${randomBytes(4).toString('hex')}`;
  }

  /** Starts the role whose shipped configuration is `file`, such as store.yaml; `content` is what ingest does with it. */
  async role(file: string, content = 'drop'): Promise<Program> {
    const topic = this.#topic;
    const kafka = {
      brokers: this.kafka.addresses,
      topic,
      dead_letter_topic: `${topic}-dlq`,
      runs_topic: `${topic}-runs`,
      state_topic: `${topic}-state`,
      replication: 1,
      partitions: 4,
      groups: { store: `${topic}-store`, assess: `${topic}-assess`, runs: `${topic}-runs` },
    };
    const own = {
      'ingest.yaml': { processors: { enrich: { content } } },
      'store.yaml': { exporters: { clickhouse: { url: this.clickhouse.url } } },
    };
    const place = new Place(
      JSON.stringify({
        connectors: { kafka },
        ...(file === 'ingest.yaml' || file === 'store.yaml' ? own[file] : {}),
      }),
      file,
    );
    this.#places.push(place);
    return Program.start(place);
  }

  /** How many rows `otel_traces` has; 0 while there is no such table. */
  async rows(): Promise<number> {
    const [found] = await this.clickhouse.query<{ tables: number }>(
      "SELECT count() AS tables FROM system.tables WHERE database = currentDatabase() AND name = 'otel_traces'",
    );
    if (Number(found?.tables) === 0) return 0;
    const [row] = await this.clickhouse.query<{ rows: string }>(
      'SELECT toString(count()) AS rows FROM otel_traces',
    );
    return Number(row?.rows);
  }

  /** How many rows there are once there are `least`; `each` is called at every look. */
  async rowsReach(least: number, each: (rows: number) => unknown = () => undefined): Promise<number> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      const rows = await this.rows();
      await each(rows);
      if (rows >= least) return rows;
      if (performance.now() > giveUpAt) throw new Error(`there are ${rows} rows and not ${least}`);
      await sleep(pollMs);
    }
  }

  async stop(): Promise<void> {
    await this.clickhouse.stop();
    await this.kafka.stop();
    for (const place of this.#places) place.remove();
  }
}

/** The memory process `pid` has resident now, in MiB. Linux only. */
export function rssMib(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kib) / 1024);
}
