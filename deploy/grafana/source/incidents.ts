import { marksOf, type Band, type Draft } from './dashboard.ts';
import { asksToo, metricAbout } from './kpi-panels.ts';
import { agentLink, uids } from './links.ts';
import { metric } from './metric.ts';
import { alarm, figures, rows, stack, stat, trend } from './panel.ts';
import { agents, increase, most, total } from './promql.ts';
import { inRange, ofAgents, ofCounted } from './sql.ts';
import { anyAgents, environment } from './variables.ts';

const now: Band = {
  height: 5,
  panels: [
    [
      4,
      alarm(metricAbout('plimsoll_incidents_open', 'Open', 'short'), {
        expr: total('plimsoll_incidents_open', '', agents),
      }),
    ],
    [
      4,
      alarm(metricAbout('plimsoll_incidents_unacknowledged', 'Not acknowledged', 'short'), {
        expr: total('plimsoll_incidents_unacknowledged', '', agents),
      }),
    ],
    [
      4,
      stat(
        metricAbout('plimsoll_incidents_oldest_start_timestamp_seconds', 'Oldest began', 'dateTimeFromNow'),
        {
          expr: `1000 * min(${metric('plimsoll_incidents_oldest_start_timestamp_seconds').name}{${agents}})`,
        },
      ),
    ],
    [
      6,
      alarm(metricAbout('plimsoll_rollback_needs_human', 'Waits for a person', 'short'), {
        expr: `${total('plimsoll_rollback_needs_human', 'what')} > 0`,
        legend: '{{what}}',
      }),
    ],
    [
      3,
      alarm(metricAbout('plimsoll_rollback_stopped', 'Rollbacks stopped', 'bool_yes_no'), {
        expr: most('plimsoll_rollback_stopped'),
      }),
    ],
    [
      3,
      alarm(metricAbout('plimsoll_rollback_fault', 'Executor at fault', 'bool_yes_no'), {
        expr: most('plimsoll_rollback_fault'),
      }),
    ],
  ],
};

const openOnes: Band = {
  height: 8,
  panels: [
    [
      10,
      figures(
        {
          ...metricAbout('plimsoll_incidents_open', 'Open incidents by release', 'short'),
          description: `Where incidents are open now, the gravest first. Since: when the oldest of them began. ${asksToo}`,
        },
        [
          {
            title: 'Open',
            expr: `${total('plimsoll_incidents_open', 'severity, agent, release, environment', agents)} > 0`,
          },
          {
            title: 'Not acknowledged',
            expr: `${total('plimsoll_incidents_unacknowledged', 'severity, agent, release, environment', agents)} > 0`,
          },
          {
            title: 'Since',
            unit: 'dateTimeFromNow',
            expr: `1000 * min by (severity, agent, release, environment) (${metric('plimsoll_incidents_oldest_start_timestamp_seconds').name}{${agents}})`,
          },
        ],
        [agentLink],
      ),
    ],
    [
      7,
      stack(metricAbout('plimsoll_incidents_opened_total', 'Opened, by severity', 'short'), {
        expr: increase('plimsoll_incidents_opened_total', 'severity', agents, '$__rate_interval'),
        legend: '{{severity}}',
      }),
    ],
    [
      7,
      figures(
        {
          title: 'Alerts that fire',
          description:
            'Alerts of the rules that `plimsoll policy render` writes, where Prometheus has them. They are about what the labels say, whatever is chosen above.',
          unit: 'short',
        },
        [
          {
            title: 'Firing',
            expr: 'sum by (severity, alertname, policy, agent, release) (ALERTS{alertstate="firing",policy!="",environment!~"drill:.*"})',
          },
        ],
      ),
    ],
  ],
};

const attempts: Band = {
  heading: 'Rollbacks',
  height: 8,
  panels: [
    [
      8,
      figures(metricAbout('plimsoll_rollback_attempts_total', 'Attempts', 'short'), [
        { title: 'Attempts', expr: `${total('plimsoll_rollback_attempts_total', 'target, state')} > 0` },
      ]),
    ],
    [
      6,
      trend(metricAbout('plimsoll_rollback_attempts_open', 'Attempts under way', 'short'), {
        expr: total('plimsoll_rollback_attempts_open', 'state'),
        legend: '{{state}}',
      }),
    ],
    [
      5,
      figures(metricAbout('plimsoll_rollback_requests_total', 'Requests', 'short'), [
        { title: 'Requests', expr: total('plimsoll_rollback_requests_total', 'cause, outcome') },
      ]),
    ],
    [
      5,
      figures(
        {
          title: 'Drills and breakers',
          description: `${metric('plimsoll_drill_last_success_timestamp_seconds').help} ${metric('plimsoll_rollback_breaker_open').help}`,
          unit: 'short',
        },
        [
          {
            title: 'Passed',
            unit: 'dateTimeFromNow',
            expr: `1000 * ${most('plimsoll_drill_last_success_timestamp_seconds', 'policy, scenario')}`,
          },
          { title: 'Breaker', unit: 'bool_yes_no', expr: most('plimsoll_rollback_breaker_open', 'scope') },
        ],
      ),
    ],
  ],
};

