import type { Log } from '../core/log.ts';
import { ClickHouseFault } from './clickhouse-fault.ts';
import type { ClickHouse } from './clickhouse.ts';
import type { Dialect } from './migrations.ts';

/** How long a table keeps a row from the row's own time on, in milliseconds, by table; for ever where nothing is said. */
export type TableTtls = Readonly<
  Partial<Record<'otel_traces' | 'agent_runs' | 'incidents' | 'rollbacks', number | undefined>>
>;

/**
 * The tables that have a TTL, by whose key, and the time of a row. Rows that replace each other have the same, or nearly
 * the same, time: the last of them must not go before those that it replaces.
 */
const timed = [
  { table: 'otel_traces', key: 'otel_traces', column: 'Timestamp' },
  { table: 'otel_traces_trace_id_ts', key: 'otel_traces', column: 'End' },
  { table: 'agent_runs', key: 'agent_runs', column: 'ClosedTime' },
  { table: 'incidents', key: 'incidents', column: 'DetectedTime' },
  { table: 'rollbacks', key: 'rollbacks', column: 'Timestamp' },
] as const;

/** The least and the most that a table may be told to keep, in milliseconds. */
export const ttlLimitsMs = { least: 86_400_000, most: 3650 * 86_400_000 } as const;

/**
 * What ClickHouse says of a TTL of `column` and so many seconds, before the seconds. It counts TTLs as DateTime, which
 * begins anew in 2106: a row of a sender whose clock is so wrong would go at once.
 */
const beforeSeconds = (column: string): string =>
  `toDateTime(least(${column}, toDateTime64('2090-01-01 00:00:00', 9, 'UTC'))) + toIntervalSecond(`;

interface Found {
  readonly table: string;
  readonly key: keyof TableTtls;
  /** In seconds, as the configuration says; undefined for ever. */
  readonly wanted: number | undefined;
  /** In seconds, as the table has it; undefined for ever. */
  readonly had: number | undefined;
  readonly column: string;
  /** A TTL that somebody else wrote; '' where none did. */
  readonly foreign: string;
}

/**
 * Has each table keep its rows as long as `ttls` say, by an ALTER only where the table says otherwise. Logs how long
 * rows are kept where that is not for ever, and at `warn` what is kept shorter than before. A TTL that somebody else
 * wrote stays where `ttls` say nothing. Rejects as `ttlFaults` says, before anything is changed.
 */
export async function applyTtls(
  clickhouse: Pick<ClickHouse, 'command' | 'query'>,
  ttls: TableTtls,
  dialect: Pick<Dialect, 'onCluster'>,
  log: Log,
): Promise<void> {
  const tables = await find(clickhouse, ttls);
  const [fault] = tables.flatMap(faultsOf);
  if (fault !== undefined) throw new ClickHouseFault('operator', fault, {});
  for (const { table, wanted, had, column, foreign } of tables) {
    const kept = foreign === '' ? inWords(wanted) : foreign;
    if (wanted === had) {
      if (kept !== forEver) log.info({ table, kept }, 'rows are kept for a limited time');
      continue;
    }
    const change = wanted === undefined ? 'REMOVE TTL' : `MODIFY TTL ${beforeSeconds(column)}${wanted})`;
    try {
      await clickhouse.command(`ALTER TABLE ${table} ${dialect.onCluster} ${change}`);
    } catch (error) {
      // Another process may have begun with the same change, and a TTL that is gone cannot be removed.
      const now = (await find(clickhouse, ttls)).find((one) => one.table === table);
      if (now?.had !== wanted) throw error;
    }
    const isShorter = (wanted ?? Infinity) < (had ?? Infinity);
    if (isShorter)
      log.warn({ table, kept, before: inWords(had) }, 'rows are kept shorter: older ones go now');
    else log.info({ table, kept, before: inWords(had) }, 'rows are kept longer');
  }
}

/** Which tables have a TTL that somebody else wrote where `ttls` say one, each as one sentence with the fix. */
export async function ttlFaults(
  clickhouse: Pick<ClickHouse, 'query'>,
  ttls: TableTtls,
): Promise<readonly string[]> {
  return (await find(clickhouse, ttls)).flatMap(faultsOf);
}

function faultsOf({ table, key, wanted, foreign }: Found): readonly string[] {
  if (foreign === '' || wanted === undefined) return [];
  return [
    `${table} has a TTL that the configuration did not give it, ${foreign}: ALTER TABLE ${table} REMOVE TTL, or remove ${key} from the ttl of the exporter`,
  ];
}

async function find(clickhouse: Pick<ClickHouse, 'query'>, ttls: TableTtls): Promise<readonly Found[]> {
  const engines = await clickhouse.query<{ name: string; engine: string }>(
    'SELECT name, engine_full AS engine FROM system.tables WHERE database = currentDatabase() AND name IN {names:Array(String)}',
    { names: timed.map(({ table }) => table) },
  );
  const engineOf = new Map(engines.map(({ name, engine }) => [name, engine]));
  return timed.flatMap(({ table, key, column }) => {
    const engine = engineOf.get(table);
    if (engine === undefined) return [];
    const keptMs = ttls[key];
    const wanted = keptMs === undefined ? undefined : Math.round(keptMs / 1000);
    const ttl = ttlOf(engine);
    const [before = '', seconds] = /^(.*\()(\d+)\)$/s.exec(ttl)?.slice(1) ?? [];
    const isOurs = before === beforeSeconds(column);
    return [
      { table, key, wanted, column, had: isOurs ? Number(seconds) : undefined, foreign: isOurs ? '' : ttl },
    ];
  });
}

/** The TTL of a table, of which ClickHouse says `engine`; '' where it has none. */
export function ttlOf(engine: string): string {
  const [, ttl = ''] = /\bTTL (.+?)(?: SETTINGS .*)?$/s.exec(engine) ?? [];
  return ttl;
}

/** The times, as SQL, after which `ttl` removes a row; undefined where not the time alone says whether it does. */
export function removalsOf(ttl: string): readonly string[] | undefined {
  if (/\b(?:WHERE|GROUP BY)\b/.test(ttl)) return undefined;
  return elementsOf(ttl)
    .filter((element) => !/\s(?:TO (?:DISK|VOLUME)|RECOMPRESS)\s/.test(element))
    .map((element) => element.replace(/\sDELETE$/, ''));
}

/** What commas separate that are in no brackets and no quotes. */
function elementsOf(list: string): readonly string[] {
  let depth = 0;
  const elements = [''];
  for (const [token] of list.matchAll(/'(?:[^'\\]|\\.)*'|[^']/gs)) {
    if (token === '(' || token === '[') depth++;
    if (token === ')' || token === ']') depth--;
    if (token === ',' && depth === 0) elements.push('');
    else elements.push(`${elements.pop()}${token}`);
  }
  return elements.map((element) => element.trim()).filter((element) => element !== '');
}

const forEver = 'for ever';

function inWords(seconds: number | undefined): string {
  return seconds === undefined ? forEver : `${Number((seconds / 86_400).toFixed(2))}d`;
}
