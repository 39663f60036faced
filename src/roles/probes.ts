import { messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import { Telemetry } from '../core/telemetry.ts';
import type { Plan } from '../plan.ts';
import { clockFault, insertFaults, serverFaults, tableFaults } from '../store/clickhouse-check.ts';
import type { ClickHouse } from '../store/clickhouse.ts';
import { appliedMigrations, readMigrations } from '../store/migrations.ts';
import { ttlFaults } from '../store/table-ttl.ts';
import { clickhouseOf } from './store.ts';
import { topicsOf } from './streams.ts';

/** What was found of one thing that a configuration names. */
export interface Finding {
  /** What it is and how it is, as one line. */
  readonly what: string;
  /** What is wrong with it, each as one sentence with the fix. */
  readonly faults: readonly string[];
}

/** Asks the brokers that `plan` names about its topics, and changes nothing there. */
export async function probeStream({ stream, assess }: Plan, log: Log): Promise<readonly Finding[]> {
  if (stream.type === 'embedded') return [{ what: 'the stream is embedded', faults: [] }];
  const { probeTopic } = await import('../stream/kafka-probe.ts'); // slow to load
  const { spans, runs, deadLetters, states, rollbacks } = topicsOf(stream, new Telemetry(), log);
  return Promise.all(
    [spans, runs, deadLetters, ...(assess ? [states, rollbacks] : [])].map(async (options) => {
      const what = `topic ${options.topic} on ${options.brokers.join()}`;
      return probeTopic(options).then(
        ({ state, faults }) => ({ what: `${what} ${state}`, faults }),
        (error: unknown) => ({ what, faults: [messageOf(error)] }),
      );
    }),
  );
}

/** Asks the ClickHouse server that `plan` names about itself and its tables, and changes nothing there. */
export async function probeClickHouse(plan: Plan, log: Log): Promise<readonly Finding[]> {
  if (!plan.store) return [];
  const { clickhouse: options } = plan.store;
  if (options.url === undefined) return [{ what: 'ClickHouse is embedded', faults: [] }];
  const what = `ClickHouse at ${options.url}, database ${options.database}`;
  const clickhouse = clickhouseOf(plan, options, log);
  try {
    await clickhouse.start();
    return [await ask(clickhouse, what, options)];
  } catch (error) {
    return [{ what, faults: [messageOf(error)] }];
  } finally {
    await clickhouse.stop(AbortSignal.abort());
  }
}

async function ask(
  clickhouse: ClickHouse,
  what: string,
  { cluster, ttl }: NonNullable<Plan['store']>['clickhouse'],
): Promise<Finding> {
  const [about] = await clickhouse.query<{ version: string }>('SELECT version() AS version');
  const migrations = await readMigrations();
  const skew = clockFault(clickhouse);
  const faults = await serverFaults(clickhouse, cluster, migrations);
  const applied = await appliedMigrations(clickhouse, migrations);
  const tables =
    applied.size === 0
      ? 'has no tables yet'
      : `has its tables, ${applied.size} of ${migrations.length} migrations applied`;
  const ofTables = await tableFaults(clickhouse, cluster);
  // A table that is not as it should be takes no insert, which says nothing more.
  const ofInserts = ofTables.length === 0 ? await insertFaults(clickhouse) : [];
  return {
    what: `${what}: version ${about?.version}, ${tables}`,
    faults: [
      ...(skew === undefined ? [] : [skew]),
      ...faults,
      ...ofTables,
      ...(await ttlFaults(clickhouse, ttl)),
      ...ofInserts,
    ],
  };
}
