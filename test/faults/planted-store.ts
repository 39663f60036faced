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
import { clickhouseOf } from '../../src/roles/store.ts';
import { streamsOf } from '../../src/roles/streams.ts';
import { DeadLetters } from '../../src/store/dead-letters.ts';
import { SpanEncoder } from '../../src/store/span-encoder.ts';
import { defaultSettings, Store } from '../../src/store/store.ts';
import { Tables } from '../../src/store/tables.ts';
import { plants } from './planted-tables.ts';

const stopMs = 20_000;

const [name = '', ...words] = process.argv.slice(2);
const plant = plants.get(name);
const { values } = parseArgs({ args: words, options: { config: { type: 'string', multiple: true } } });
const plan = planOf(loadConfig(values.config ?? []));
if (!plant || !plan.store)
  throw new Error(`there is no mistake ${name}, or the configuration lists no store`);
const log = createLog('info');
const telemetry = new Telemetry();
const { spans, deadLetters } = streamsOf(plan, telemetry, log);
const clickhouse = clickhouseOf(plan, plan.store.clickhouse, log);
const tables = new Tables({ clickhouse, cluster: undefined, isServer: true, log });
const store = new Store(spans, {
  table: plant.over(tables),
  encoder: new SpanEncoder(new EnrichedSpans(new Enricher({ content: { mode: 'drop' } }))),
  deadLetters: new DeadLetters(deadLetters),
  telemetry,
  log,
  settings: { ...defaultSettings, insertDeadlineMs: plan.store.clickhouse.insert_deadline, verifyMs: 0 },
});
const metrics = new Exposition(
  { ...plan.metrics.endpoint, configPath: 'service::telemetry::metrics::endpoint' },
  { telemetry, kpis: () => [], log },
);
const flow = [spans.consumer('store', store.worker), deadLetters, spans, tables, metrics];
await startAll(flow, AbortSignal.timeout(stopMs));
process.stdout.write(`  metrics  http://127.0.0.1:${metrics.port}/metrics\n`);
await once(process, 'SIGTERM');
await stopAll(flow, AbortSignal.timeout(stopMs));
process.exit(0);
