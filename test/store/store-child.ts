// Run as a process of its own, to be killed, on the folder given: `prepare` makes tables and appends to a stream, `append`
// appends as much again, `store` stores it. Says as JSON what is there.
import { join } from 'node:path';
import { pino } from 'pino';
import { systemClock } from '../../src/core/clock.ts';
import { createLog } from '../../src/core/log.ts';
import type { NewRecord } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { openEmbeddedClickHouse } from '../../src/store/clickhouse-embedded.ts';
import { DeadLetters } from '../../src/store/dead-letters.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { SpanEncoder } from '../../src/store/span-encoder.ts';
import { defaultSettings, Store } from '../../src/store/store.ts';
import { TracesTable } from '../../src/store/traces-table.ts';
import { EmbeddedLog } from '../../src/stream/embedded.ts';
import { until } from '../until.ts';
import { requestOf, spansPerRequest } from './span-requests.ts';
import { TrustingTable } from './trusting-table.ts';

const [command = '', directory = '', ...flags] = process.argv.slice(2);
const isTrusting = flags.includes('--trusting');
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const log = pino({ level: flags.includes('--loud') ? 'debug' : 'silent' }, pino.destination(2));
const telemetry = new Telemetry();
const enricher = new Enricher({ content: { mode: 'drop' } });
const retention = { ageMs: 10 ** 9, bytes: 2 ** 26, minAfterCommitMs: 0 };
const embedded = new EmbeddedLog({
  directory: join(directory, 'stream'),
  minFreeDiskBytes: 0,
  clock: systemClock,
  log,
  telemetry,
});
const stream = embedded.stream({ topic: 'otlp_spans', partitions: 1, groups: ['store'], retention });
const dead = embedded.stream({ topic: 'otlp_spans_dlq', partitions: 1, groups: [], retention });
const clickhouse = openEmbeddedClickHouse({
  directory: join(directory, 'clickhouse'),
  log: createLog('silent'),
});
await stream.start();
await dead.start();
await clickhouse.start();

if (command === 'prepare') await migrate(clickhouse, await readMigrations(), aloneDialect, log);
if (command === 'store') await store();
else await append();
process.stdout.write(`${JSON.stringify(await report())}\n`);
process.exit(0); // as a process that is stopped: what matters is durable

async function append(): Promise<void> {
  const records: NewRecord[] = [];
  for (let n = 0; n < 10; n++) records.push(...enricher.enrich(requestOf(n), 1).records);
  await stream.consume(records, soon());
}

async function store(): Promise<void> {
  if (flags.includes('--mortal')) dieAfterInsert();
  const table = new TracesTable(clickhouse);
  const worker = new Store(stream, {
    table: isTrusting ? new TrustingTable(table, spansPerRequest) : table,
    encoder: new SpanEncoder(new EnrichedSpans(enricher)),
    deadLetters: new DeadLetters(dead),
    telemetry,
    log,
    settings: {
      ...defaultSettings,
      verifyMs: isTrusting ? 0 : defaultSettings.verifyMs,
      flushIntervalMs: 1000, // so that a slow machine, too, makes one block of it
      backoff: { initialMs: 20, maxMs: 100 },
    },
  });
  const consumer = stream.consumer('store', worker.worker);
  await consumer.start();
  const isThrough = (): boolean =>
    worker.health()[0]?.state === 'flowing' &&
    worker.conservation().get(0)?.committedSpans === stream.appendedSpans(0);
  await until('everything is committed', () => isThrough() || consumer.fault);
  await consumer.stop(soon());
  if (consumer.fault) throw consumer.fault;
}

/** Kills this process when a block is inserted and nobody knows of it yet. */
function dieAfterInsert(): void {
  const insertBlock = clickhouse.insertBlock.bind(clickhouse);
  clickhouse.insertBlock = async (insert) => {
    await insertBlock(insert);
    process.kill(process.pid, 'SIGKILL');
  };
}

async function report(): Promise<Record<string, number>> {
  const [rows] = await clickhouse.query<Record<string, number>>(
    `SELECT count() AS rows, uniqExact(StreamOffset, StreamIndex) AS positions, uniqExact(toDate(Timestamp)) AS dates FROM otel_traces`,
  );
  const [traces] = await clickhouse.query<Record<string, number>>(
    'SELECT uniqExact(TraceId) AS traces FROM otel_traces_trace_id_ts',
  );
  return { ...rows, ...traces, appended: stream.appendedSpans(0) ?? 0, dead: dead.appendedSpans(0) ?? 0 };
}
