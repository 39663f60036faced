import { expect, test } from 'vitest';
import type { Family } from '../../src/kpi/family.ts';
import { kpiReference } from '../../src/kpi/kpi-sql.ts';
import { requestOf } from '../kpi-cases/case-spans.ts';
import { KpiEngine } from '../kpi-cases/kpi-engine.ts';
import { parseCases } from '../kpi-cases/parse-cases.ts';
import { TablesAtHand } from '../oracle/tables-at-hand.ts';
import { value } from './events.ts';

const zeroMs = Date.UTC(2026, 10, 23, 12);
const kpis = ['success', 'attempt_success', 'retry', 'duration'] as const;

/** Spans that tell of one call, and what is made of them: numerator and denominator of the gauge and of the SQL, of each KPI. */
const shapes: Readonly<Record<string, readonly [spans: string, gauge: string, sql: string]>> = {
  'one span': ['tool pay ok lasting=2s', '1/1 1/1 0/1 2/1', '1/1 1/1 0/1 2/1'],
  'a span for each attempt, with the id of the call': [
    'tool pay error call=c lasting=1s end=40s; tool pay ok call=c lasting=2s end=50s',
    '1/1 1/2 1/1 2/1',
    '1/1 1/2 1/1 2/1',
  ],
  'a client and a server without an id': [
    'tool pay ok as=client lasting=10s; tool pay ok in=client lasting=4s',
    '1/1 1/1 0/1 4/1',
    '2/2 2/2 0/2 14/2',
  ],
  'two spans of one attempt with one id': [
    'tool pay ok call=c lasting=10s; tool pay ok call=c lasting=4s',
    '1/1 1/1 0/1 4/1',
    '1/1 1/2 1/1 4/1',
  ],
  'a retry told by its arguments': [
    'tool pay error args=x lasting=1s end=40s; tool pay ok args=x lasting=2s end=50s',
    '1/1 1/2 1/1 2/1',
    '1/2 1/2 0/2 3/2',
  ],
  'a third attempt told by its number': [
    'tool pay ok attempt=3 lasting=2s',
    '1/1 1/3 1/1 2/1',
    '1/1 1/1 0/1 2/1',
  ],
  'one id for two calls': [
    'tool pay ok call=c lasting=1s end=40s; tool pay ok call=c lasting=2s end=50s',
    '2/2 2/2 0/2 3/2',
    '1/1 1/2 1/1 2/1',
  ],
};
const names = Object.keys(shapes);

/** Both sides of every KPI of the release that is named by the place of a shape, as `shapes` says them. */
function gaugesOf(families: readonly Family[], release: string): string {
  return kpis
    .map((kpi) =>
      ['numerator', 'denominator']
        .map((side) => value(families, `plimsoll_kpi_tool_call_${kpi}_${side}`, { release, window: '1h' }))
        .join('/'),
    )
    .join(' ');
}

/** The same by SQL, by release. */
async function askedOf({ clickhouse }: TablesAtHand): Promise<ReadonlyMap<string, string>> {
  const asked = new Map<string, string[]>();
  for (const kpi of kpis) {
    const sql = kpiReference.find((one) => one.kpi.stem === `plimsoll_kpi_tool_call_${kpi}`)?.sql ?? '';
    const rows = await clickhouse.query<Record<string, string | number>>(
      sql
        .replaceAll("{from:DateTime64(3, 'UTC')}", `fromUnixTimestamp64Milli(${zeroMs - 3_600_000}, 'UTC')`)
        .replaceAll("{to:DateTime64(3, 'UTC')}", `fromUnixTimestamp64Milli(${zeroMs + 120_000}, 'UTC')`),
    );
    const sides = new Map(
      rows.map((row) => [String(row['release']), `${row['numerator']}/${row['denominator']}`] as const),
    );
    for (const [release, both] of sides) asked.set(release, [...(asked.get(release) ?? []), both]);
  }
  return new Map([...asked].map(([release, sides]) => [release, sides.join(' ')]));
}

test('the SQL of tool calls counts spans: it gives the gauge where metrics.md says so, and what it says else', async () => {
  const runs = names.map((name, i) => `    run r${i}: ${shapes[name]![0]}; root success release=${i}`);
  const [parsed] = parseCases(
    'shapes',
    `# x\n\ncase x\n  otherwise y\n  load at 1m\n${runs.join('\n')}\n  eval plimsoll_kpi_active 1\n`,
  );
  const load = parsed?.commands[0];
  if (load?.kind !== 'load') throw new Error('there is no load');
  const engine = new KpiEngine(parsed!.given, zeroMs);
  engine.nowMs = zeroMs + 60_000;
  engine.append(0, requestOf(load.runs, { zeroMs, nowMs: engine.nowMs, options: load.options }));
  await engine.settled();
  const families = await engine.families();
  const tables = await TablesAtHand.open();
  try {
    // oxlint-disable-next-line unicorn/no-array-fill-with-reference-type -- these are no arrays
    await tables.fill(engine, 1);
    const asked = await askedOf(tables);
    expect(names.map((name, i) => [name, gaugesOf(families, `${i}`), asked.get(`${i}`)])).toEqual(
      names.map((name) => [name, shapes[name]![1], shapes[name]![2]]),
    );
  } finally {
    await tables.remove();
    await engine.stop();
  }
});

test('each KPI whose SQL gives another figure says when', () => {
  const differing = kpis.filter((_, i) =>
    Object.values(shapes).some(([, gauge, sql]) => gauge.split(' ')[i] !== sql.split(' ')[i]),
  );
  expect(kpiReference.filter(({ differs }) => differs !== undefined).map(({ kpi }) => kpi.stem)).toEqual(
    differing.map((kpi) => `plimsoll_kpi_tool_call_${kpi}`),
  );
});
