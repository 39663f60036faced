import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Family } from '../../src/kpi/family.ts';
import { Draw } from '../faults/draw.ts';
import { KpiEngine } from '../kpi-cases/kpi-engine.ts';
import type { Given } from '../kpi-cases/case.ts';
import { value } from '../kpi/events.ts';
import { runs } from '../property-runs.ts';
import { Comparison, type OracleWindow } from './compare-gauges.ts';
import { FleetFeed, type FeedShape } from './fleet-feed.ts';
import { ExpectedWatermark } from './expected-watermark.ts';
import { IncidentReports } from './incident-reports.ts';
import { countedSql, uncountedSql } from './kpi-sql.ts';
import { unendedSql, viewSql } from './run-sql.ts';
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
    ? { spans: 20_000, instants: 8, lengthMs: 130 * minute, limitMs: 180_000 }
    : { spans: 1_000_000, instants: 100, lengthMs: 30 * 60 * minute, limitMs: 3_600_000 };
const startMs = Date.UTC(2026, 10, 22, 9);
const tickMs = 20_000;
/** One sender's clock is minutes behind, later than is allowed; another one is as far ahead as nobody minds. */
const clocksMs = [0, 0, -3 * minute, 4000];
const ticks = lengthMs / tickMs;
const given: Given = {
  partitions: clocksMs.length,
  windowsMs: windows.map((window) => window.lengthMs),
  latenessMs: 2 * minute,
  idleTimeoutMs: 5 * minute,
  maxSeries: 100_000,
  zeroForMs: 0,
  snapshots: 'asked',
};

let tables: TablesAtHand;
beforeAll(async () => {
  tables = await TablesAtHand.open();
});
afterAll(async () => {
  await tables.remove();
});

/** What the gauges were compared at: they, and where the watermark must be. */
interface Instant {
  readonly families: readonly Family[];
  readonly watermarkMs: number;
}

/** What is wrong, as sentences, and how many series were compared. */
interface Finding {
  readonly wrong: readonly string[];
  readonly compared: number;
}

function watermarkWrong({ families, watermarkMs }: Instant): readonly string[] {
  const gaugeMs = Math.round(value(families, 'plimsoll_kpi_watermark_timestamp_seconds')! * 1000);
  return gaugeMs === watermarkMs ? [] : [`the watermark is ${gaugeMs}, by the arrivals ${watermarkMs}`];
}

/** Rows of the view `runs`, or of what stands for it, that are not what spans say. */
async function viewWrong({ watermarkMs }: Instant, runsView?: string): Promise<readonly string[]> {
  const sinceMs = watermarkMs - longestMs;
  const rows = await tables.clickhouse.query<{ who: string; row: string }>(viewSql(runsView), { sinceMs });
  return rows.map(({ who, row }) => `a run is ${row} ${who} alone`);
}

async function gaugesWrong(
  { families, watermarkMs }: Instant,
  only: readonly OracleWindow[],
): Promise<Finding> {
  const wrong: string[] = [];
  let compared = 0;
  for (const window of only) {
    const comparison = new Comparison(families, window);
    await comparison.ask(tables.clickhouse, watermarkMs);
    wrong.push(...comparison.wrong);
    compared += comparison.compared;
  }
  return { wrong, compared };
}

/** Fills the tables with all that was read by `watermarkMs`. False when no query can know whether the latest runs and calls are counted yet. */
async function canTell(engine: KpiEngine, watermarkMs: number): Promise<boolean> {
  await tables.fill(engine, clocksMs.length);
  const { clickhouse } = tables;
  for (const sql of countedSql(watermarkMs, longestMs)) await clickhouse.command(sql);
  for (const sql of [unendedSql, uncountedSql]) {
    const [answer] = await clickhouse.query<{ undecided: string | number }>(sql, { watermarkMs });
    if (Number(answer?.undecided) > 0) return false;
  }
  return true;
}

/** One partition is not read for four minutes in every fifteen. */
const cycleTicks = 45;
const pausedPartition = 1;
const pause = { from: 20, to: 32 };
/** Processes end while nothing waits: what has been read can be read again then. */
const wholeCycles = (of: number): number => cycleTicks * Math.floor(of / cycleTicks);
const ends = { restart: wholeCycles(ticks / 3), kill: wholeCycles((2 * ticks) / 3) };

/** An engine that is fed, with a clock, and what must come of that. */
class Course {
  readonly engine = new KpiEngine(given, startMs);
  readonly feed: FleetFeed;
  readonly #draw: Draw;
  readonly #watermark = new ExpectedWatermark(clocksMs.length);
  readonly #reports = new IncidentReports();
  #tick = 0;

  constructor(shape: FeedShape) {
    this.feed = new FleetFeed(shape);
    this.#draw = new Draw(shape.seed + 1);
  }