const latest = `SELECT
    DetectedTime, Severity, Title, AgentName, Release, Environment, Kpi, Owner, Resolution,
    SecondsToDetect, SecondsToAcknowledge, SecondsToMitigate, SecondsToResolve, Summary
FROM incidents_now
WHERE ${inRange('DetectedTime')} AND ${ofAgents}
ORDER BY DetectedTime DESC
LIMIT 200`;

const responses = `SELECT
    Severity, count() AS Incidents, medianOrNull(SecondsToDetect) AS ToDetect,
    medianOrNull(SecondsToAcknowledge) AS ToAcknowledge, medianOrNull(SecondsToMitigate) AS ToMitigate,
    medianOrNull(SecondsToResolve) AS ToResolve, countIf(ResolvedTime IS NULL) AS StillOpen
FROM incidents_now
WHERE ${inRange('DetectedTime')} AND ${ofCounted}
GROUP BY Severity
ORDER BY Severity`;

const events = `SELECT
    Timestamp, Event, State, Mode, Target, AgentName, Environment, FromRelease, ToRelease, Cause, Actor, Reason
FROM rollback_events
WHERE ${inRange('Timestamp')} AND (AgentName = '' OR ${ofAgents})
ORDER BY Seq DESC
LIMIT 200`;

const reviews = `SELECT
    Policy, EndedAs, count() AS Attempts, countIf(Review = 'right') AS Confirmed, countIf(Review = 'wrong') AS Wrong,
    countIf(Review = '') AS NotReviewed
FROM
(
    SELECT
        any(Policy) AS Policy, argMaxIf(State, Seq, State != '') AS EndedAs,
        argMaxIf(JSONExtractString(Evidence, 'review'), Seq, Event = 'reviewed') AS Review
    FROM rollback_events
    WHERE RollbackId != '' AND ${inRange('Timestamp')} AND ${ofAgents}
    GROUP BY RollbackId
)
GROUP BY Policy, EndedAs
ORDER BY Policy, EndedAs`;

const seconds = (...titles: readonly string[]) => titles.map((title) => ({ title, unit: 's' }) as const);

const history: Band = {
  heading: 'In the time shown',
  height: 9,
  panels: [
    [
      15,
      rows(
        {
          title: 'Incidents',
          description: `Incidents that opened in the time shown, as they are known now, the latest first. ${asksToo}`,
          unit: 'none',
        },
        latest,
        seconds('SecondsToDetect', 'SecondsToAcknowledge', 'SecondsToMitigate', 'SecondsToResolve'),
      ),
    ],
    [
      9,
      rows(
        {
          title: 'How fast we respond',
          description:
            'Medians by severity of incidents that opened in the time shown; those that have not come so far are in none. Requests to approve a rollback are left out.',
          unit: 'none',
        },
        responses,
        seconds('ToDetect', 'ToAcknowledge', 'ToMitigate', 'ToResolve'),
      ),
    ],
  ],
};

const journal: Band = {
  height: 9,
  panels: [
    [
      8,
      rows(
        {
          title: 'Were they right?',
          description:
            'What people said of attempts of the time shown, by the state they are in: dry_run is what would have been rolled back.',
          unit: 'none',
        },
        reviews,
      ),
    ],
    [
      16,
      rows(
        {
          title: 'Journal of rollbacks',
          description:
            'What the executor did, and why, in the time shown, the latest first; drills and stops of everything, too.',
          unit: 'none',
        },
        events,
      ),
    ],
  ],
};

/** Incidents, alerts and rollbacks. */
export const incidents: Draft = {
  uid: uids.incidents,
  title: 'Incidents and rollbacks',
  description: 'What is open, what fires, what was rolled back and what waits for a person.',
  from: 'now-24h',
  refresh: '30s',
  variables: [environment, anyAgents],
  annotations: marksOf(agents),
  bands: [now, openOnes, attempts, history, journal],
};
