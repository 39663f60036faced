import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Band, Draft } from './dashboard.ts';
import { uids } from './links.ts';
import { rows, waterfall } from './panel.ts';
import { traceId, traces } from './variables.ts';

const id = "lower('${trace_id}')";

/**
 * The days on which the trace was, so that no others are read. Not `<` at the end: ClickHouse takes that for `<=` one whole
 * second before when it chooses parts, and leaves out those that are all within that second.
 */
const ofTrace = `TraceId = ${id}
    AND Timestamp >= (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId = ${id})
    AND Timestamp <= (SELECT max(End) FROM otel_traces_trace_id_ts WHERE TraceId = ${id}) + 1`;

const keyValues = (map: string): string =>
  `arrayMap((key, value) -> map('key', key, 'value', value), mapKeys(${map}), mapValues(${map}))`;

const spans = `SELECT
    TraceId AS traceID, SpanId AS spanID, ParentSpanId AS parentSpanID, ServiceName AS serviceName,
    SpanName AS operationName, toUnixTimestamp64Nano(Timestamp) / 1e6 AS startTime, Duration / 1e6 AS duration,
    ${keyValues('SpanAttributes')} AS tags,
    ${keyValues('ResourceAttributes')} AS serviceTags
FROM otel_traces
WHERE ${ofTrace}
ORDER BY startTime
LIMIT 5000`;

const steps = `SELECT
    Timestamp, Step, SpanName, ToolName, Model, Duration / 1e9 AS Seconds, Result, ErrorType, EscalationReason,
    InputTokens, OutputTokens, toFloat64(CostUsd) AS CostUsd, CostSource, Rule
FROM otel_traces
WHERE ${ofTrace}
ORDER BY Timestamp, SpanId
LIMIT 1000`;

const runs = `SELECT
    RunId, AgentName, Release, Environment, SessionId, StartTime, EndTime, ClosedBy, Outcome, Evidence, EscalationReason,
    ToolCalls, ToolCallsFailed, toFloat64(CostUsd) AS CostUsd, Priced, Scores, PolicyRevision
FROM runs
WHERE TraceId = ${id}
    OR RunId IN (SELECT RunId FROM otel_traces WHERE ${ofTrace} AND RunId != '')
LIMIT 10`;

const usd = { title: 'CostUsd', unit: 'currencyUSD' } as const;

const bands: readonly Band[] = [
  {
    height: 5,
    panels: [
      [
        24,
        rows(
          {
            title: 'Run',
            description: 'What is known of the run, or runs, that the trace belongs to.',
            unit: 'none',
          },
          runs,
          [usd],
        ),
      ],
    ],
  },
  {
    height: 14,
    panels: [
      [
        24,
        waterfall(
          {
            title: 'Trace',
            description: 'The spans of the trace as they nest; of many the first 5,000.',
            unit: 'none',
          },
          spans,
        ),
      ],
    ],
  },
  {
    height: 12,
    panels: [
      [
        24,
        rows(
          {
            title: 'Steps',
            description:
              'What each span means: the tool or model, how it ended, what it cost and by which rule that is known.',
            unit: 'none',
          },
          steps,
          [usd, { title: 'Seconds', unit: 's' }],
        ),
      ],
    ],
  },
];

const inTempo = new DashboardLinkBuilder('Open in Tempo')
  .type(DashboardLinkType.Link)
  .url(
    '/explore?left={"datasource":"${traces}","queries":[{"refId":"A","queryType":"traceql","query":"${trace_id}"}],"range":{"from":"now-1h","to":"now"}}',
  )
  .targetBlank(true);

/** One trace, by its id: where points on other dashboards lead. */
export const trace: Draft = {
  uid: uids.trace,
  title: 'Trace',
  description:
    'One trace and the run it belongs to, by its id: where points and tables of other dashboards lead.',
  from: 'now-24h',
  variables: [traces, traceId],
  links: [inTempo],
  bands,
};
