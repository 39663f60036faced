import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KpiIncident, KpiRun, KpiToolCall } from '../../src/kpi/facts.ts';
import { kpiReference, type KpiReference } from '../../src/kpi/kpi-sql.ts';
import { firstPane, windowOf } from '../../src/kpi/window.ts';
import { runColumns, runRow } from '../../src/runs/run-row.ts';
import {
  escalationReasons,
  evidenceLevels,
  outcomes,
  results,
  severities,
} from '../../src/semconv/vocabulary.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { finishedRun } from '../runs/finished-runs.ts';
import { silentLog, startClickHouse } from '../store/embedded.ts';
import { call, kpisOf, published, run } from './events.ts';
import { hourly, hourlyLabels } from './hourly-columns.ts';

const noon = Date.UTC(2026, 10, 23, 12, 0, 30);
const hour = windowOf(3_600_000);
const target = 0.5;

const agoMs = fc.integer({ min: 0, max: 2 * 3_600_000 });
const usd = fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000);
const ofRelease = {
  agent: fc.constantFrom('refund', 'unknown'),
  release: fc.constantFrom('1', '2', 'unknown'),
  environment: fc.constantFrom('production', 'staging'),
};
const anyRun = fc.record({
  agoMs,
  lastsMs: fc.integer({ min: 0, max: 100_000 }),
  given: fc.record({
    ...ofRelease,
    outcome: fc.constantFrom(...outcomes),
    evidence: fc.constantFrom(...evidenceLevels),
    escalationReason: fc.constantFrom(undefined, ...escalationReasons),
    costUsd: fc.record({ llm: usd, tool: usd, review: usd }),
    priced: fc.boolean(),
    scores: fc.dictionary(fc.constantFrom('x', 'y'), usd).map((scores) => new Map(Object.entries(scores))),
  }),
});
const anyCall = fc.record({
  agoMs,
  given: fc.record({
    ...ofRelease,
    tool: fc.constantFrom('search', 'pay'),
    result: fc.constantFrom(...results),
    attempts: fc.integer({ min: 1, max: 3 }),
    durationMs: fc.integer({ min: 0, max: 10_000 }),
  }),
});
const runsGiven: readonly KpiRun[] = fc
  .sample(anyRun, { numRuns: 400, seed: 5 })
  .map(({ agoMs: ms, lastsMs, given }) => run(noon - ms, { startMs: noon - ms - lastsMs, ...given }));
const callsGiven: readonly KpiToolCall[] = fc
  .sample(anyCall, { numRuns: 400, seed: 6 })
  .map(({ agoMs: ms, given }) => call(noon - ms, given));

const anyIncident = fc.record({ agoMs, ...ofRelease, severity: fc.constantFrom(...severities) });
const incidentsGiven: readonly KpiIncident[] = fc
  .sample(anyIncident, { numRuns: 40, seed: 7 })
  .map(({ agoMs: ms, ...given }) => ({ ...given, timeMs: noon - ms }));

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
/** Inserts `rows`, one JSON object each. */
function insert(table: string, columns: readonly Column[], rows: readonly string[]): string {
  const names = columns.map(({ name }) => name).join(', ');
  const structure = columns.map(({ name, type }) => `${name} ${type}`).join(', ');
  const data = `${quoted(structure)}, ${quoted(rows.join('\n'))}`;
  return `INSERT INTO ${table} (${names}) SELECT ${names} FROM format(JSONEachRow, ${data})`;
}

type Column = (typeof runColumns | typeof spanColumns | typeof incidentColumns)[number];

const incidentColumns = [
  ...['IncidentId', 'AgentName', 'Release', 'Environment', 'Severity'].map((name) => ({
    name,
    type: 'String',
  })),
  { name: 'DetectedTime', type: "DateTime64(3, 'UTC')" },
];

