import { metricsOf, type KpiName } from './kpi-metrics.ts';

/** Shares of what is bad. */
const badShares: ReadonlySet<KpiName> = new Set(['run_escalation', 'tool_call_retry']);

/** Whether more of a KPI is better: it is a share of what is good, or a score. */
export function isBetterHigher(kpi: KpiName): boolean {
  return metricsOf(kpi).unit === 'ratio' && !badShares.has(kpi);
}
