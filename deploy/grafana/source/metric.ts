import { readFileSync } from 'node:fs';
import { catalogue } from '../../../src/core/telemetry.ts';
import { kpiReference } from '../../../src/kpi/kpi-sql.ts';
import type { Kpi } from '../../../src/kpi/kpi-table.ts';
import { ProcessMeter } from '../../../src/metrics/process-families.ts';

/** A metric that the program exports, and what it says of it. */
export interface Metric {
  readonly name: string;
  readonly help: string;
}

/** Counters, and gauges of incidents, releases and rollbacks, as the reference beside this folder lists them. */
const reference = readFileSync(new URL('../../metrics.md', import.meta.url), 'utf8');
const listed = [...reference.matchAll(/^- `(\w+)(?:\{.*?\})?`: (.*)$/gm)].map(
  ([, name = '', help = '']): Metric => ({ name, help }),
);
const ofPipeline = Object.entries(catalogue).map(([name, { help }]): Metric => ({ name, help }));
const metrics: ReadonlyMap<string, Metric> = new Map(
  [...listed, ...ofPipeline, ...new ProcessMeter().families()].map((each) => [each.name, each]),
);
const kpis: ReadonlyMap<string, Kpi<string>> = new Map(kpiReference.map(({ kpi }) => [kpi.stem, kpi]));

/** The metric `name`, which is no rolling KPI; throws where none is exported under that name. */
export function metric(name: string): Metric {
  const found = metrics.get(name);
  if (!found) throw new Error(`no metric is called ${name}: see deploy/metrics.md and src/core/telemetry.ts`);
  return found;
}

/** The rolling KPI whose gauges begin with `plimsoll_kpi_` and `stem`; throws where there is none. */
export function rollingKpi(stem: string): Kpi<string> {
  const found = kpis.get(`plimsoll_kpi_${stem}`);
  if (!found) throw new Error(`no KPI is called ${stem}: see src/kpi/kpi-table.ts`);
  return found;
}
