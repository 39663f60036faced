import type { Band, Draft } from './dashboard.ts';
import { metricAbout } from './kpi-panels.ts';
import { uids } from './links.ts';
import { metric } from './metric.ts';
import { alarm, figures, stat, trend } from './panel.ts';
import { environments, increase, most, quantile, quotient, rate, total } from './promql.ts';
import { environment, window } from './variables.ts';

const watermark = metric('plimsoll_kpi_watermark_timestamp_seconds').name;

const lost = [
  'plimsoll_store_dead_letters_total',
  'plimsoll_store_expired_records_total',
  'plimsoll_store_duplicate_rows_total',
  'plimsoll_store_unreadable_run_rows_total',
  'plimsoll_assess_undecodable_records_total',
] as const;

const balance = ['committed', 'stored', 'dead', 'expired']
  .map((what) => total(`plimsoll_store_${what}_spans`))
  .join(' - ');

const now: Band = {
  height: 5,
  panels: [
    [
      4,
      stat(metricAbout('plimsoll_receiver_accepted_spans_total', 'Spans a second', 'ops'), {
        expr: rate('plimsoll_receiver_accepted_spans_total', ''),
      }),
    ],
    [
      4,
      stat(metricAbout('plimsoll_stream_lag_records', 'Backlog in records', 'short'), {
        expr: total('plimsoll_stream_lag_records'),
      }),
    ],
    [
      4,
      stat(
        {
          ...metricAbout('plimsoll_kpi_watermark_timestamp_seconds', 'Windows are behind by', 's'),
          description: `How far the windows lie behind the clock. ${metric('plimsoll_kpi_watermark_timestamp_seconds').help}`,
        },
        { expr: `time() - max(${watermark})` },
      ),
    ],
    [
      4,
      stat(metricAbout('plimsoll_kpi_active', 'Processes that compute KPIs', 'short'), {
        expr: total('plimsoll_kpi_active'),
      }),
    ],
    [
      4,
      alarm(
        {
          title: 'Spans unaccounted for',
          description: `${metric('plimsoll_store_committed_spans').help} Stored: ${metric('plimsoll_store_stored_spans').help}`,
          unit: 'short',
        },
        { expr: balance },
      ),
    ],
    [
      4,
      alarm(metricAbout('plimsoll_policies_refused', 'Policies refused', 'bool_yes_no'), {
        expr: most('plimsoll_policies_refused'),
      }),
    ],
  ],
};

const inflow: Band = {
  heading: 'In',
  height: 8,
  panels: [
    [
      8,
      trend(
        {
          title: 'Spans and log records',
          description:
            'A second: accepted ones are durable, refused ones may come again, rejected ones are invalid.',
          unit: 'ops',
        },
        ...(['accepted', 'refused', 'rejected'] as const).flatMap((fate) => [
          { expr: rate(`plimsoll_receiver_${fate}_spans_total`, ''), legend: `spans ${fate}` },
          { expr: rate(`plimsoll_receiver_${fate}_log_records_total`, ''), legend: `log records ${fate}` },
        ]),
      ),
    ],
    [
      8,
      trend(metricAbout('plimsoll_receiver_requests_total', 'Export requests', 'ops'), {
        expr: rate('plimsoll_receiver_requests_total', 'transport, outcome'),
        legend: '{{transport}}: {{outcome}}',
      }),
    ],
    [
      8,
      trend(metricAbout('plimsoll_receiver_request_duration_seconds', 'Time to acknowledge', 's'), {
        expr: quantile(0.99, 'plimsoll_receiver_request_duration_seconds', 'transport'),
        legend: '{{transport}} p99',
      }),
    ],
  ],
};

const stream: Band = {
  heading: 'Stream and store',
  height: 8,
  panels: [
    [
      8,
      trend(metricAbout('plimsoll_stream_lag_records', 'Backlog', 'short'), {
        expr: total('plimsoll_stream_lag_records', 'topic, group'),
        legend: '{{topic}}: {{group}}',
      }),
    ],
    [
      8,
      trend(
        {
          title: 'Rows stored',
          description: `${metric('plimsoll_store_rows_total').help} ${metric('plimsoll_store_run_rows_total').help}`,
          unit: 'ops',
        },
        { expr: rate('plimsoll_store_rows_total', ''), legend: 'spans' },
        { expr: rate('plimsoll_store_run_rows_total', ''), legend: 'runs and other tables' },
      ),
    ],
    [
      8,
      trend(metricAbout('plimsoll_store_insert_duration_seconds', 'Time of an insert', 's'), {
        expr: quantile(0.99, 'plimsoll_store_insert_duration_seconds', ''),
        legend: 'p99',
      }),
    ],
  ],
};

