import type { Family } from '../../src/kpi/family.ts';
import { call, kpisOf, published, run } from '../kpi/events.ts';

const noon = Date.UTC(2026, 10, 23, 12);

/** The KPIs of a few runs of two releases. */
export function someKpis(): readonly Family[] {
  const kpis = kpisOf(1, { qualityTarget: () => 0.8 });
  const cost = { llm: 0.25, tool: 0, review: 0 };
  const scores = new Map([['helpfulness', 0.75]]);
  kpis.finished(run(noon, { outcome: 'success', evidence: 'human', costUsd: cost, scores }));
  kpis.finished(run(noon, { outcome: 'escalated', escalationReason: 'approval', costUsd: cost }));
  kpis.finished(run(noon - 400_000, { release: '1.5.0 "beta"\\', outcome: 'failure', priced: false }));
  kpis.toolCall(call(noon));
  kpis.toolCall(call(noon, { result: 'error', durationMs: 2000 }));
  kpis.toolCall(call(noon, { tool: 'refund', result: 'rejected' }));
  kpis.watermark.advance(0, noon, noon, noon);
  return published(kpis, noon);
}
