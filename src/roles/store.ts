import { join } from 'node:path';
import { systemClock as clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import type { Log } from '../core/log.ts';
import type { StreamConsumer } from '../core/stream.ts';
import { EnrichedSpans } from '../enrich/enriched-spans.ts';
import type { Probe } from '../metrics/health.ts';
import type { Plan } from '../plan.ts';
import { openEmbeddedClickHouse } from '../store/clickhouse-embedded.ts';
import {
  openClickHouseReader,
  openClickHouseServer,
  type ServerOptions,
} from '../store/clickhouse-server.ts';
import type { ClickHouse, ClickHouseReader } from '../store/clickhouse.ts';
import { DeadLetters } from '../store/dead-letters.ts';
import { SpanEncoder } from '../store/span-encoder.ts';
import { SqlPort } from '../store/sql-port.ts';
import { RowStore } from '../store/row-store.ts';
import { defaultSettings, Store } from '../store/store.ts';
import { Tables, type TablesOptions } from '../store/tables.ts';
import type { Role, Site } from './role.ts';
import { runsGroup } from './streams.ts';

/** Readers share what the SQL port may take: this many queries at once, each waiting and then reading this long. */
const concurrentQueries = 2;
const queryWaitMs = 10_000;
const answerReadMs = 120_000;

/** How much longer than its deadline an insert is waited for: by then the server has given it up, too. */
const graceMs = 30_000;

/** streams → rows → ClickHouse; `tables` start before the stream does and stop after it. */
export function storeRole(
  site: Site,
  { clickhouse: options }: NonNullable<Plan['store']>,
): Role & { tables: readonly Component[] } {
  const { enricher, spans, deadLetters, telemetry, log, plan } = site;
  const { url } = options;
  const isEmbedded = url === undefined;
  const tables = tablesOf(plan, options, log, options.ttl && { ttls: options.ttl });
  const store = new Store(spans, {
    table: tables,
    encoder: new SpanEncoder(new EnrichedSpans(enricher)),
    deadLetters: new DeadLetters(deadLetters),
    telemetry,
    log,
    settings: {
      ...defaultSettings,
      flushIntervalMs: options.flush_interval,
      limits: { ...defaultSettings.limits, rows: options.max_block_rows, bytes: options.max_block_size },
      insertDeadlineMs: options.insert_deadline,
      ...(!isEmbedded && { verifyMs: 0 }), // this machine's power cut is not the table's
    },
  });
  const consumer = spans.consumer('store', store.worker);
  const rows = rowsOf(site, options, tables);
  const sql = plan.sql && sqlPort(site, plan.sql, embeddedDirectory(plan));
  return {
    components: [consumer, rows.consumer],
    tables: [...(sql ? [sql] : []), tables],
    probes: [
      {
        name: 'store',
        check: () => {
          const reason = consumer.fault?.message ?? store.stall(consumer.owned ?? spans.partitions);
          return { flowing: reason === undefined, reason: reason ?? '' };
        },
      },
      rows.probe,
    ],
    addresses: () => [
      ...(sql ? [{ what: 'SQL', url: sql.url }] : []),
      ...(isEmbedded ? [] : [{ what: 'ClickHouse', url }]),
    ],
  };
}

/** stream of rows → their tables */
function rowsOf(
  { runs, telemetry, log }: Site,
  { url, flush_interval, max_block_rows, max_block_size }: NonNullable<Plan['store']>['clickhouse'],
  tables: Tables,
): { readonly consumer: StreamConsumer; readonly probe: Probe } {
  const store = new RowStore({
    tables,
    telemetry,
    log,
    clock,
    settings: {
      flushIntervalMs: flush_interval,
      limits: { rows: max_block_rows, bytes: max_block_size },
      backoff: defaultSettings.backoff,
      verifyMs: url === undefined ? defaultSettings.verifyMs : 0,
    },
  });
  const consumer = runs.consumer(runsGroup, store.worker);
  const check = (): ReturnType<Probe['check']> => {
    const reason = consumer.fault?.message ?? (store.stall && `waits for the table: ${store.stall}`);
    return { flowing: reason === undefined, reason: reason ?? '' };
  };
  return { consumer, probe: { name: 'store of rows', check } };
}

/** The tables where `options` say that they are, not started; `how` says whether they are changed. */
export function tablesOf(
  plan: Plan,
  options: NonNullable<Plan['store']>['clickhouse'],
  log: Log,
  how: Pick<TablesOptions, 'ttls' | 'isOnlyAsked'> = {},
): Tables {
  const clickhouse = clickhouseOf(plan, options, log);
  const { cluster, url } = options;
  return new Tables({ clickhouse, cluster, isServer: url !== undefined, ...how, log });
}

/** ClickHouse where `options` say that it is, not started. */
export function clickhouseOf(
  plan: Plan,
  options: NonNullable<Plan['store']>['clickhouse'],
  log: Log,
): ClickHouse {
  const { url } = options;
  if (url === undefined) return openEmbeddedClickHouse({ directory: embeddedDirectory(plan), log });
  return openClickHouseServer(serverOf(url, options));
}

/** The server at `url`, only to be asked as `options` say, not started. */
export function readerOf(url: string, options: NonNullable<Plan['store']>['clickhouse']): ClickHouseReader {
  return openClickHouseReader(serverOf(url, options));
}

function serverOf(
  url: string,
  {
    username,
    password,
    database,
    tls,
    compression,
    insert_deadline,
  }: NonNullable<Plan['store']>['clickhouse'],
): ServerOptions {
  return {
    url,
    username,
    password,
    database,
    tls: tls && { caFile: tls.ca_file, certFile: tls.cert_file, keyFile: tls.key_file },
    compression,
    answerMs: insert_deadline + graceMs,
  };
}

function embeddedDirectory(plan: Plan): string {
  return join(plan.dataDirectory, 'clickhouse');
}

function sqlPort({ log }: Site, { id, options }: NonNullable<Plan['sql']>, directory: string): SqlPort {
  const { endpoint, token, allowed_hosts, max_memory, max_execution_time, max_result_rows } = options;
  return new SqlPort({
    directory,
    ...endpoint,
    configPath: `extensions::${id}::endpoint`,
    token: token?.reveal(),
    hosts: allowed_hosts,
    concurrentQueries,
    waitMs: queryWaitMs,
    readMs: answerReadMs,
    limits: {
      memoryBytes: max_memory,
      timeMs: max_execution_time,
      resultRows: max_result_rows,
      resultBytes: 256 * 2 ** 20,
      threads: 1,
    },
    log,
  });
}
