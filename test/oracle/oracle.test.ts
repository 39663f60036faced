import { afterAll, beforeAll, expect, test } from 'vitest';
import { Draw } from '../faults/draw.ts';
import { KpiEngine } from '../kpi-cases/kpi-engine.ts';
import { value } from '../kpi/events.ts';
import { runs } from '../property-runs.ts';
import { Comparison, type OracleWindow } from './compare-gauges.ts';
import { FleetFeed, type FeedShape } from './fleet-feed.ts';
import { countedSql, undecidedSql } from './kpi-sql.ts';
import { TablesAtHand } from './tables-at-hand.ts';

const minute = 60_000;
const windows: readonly OracleWindow[] = [
  { label: '5m', lengthMs: 5 * minute },
  { label: '1h', lengthMs: 60 * minute },
  { label: '24h', lengthMs: 1440 * minute },
];
const longestMs = 1440 * minute;
/** A million spans with `npm run test:deep`. */
const { spans, instants, lengthMs, limitMs } =
  runs < 10_000
    ? { spans: 30_000, instants: 20, lengthMs: 130 * minute, limitMs: 180_000 }
    : { spans: 1_000_000, instants: 100, lengthMs: 30 * 60 * minute, limitMs: 3_600_000 };
const startMs = Date.UTC(2026, 10, 22, 9);
const tickMs = 20_000;
const partitions = 4;
const given = {
  partitions,
  windowsMs: windows.map((window) => window.lengthMs),
  latenessMs: 2 * minute,
  idleTimeoutMs: 5 * minute,
  maxSeries: 100_000,
};

let tables: TablesAtHand;
beforeAll(async () => {
  tables = await TablesAtHand.open();
});
afterAll(async () => {
  await tables.remove();
});

/** Compares all gauges as of now; undefined when no query can know whether the latest calls are counted yet. */
async function compareAll(engine: KpiEngine): Promise<{ wrong: string[]; compared: number } | undefined> {
  await tables.fill(engine, partitions);
  const families = await engine.families();
  const watermarkMs = Math.round(value(families, 'plimsoll_kpi_watermark_timestamp_seconds')! * 1000);
  const { clickhouse } = tables;
  const [answer] = await clickhouse.query<{ undecided: string | number }>(undecidedSql, { watermarkMs });
  if (Number(answer?.undecided) > 0) return undefined;
  for (const sql of countedSql(watermarkMs, longestMs)) await clickhouse.command(sql);
  const result = { wrong: [] as string[], compared: 0 };
  for (const window of windows) {
    const comparison = new Comparison(families, window);
    await comparison.ask(clickhouse, watermarkMs);
    result.wrong.push(...comparison.wrong);
    result.compared += comparison.compared;
  }
  return result;
}

/** Feeds an engine with a clock; compares at random instants, and lets the process stop and be killed on the way. */
async function compareAlong(shape: FeedShape): Promise<{ compared: number; sent: number }> {
  const feed = new FleetFeed(shape);
  const draw = new Draw(shape.seed + 1);
  const engine = new KpiEngine(given, startMs);
  const ticks = lengthMs / tickMs;
  const ends = { restart: Math.floor(ticks / 3), kill: Math.floor((2 * ticks) / 3) };
  const chosen = new Set<number>();
  while (chosen.size < instants) chosen.add(draw.between(15, ticks));
  let compared = 0;
  for (let tick = 1; tick <= ticks; tick++) {
    engine.nowMs = startMs + tick * tickMs;
    feed.deliver(engine);
    if (tick === ends.restart) await engine.restart();
    if (tick === ends.kill) await engine.kill();
    await engine.settled();
    if (!chosen.has(tick)) continue;
    if (draw.random() < 0.5) {
      engine.nowMs += draw.between(2000, 8000); // nothing comes meanwhile, so the clock moves the windows
      await engine.settled();
    }
    const result = await compareAll(engine);
    if (result === undefined) chosen.add(tick + 1);
    else expect(result.wrong.slice(0, 10), `seed ${shape.seed}, tick ${tick}`).toEqual([]);
    compared += result?.compared ?? 0;
  }
  await engine.stop();
  return { compared, sent: feed.sent };
}

test(
  `${spans} spans: every gauge is what SQL over the tables says, at ${instants} random instants`,
  async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const { compared, sent } = await compareAlong({ seed, spans, startMs, lengthMs, partitions });
    process.stderr.write(`oracle: ${sent} spans, ${compared} values compared (seed ${seed})\n`);
    expect(sent).toBeGreaterThan(0.95 * spans);
    expect(compared).toBeGreaterThan(1000 * instants);
  },
  limitMs,
);
