import type { Column } from './panel.ts';

/** The dashboards that others lead to, by uid. */
export const uids = {
  overview: 'plimsoll-overview',
  agent: 'plimsoll-agent',
  releases: 'plimsoll-releases',
  tools: 'plimsoll-tools',
  cost: 'plimsoll-cost',
  incidents: 'plimsoll-incidents',
  pipeline: 'plimsoll-pipeline',
  executive: 'plimsoll-executive',
  trace: 'plimsoll-trace',
} as const;

const kept = '${prometheus:queryparam}&${clickhouse:queryparam}&${environment:queryparam}';

/** Of the row in which one clicks. */
const cell = (field: string): string => `\${__data.fields.${field}:percentencode}`;

/** A column `agent` that leads to the dashboard of that agent, in the same time. */
export const agentLink: Column = {
  title: 'agent',
  link: {
    title: 'This agent',
    url: `/d/${uids.agent}?${kept}&var-agent=${cell('agent')}&\${__url_time_range}`,
  },
};

/** A column `release` that leads to the comparison of the releases of its agent. */
export const releaseLink: Column = {
  title: 'release',
  link: {
    title: 'Releases of this agent',
    url: `/d/${uids.releases}?${kept}&var-agent=${cell('agent')}&\${__url_time_range}`,
  },
};

/** A column `TraceId` that leads to the spans of that trace. */
export const traceLink: Column = {
  title: 'TraceId',
  link: {
    title: 'This trace',
    url: `/d/${uids.trace}?\${clickhouse:queryparam}&var-trace_id=${cell('TraceId')}`,
  },
};