const faults: Band = {
  height: 8,
  panels: [
    [
      8,
      figures(
        {
          title: 'Loss, in the time shown',
          description: lost.map((name) => `${name}: ${metric(name).help}`).join(' '),
          unit: 'short',
        },
        [
          {
            title: 'Count',
            expr: lost
              .map((name) => `label_replace(${increase(name, '')}, "what", "${name}", "", "")`)
              .join(' or '),
          },
        ],
      ),
    ],
    [
      8,
      trend(metricAbout('plimsoll_store_state', 'Partitions by what they do', 'short'), {
        expr: total('plimsoll_store_state', 'state'),
        legend: '{{state}}',
      }),
    ],
    [
      8,
      trend(metricAbout('plimsoll_store_blocks_total', 'Blocks inserted', 'ops'), {
        expr: rate('plimsoll_store_blocks_total', 'outcome'),
        legend: '{{outcome}}',
      }),
    ],
  ],
};

const assessment: Band = {
  heading: 'Assessment',
  height: 8,
  panels: [
    [
      6,
      trend(
        {
          title: 'Runs in memory',
          description: `Open: ${metric('plimsoll_assess_open_runs').help} All: ${metric('plimsoll_assess_runs_in_memory').help}`,
          unit: 'short',
        },
        { expr: total('plimsoll_assess_open_runs'), legend: 'open' },
        { expr: total('plimsoll_assess_runs_in_memory'), legend: 'all' },
      ),
    ],
    [
      6,
      trend(
        {
          title: 'Left out of windows or names',
          description: `Late: ${metric('plimsoll_kpi_late_events_total').help} Overflow: ${metric('plimsoll_kpi_overflow_events_total').help}`,
          unit: 'ops',
        },
        { expr: rate('plimsoll_kpi_late_events_total', 'unit'), legend: 'late: {{unit}}' },
        { expr: rate('plimsoll_kpi_overflow_events_total', 'unit'), legend: 'overflow: {{unit}}' },
      ),
    ],
    [
      6,
      trend(
        {
          title: 'Nobody says whose',
          description:
            'Share of the finished runs of an environment of which nobody says which agent or which release they were of, over the window.',
          unit: 'percentunit',
        },
        {
          expr: quotient('run_unattributed', { scope: environments, by: 'environment' }),
          legend: '{{environment}}',
        },
      ),
    ],
    [
      6,
      figures(metricAbout('plimsoll_policy_info', 'Policies in use', 'short'), [
        {
          title: 'Processes',
          expr: `count by (policy, version, revision, owner) (${metric('plimsoll_policy_info').name})`,
        },
      ]),
    ],
  ],
};

const processes: Band = {
  heading: 'Processes',
  height: 8,
  panels: [
    [
      8,
      trend(metricAbout('plimsoll_process_cpu_seconds_total', 'CPU', 'percentunit'), {
        expr: rate('plimsoll_process_cpu_seconds_total', 'job, instance'),
        legend: '{{instance}}',
      }),
    ],
    [
      8,
      trend(metricAbout('plimsoll_process_resident_memory_bytes', 'Memory', 'bytes'), {
        expr: most('plimsoll_process_resident_memory_bytes', 'job, instance'),
        legend: '{{instance}}',
      }),
    ],
    [
      8,
      trend(metricAbout('plimsoll_process_event_loop_lag_seconds', 'Lateness of the event loop', 's'), {
        expr: `max by (job, instance) (${metric('plimsoll_process_event_loop_lag_seconds').name}{stat="p99"})`,
        legend: '{{instance}} p99',
      }),
    ],
  ],
};

/** Whether the pipeline itself is well. */
export const pipeline: Draft = {
  uid: uids.pipeline,
  title: 'Pipeline',
  description: 'Whether Plimsoll itself is well: what comes in, the backlog, what is stored, what is lost.',
  from: 'now-3h',
  refresh: '30s',
  variables: [environment, window],
  bands: [now, inflow, stream, faults, assessment, processes],
};
