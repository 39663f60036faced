import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config-schema.ts';
import { startAll, stopAll, type Component } from '../core/component.ts';
import { createLog, type Log } from '../core/log.ts';
import { Telemetry } from '../core/telemetry.ts';
import { EnrichedSpans } from '../enrich/enriched-spans.ts';
import { planOf, type Plan } from '../plan.ts';
import type { RowEncoder } from '../store/block.ts';
import { SpanEncoder } from '../store/span-encoder.ts';
import type { Tables } from '../store/tables.ts';
import { enricherOf } from './enricher.ts';
import { tablesOf } from './store.ts';
import { streamsOf, type Streams } from './streams.ts';

/** What an operator's command works with on what was stored. */
export interface Desk extends Streams {
  readonly encoder: RowEncoder;
  readonly table: Tables;
  readonly log: Log;
}

const startMs = 60_000;
const stopMs = 10_000;

/**
 * Resolves with what `work` does, with what it needs of `config` open, which it may share with a running pipeline unless
 * that is embedded; a table as it is is not brought up to date, and refused where it is older. Throws when `config` stores nothing, and when that is in use or cannot be reached.
 */
export async function atDesk<T>(
  config: Config,
  needed: 'streams' | 'streams and table' | 'streams and table as it is',
  work: (desk: Desk) => Promise<T>,
): Promise<T> {
  const plan = planOf(config);
  if (plan.store === undefined)
    throw new Error(
      'service::pipelines: lists no traces/store: give the configuration of the process that stores',
    );
  refuseMissingFolder(plan);
  const { level } = config.service.telemetry.logs;
  const log = createLog(level === 'info' ? 'warn' : level); // what is usual of a pipeline is noise beside an answer
  const streams = streamsOf(plan, new Telemetry(), log);
  const table = tablesOf(plan, plan.store.clickhouse, log, {
    isOnlyAsked: needed === 'streams and table as it is',
  });
  const encoder = new SpanEncoder(new EnrichedSpans(enricherOf(plan)));
  const tables: readonly Component[] = needed === 'streams' ? [] : [table];
  // The streams first: their folder is the one whose owner can be told.
  const flow = [...tables, streams.deadLetters, streams.spans];
  await startAll(flow, AbortSignal.timeout(startMs));
  try {
    return await work({ ...streams, encoder, table, log });
  } finally {
    await stopAll(flow, AbortSignal.timeout(stopMs));
  }
}

/** A folder without a stream is likely the wrong one. */
function refuseMissingFolder({ stream, dataDirectory }: Plan): void {
  if (stream.type === 'embedded' && !existsSync(join(dataDirectory, 'stream')))
    throw new Error(
      `there is no stream in ${dataDirectory}: set data_dir to where the pipeline keeps its data, and --config to its configuration`,
    );
}
