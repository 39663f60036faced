import { runKpis, toolKpis } from '../kpi/kpi-table.ts';
import type { Tile } from './live-view.ts';

/** What a tile says whatever the figures are. */
type TileKind = Pick<Tile, 'kpi' | 'title' | 'unit' | 'better' | 'counted'>;

const stem = 'plimsoll_kpi_';
const units = new Map([...runKpis, ...toolKpis].map((kpi) => [kpi.stem, kpi.unit]));

function tile(kpi: string, title: string, better: Tile['better'], counted: string): TileKind {
  const unit = units.get(stem + kpi);
  if (unit === undefined) throw new Error(`there is no KPI ${kpi} in the tables of KPIs`);
  return { kpi, title, unit, better, counted };
}

/** The tiles, in the order in which they are shown. A new tile is a new row. */
export const tileKinds: readonly TileKind[] = [
  tile('run_success', 'Runs that ended well', 'higher', 'runs'),
  tile('run_escalation', 'Runs that escalated', 'lower', 'runs'),
  tile('incidents_per_run', 'Incidents per run', 'lower', 'runs'),
  tile('cost_usd_per_run', 'Cost per run', 'lower', 'priced runs'),
  tile('cost_usd_per_success', 'Cost per success', 'lower', 'priced successes'),
  tile('run_duration', 'Mean duration of a run', 'lower', 'runs'),
  tile('tool_call_success', 'Tool calls that did not fail', 'higher', 'tool calls'),
  tile('outcome_evidence', 'Outcomes that somebody confirmed', 'higher', 'runs'),
];

/** What each tile divides: numerators at even places, each followed by its denominator. */
export const amounts: readonly string[] = tileKinds.flatMap(({ kpi }) => [
  `${stem}${kpi}_numerator`,
  `${stem}${kpi}_denominator`,
]);

/** The place of the numerator of `kpi` among the amounts. */
export function placeOf(kpi: string): number {
  return 2 * tileKinds.findIndex((each) => each.kpi === kpi);
}

/** What `sums`, amounts that were added up, say of the numerator at `place`; null where there is nothing to divide by. */
export function quotient(sums: ArrayLike<number>, place: number): number | null {
  const below = sums[place + 1] ?? 0;
  return below > 0 ? (sums[place] ?? 0) / below : null;
}
