// A store as a process of its own, like the shipped one but for the mistake that its first word names. Run by the fault
// program, to see that it would be found.
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../src/config.ts';
import { startAll, stopAll } from '../../src/core/component.ts';
import { createLog } from '../../src/core/log.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { Exposition } from '../../src/metrics/exposition.ts';
import { planOf } from '../../src/plan.ts';
import { streamsOf } from '../../src/roles/streams.ts';
import { DeadLetters } from '../../src/store/dead-letters.ts';
import { SpanEncoder } from '../../src/store/span-encoder.ts';
import { defaultSettings, Store } from '../../src/store/store.ts';
import { Tables } from '../../src/store/tables.ts';
import { TracesTable } from '../../src/store/traces-table.ts';
import { plants } from './planted-tables.ts';
import { InterimClickHouse } from './interim-clickhouse.ts';

const [plant = '', url = '', ...words] = process.argv.slice(2);
const { values } = parseArgs({ args: words, options: { config: { type: 'string', multiple: true } } });
const plan = planOf(loadConfig(values.config ?? []));
const log = createLog('info');
const telemetry = new Telemetry();
const { spans, deadLetters } = streamsOf(plan, telemetry, log);
const clickhouse = new InterimClickHouse(url);
const table = new TracesTable(clickhouse);
const store = new Store(spans, {
  table: plants.get(plant)?.over(table) ?? table,
  encoder: new SpanEncoder(new EnrichedSpans(new Enricher({ content: { mode: 'drop' } }))),
  deadLetters: new DeadLetters(deadLetters),
  telemetry,
  log,
  settings: { ...defaultSettings, verifyMs: 0 },
});
const metrics = new Exposition(
  { ...plan.metrics.endpoint, configPath: 'service::telemetry::metrics::endpoint' },
  { telemetry, kpis: () => [], log },
);
const flow = [
  spans.consumer('store', store.worker),
  deadLetters,
  spans,
  new Tables(clickhouse, log),
  metrics,
];
await startAll(flow, AbortSignal.timeout(20_000));
process.stdout.write(`  metrics  http://127.0.0.1:${metrics.port}/metrics\n`);
await once(process, 'SIGTERM');
await stopAll(flow, AbortSignal.timeout(20_000));
process.exit(0);