const spanColumns = [
  ...['TraceId', 'SpanId', 'RunId', 'Step', 'AgentName', 'Release', 'Environment', 'ToolName', 'Result'].map(
    (name) => ({ name, type: 'String' }),
  ),
  { name: 'Timestamp', type: "DateTime64(9, 'UTC')" },
  { name: 'Duration', type: 'UInt64' },
  { name: 'SpanAttributes', type: 'Map(String, String)' },
];

const at = (ms: number): string => `fromUnixTimestamp64Milli(${ms}, 'UTC')`;
const instant = (timeMs: number): string => new Date(timeMs).toISOString().replace('T', ' ').replace('Z', '');

function incidentRow({ agent, release, environment, severity, timeMs }: KpiIncident, index: number): string {
  const labels = { AgentName: agent, Release: release, Environment: environment, Severity: severity };
  return JSON.stringify({ IncidentId: `${index}`, ...labels, DetectedTime: instant(timeMs) });
}

/** The rows of every attempt of `one`; the last ended it, those before failed a second before the next. */
function attemptRows(one: KpiToolCall, index: number): string[] {
  return Array.from({ length: one.attempts }, (_, i) => {
    const before = one.attempts - 1 - i;
    const startMs = one.endMs - one.durationMs - before * 1000;
    return JSON.stringify({
      Timestamp: instant(startMs),
      TraceId: `trace ${index}`,
      SpanId: `span ${index} ${i}`,
      RunId: `run of call ${index}`,
      Step: 'tool',
      AgentName: one.agent,
      Release: one.release,
      Environment: one.environment,
      ToolName: one.tool,
      Result: before === 0 ? one.result : 'error',
      Duration: (before === 0 ? one.durationMs : 500) * 1e6,
      SpanAttributes: { 'gen_ai.tool.call.id': 'call' },
    });
  });
}