  /** Instants to compare at, all different. Just after a kill the view may know more than the process that begins. */
  choose(): Set<number> {
    const chosen = new Set<number>();
    while (chosen.size < instants) chosen.add(this.#draw.between(15, ticks));
    chosen.delete(ends.kill);
    return chosen;
  }

  /** Lets one tick go by. */
  async step(): Promise<void> {
    await this.#pauseOrResume(this.#tick % cycleTicks);
    this.#tick++;
    const { engine } = this;
    engine.nowMs = startMs + this.#tick * tickMs;
    for (const arrival of this.feed.deliver(engine)) this.#watermark.arrived(arrival, engine.nowMs);
    if (this.#tick === ends.restart) await engine.restart();
    if (this.#tick === ends.kill) {
      await engine.kill();
      this.#watermark.killed(engine.nowMs);
    }
    await engine.settled();
    this.#watermark.at(engine.nowMs);
    if (this.#tick === ends.restart) this.#watermark.committed();
    if (this.#draw.random() >= 0.08) return;
    await this.#reports.add(engine, this.#draw);
    this.#watermark.committed();
  }

  async #pauseOrResume(at: number): Promise<void> {
    const { engine } = this;
    if (at === pause.from) {
      engine.allow(pausedPartition, 0);
      this.#watermark.pause(pausedPartition);
    } else if (at === pause.to) {
      engine.allow(pausedPartition, Number.POSITIVE_INFINITY);
      this.#watermark.resume(pausedPartition, engine.nowMs);
    } else return;
    await engine.settled();
    this.#watermark.at(engine.nowMs);
  }

  /** Everything as of now, or a little later, when nothing has come, so that the clock moves the windows; undefined when nobody can tell. */
  async instant(): Promise<Instant | undefined> {
    const { engine } = this;
    if (this.#draw.random() < 0.5) {
      engine.nowMs += this.#draw.between(2000, 8000);
      await engine.settled();
    }
    const watermarkMs = this.#watermark.at(engine.nowMs);
    const families = await engine.families();
    this.#watermark.committed();
    if (!(await canTell(engine, watermarkMs))) return undefined;
    expect(await this.#reports.tell(tables.clickhouse), 'incidents that the view has not, or beyond').toBe(0);
    return { families, watermarkMs };
  }
}

/** Feeds an engine; compares at random instants, and lets the process stop and be killed on the way. Resolves with the last instant, too. */
async function compareAlong(shape: FeedShape): Promise<{ compared: number; sent: number; last: Instant }> {
  const course = new Course(shape);
  const chosen = course.choose();
  let compared = 0;
  let last: Instant | undefined;
  for (let tick = 1; tick <= ticks; tick++) {
    await course.step();
    if (!chosen.has(tick)) continue;
    const instant = await course.instant();
    if (!instant) {
      chosen.add(tick + 1 === ends.kill ? tick + 2 : tick + 1);
      continue;
    }
    const gauges = await gaugesWrong(instant, windows);
    const wrong = [...watermarkWrong(instant), ...(await viewWrong(instant)), ...gauges.wrong];
    expect(wrong.slice(0, 10), `seed ${shape.seed}, tick ${tick}`).toEqual([]);
    compared += gauges.compared;
    last = instant;
  }
  await course.engine.stop();
  return { compared, sent: course.feed.sent, last: last! };
}

/** `families` with other values of the one called `name`. */
function altered(
  families: readonly Family[],
  name: string,
  alter: (value: number) => number,
): readonly Family[] {
  return families.map((family) =>
    family.name === name
      ? { ...family, samples: family.samples.map((one) => ({ ...one, value: alter(one.value) })) }
      : family,
  );
}

/** Expects that it is told when the gauges or the rows of `instant` are not what they are. */
async function expectFaultsSeen(instant: Instant): Promise<void> {
  const gauges: readonly (readonly [name: string, alter: (value: number) => number])[] = [
    ['plimsoll_kpi_cost_usd_per_run_numerator', (usd) => 2 * usd],
    ['plimsoll_kpi_run_failure_numerator', () => 0],
    ['plimsoll_kpi_run_success_numerator', (count) => count + 1],
    ['plimsoll_kpi_incidents_per_run_numerator', () => 0],
  ];
  for (const [name, alter] of gauges) {
    const families = altered(instant.families, name, alter);
    const { wrong } = await gaugesWrong({ ...instant, families }, windows.slice(-1));
    expect(
      wrong.filter((sentence) => sentence.startsWith(`${name}{`)),
      name,
    ).not.toEqual([]);
  }
  const views = [
    'LlmCostUsd * 2 AS LlmCostUsd',
    "if(Outcome = 'failure', 'success', Outcome) AS Outcome",
    'ClosedTime + 1 AS ClosedTime',
  ];
  for (const column of views)
    expect(await viewWrong(instant, `(SELECT * REPLACE(${column}) FROM runs)`), column).not.toEqual([]);
  const later = altered(instant.families, 'plimsoll_kpi_watermark_timestamp_seconds', (at) => at + 0.001);
  expect(watermarkWrong({ ...instant, families: later })).toHaveLength(1);
}

test(
  `${spans} spans: every gauge is what SQL over the tables says, at ${instants} random instants`,
  async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const { compared, sent, last } = await compareAlong({ seed, spans, startMs, lengthMs, clocksMs });
    process.stderr.write(`oracle: ${sent} spans, ${compared} values compared (seed ${seed})\n`);
    expect(sent).toBeGreaterThan(0.95 * spans);
    expect(compared).toBeGreaterThan(1000 * instants);
    await expectFaultsSeen(last);
  },
  limitMs,
);
