import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { agent } from './agent.ts';
import { cost } from './cost.ts';
import { dashboardOf, type Draft } from './dashboard.ts';
import { executive } from './executive.ts';
import { incidents } from './incidents.ts';
import { overview } from './overview.ts';
import { pipeline } from './pipeline.ts';
import { releaseComparison } from './releases.ts';
import { tools } from './tools.ts';
import { trace } from './trace.ts';

const drafts: readonly Draft[] = [
  overview,
  agent,
  releaseComparison,
  tools,
  cost,
  incidents,
  pipeline,
  executive,
  trace,
];

/** Every dashboard, as Grafana takes it. */
export const dashboards: readonly Dashboard[] = drafts.map(dashboardOf);