describe('in ClickHouse', () => {
  let clickhouse: ClickHouse;
  let remove: () => Promise<void>;

  beforeAll(async () => {
    ({ clickhouse, remove } = await startClickHouse());
    await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
    const rows = runsGiven.map((one, i) =>
      runRow(finishedRun({ ...one, runId: `run ${i}`, place: undefined })),
    );
    await clickhouse.command(insert('agent_runs', runColumns, rows));
    await clickhouse.command(insert('incidents', incidentColumns, incidentsGiven.map(incidentRow)));
    await clickhouse.command(insert('otel_traces', spanColumns, callsGiven.flatMap(attemptRows)));
  });
  afterAll(async () => {
    await remove();
  });

  const kpis = kpisOf(1, { qualityTarget: () => target });
  for (const one of runsGiven) kpis.finished({ ...one });
  for (const one of callsGiven) kpis.toolCall(one);
  for (const one of incidentsGiven) kpis.incident(one);
  kpis.watermark.advance(0, noon, noon, noon);
  const families = published(kpis, noon);

  /** The one-hour series of `metric`, by the values of `labels`. */
  function seriesOf(metric: string, labels: readonly string[]): ReadonlyMap<string, number> {
    const samples = families.filter(({ name }) => name === metric).flatMap((family) => family.samples);
    return new Map(
      samples
        .filter((sample) => sample.labels.some(([, text]) => text === hour.label))
        .map((sample) => [
          labels.map((label) => sample.labels.find(([name]) => name === label)?.[1]).join('|'),
          sample.value,
        ]),
    );
  }

  /** Value, numerator and denominator that are exported of a KPI, by its labels; the sides are the same for every `stat`. */
  function exported({ kpi, labels }: KpiReference): ReadonlyMap<string, readonly (number | undefined)[]> {
    const ofSides = labels.filter((label) => label !== 'stat');
    const numerators = seriesOf(`${kpi.stem}_numerator`, ofSides);
    const denominators = seriesOf(`${kpi.stem}_denominator`, ofSides);
    return new Map(
      [...seriesOf(kpi.stem + kpi.suffix, labels)].map(([key, one]) => {
        const side = key.split('|').slice(0, ofSides.length).join('|');
        return [key, [one, numerators.get(side), denominators.get(side)]];
      }),
    );
  }

  test.each(kpiReference.filter(({ sql }) => sql !== undefined).map((one) => [one.kpi.stem, one] as const))(
    '%s is what its SQL says',
    async (_, reference) => {
      const from = firstPane(hour, noon) * hour.paneMs;
      const sql = (reference.sql ?? '')
        .replaceAll("{from:DateTime64(3, 'UTC')}", at(from))
        .replaceAll("{to:DateTime64(3, 'UTC')}", at(noon + 1000))
        .replaceAll('{target:Float64}', String(target));
      const rows = await clickhouse.query<Record<string, string | number | null>>(sql);
      const asked = rows
        .filter(({ denominator }) => Number(denominator) > 0)
        .map(
          (row) =>
            [
              reference.labels.map((name) => String(row[name])).join('|'),
              ['value', 'numerator', 'denominator'].map((name) => Number(row[name])),
            ] as const,
        );
      const shown = exported(reference);
      expect(new Set(asked.map(([key]) => key))).toEqual(new Set(shown.keys()));
      expect(shown.size).toBeGreaterThan(1);
      for (const [key, values] of asked) {
        const [value = Number.NaN, numerator = Number.NaN, denominator] = shown.get(key) ?? [];
        const [within, exact] = reference.kpi.stats ? [0.0101, 1e-9] : [1e-9, 1e-9];
        expect(Math.abs(value - values[0]!), key).toBeLessThanOrEqual(within * Math.abs(values[0]!) + 1e-12);
        expect(Math.abs(numerator - values[1]!), key).toBeLessThanOrEqual(
          exact * Math.abs(values[1]!) + 1e-9,
        );
        expect(denominator, key).toBe(values[2]);
      }
    },
  );

  const inHours = kpiReference.filter(
    ({ kpi, labels }) => !labels.includes('tool') && !('belowTarget' in kpi.numerator),
  );
  test.each(inHours.map((one) => [one.kpi.stem, one] as const))(
    '%s is what kpi_hourly says, in every hour',
    async (stem, { labels, sql = '' }) => {
      const [above, below, value, by] = hourly[stem.replace('plimsoll_kpi_', '')] ?? [];
      const selected = labels.map((label) => `toString(${hourlyLabels[label] ?? label}) AS ${label}`);
      const sides = `${above} AS numerator, ${below} AS denominator, ${value} AS value`;
      let compared = 0;
      for (const fromMs of [-2, -1, 0].map((hours) => noon - 30_000 + hours * hour.lengthMs)) {
        const keyed = async (query: string): Promise<ReadonlyMap<string, readonly number[]>> => {
          const rows = await clickhouse.query<Record<string, string | number | null>>(query);
          const shown = rows.filter(({ denominator }) => Number(denominator) > 0);
          return new Map(
            shown.map((row) => [
              labels.map((label) => String(row[label])).join('|'),
              ['numerator', 'denominator', 'value'].map((name) => Number(row[name])),
            ]),
          );
        };
        const expected = await keyed(
          sql
            .replaceAll("{from:DateTime64(3, 'UTC')}", at(fromMs))
            .replaceAll("{to:DateTime64(3, 'UTC')}", at(fromMs + hour.lengthMs)),
        );
        const found = await keyed(
          `SELECT ${selected.join(', ')}, ${sides} FROM kpi_hourly${by === undefined ? '' : ` ARRAY JOIN ${by}`}
          WHERE Hour = toDateTime(${fromMs / 1000}, 'UTC')${labels.includes('agent') ? '' : ` GROUP BY ${labels.join(', ')}`}`,
        );
        expect(new Set(found.keys())).toEqual(new Set(expected.keys()));
        for (const [key, values] of expected)
          for (const [i, one] of values.entries()) expect(found.get(key)?.[i], key).toBeCloseTo(one, 9);
        compared += expected.size;
      }
      expect(compared).toBeGreaterThan(3);
    },
  );
});
