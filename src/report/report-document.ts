import type { Document } from './document.ts';
import { counted, dayText, instantText, monthText, shownName, whole } from './figure-text.ts';
import {
  budgetsSection,
  dataSection,
  drillsSection,
  qualitySection,
  risksSection,
} from './governance-sections.ts';
import { incidentsSection, releasesSection } from './incident-sections.ts';
import { agentsSection, costSection, escalationsSection, tiles } from './reliability-sections.ts';
import { monthAt } from './month.ts';
import type { Report } from './report.ts';

/** `report` as people read it. */
export function documentOf(report: Report): Document {
  const { month, environment, policy, data, total } = report;
  const isEmpty = total.now.runs === 0 && report.incidents.all === 0;
  const revisions = policy.policies.map(
    (one) => `${shownName(one.policy)} version ${one.version} (${shownName(one.revision)})`,
  );
  return {
    title: `Reliability of agents, ${monthText(month)}`,
    subtitle: `Environment ${shownName(environment)}. Times are in UTC.`,
    warnings: warningsOf(report),
    tiles: isEmpty ? [] : tiles(report),
    sections: isEmpty
      ? [drillsSection(report), risksSection(report)]
      : [
          agentsSection(report),
          costSection(report),
          escalationsSection(report),
          incidentsSection(report),
          releasesSection(report),
          budgetsSection(report),
          qualitySection(report),
          drillsSection(report),
          dataSection(report),
          risksSection(report),
        ],
    notes: notesOf(report),
    stamp: `Made of what ClickHouse has up to ${data.last === null ? 'the end of the month' : `the run that ended on ${instantText(data.last)} UTC`}. Policies in use: ${revisions.length === 0 ? 'none' : revisions.join(', ')}.`,
  };
}

function warningsOf({ data, total, environment }: Report): readonly string[] {
  const elsewhere = data.elsewhere.map(
    ({ environment: name, runs }) => `${shownName(name)} (${whole(runs)})`,
  );
  const bounds = [
    ...(data.beginsWithin && data.first !== null ? [`begins on ${dayText(data.first)}`] : []),
    ...(data.endsWithin && data.last !== null ? [`ends on ${instantText(data.last)} UTC`] : []),
  ];
  return [
    ...(total.now.runs === 0
      ? [
          `There are no runs in ${shownName(environment)} in this month.${beginWords(data)}${elsewhere.length === 0 ? '' : ` There are runs in ${elsewhere.join(', ')}: choose one with --environment.`}`,
        ]
      : []),
    ...(bounds.length === 0 ? [] : [`The month is not whole: data ${bounds.join(' and ')}.`]),
    ...(data.beginsBefore && data.first !== null
      ? [`The three months before are not whole: data begins on ${dayText(data.first)}.`]
      : []),
    ...(total.now.runs > 0 && !total.now.success.isEnough
      ? [`Not enough data: ${counted(total.now.runs, 'run')} in the month say little.`]
      : []),
  ];
}

/** Where a month without runs is before all of them: when they begin. */
function beginWords({ first, last }: Report['data']): string {
  if (first === null || last !== null) return '';
  return ` Runs begin on ${dayText(first)} ${first.slice(0, 4)}: --month ${monthAt(Date.parse(first))}.`;
}

function notesOf({ policy, incidents, total, agents }: Report): readonly string[] {
  const changed = policy.changes.map(({ policy: name, version, revision, since, changes }) => {
    const what = changes.length === 0 ? 'nothing that changes a figure of this page' : changes.join('; ');
    return `${shownName(name)} has version ${version} (${shownName(revision)}) since ${dayText(since)}: ${what.replaceAll('_', ' ')}.`;
  });
  const redefined = agents.filter(({ isRedefined }) => isRedefined).map(({ agent }) => shownName(agent));
  return [
    ...changed,
    ...(redefined.length === 0
      ? []
      : [
          `* Which outcomes are good changed within the four months for ${redefined.join(', ')}: each run counts as the policy of its time says, and its rates of success, and costs of a success, are not alike.`,
        ]),
    ...(incidents.withoutEnvironment === 0
      ? []
      : [
          `${counted(incidents.withoutEnvironment, 'incident')} named no environment, and may be of another one.`,
        ]),
    ...policy.unread.map(
      (name) =>
        `The text of the policy ${shownName(name)} is too long to be stored: its objectives, risks and drills are not in this report.`,
    ),
    ...(policy.unused.length === 0
      ? []
      : [
          `No run of the four months is covered by ${policy.unused.map((name) => shownName(name)).join(', ')}: what covers none counts as removed, and its objectives, risks and drills are left out.`,
        ]),
    ...(total.now.runs === 0 ? [] : definitions),
  ];
}

const definitions: readonly string[] = [
  'Success: the outcome of the run is good, as its policy says (success or completed where no policy does). Intervals are Wilson’s, 95 %; a rate of fewer than 20 runs is not stated. Better and worse are said where Newcombe’s interval of the difference excludes 0.',
  'Escalated: control passed to a human. Incident: an episode that needs a response, never just a failed run or a request to approve a rollback. Times to detect leave out incidents of which nobody said when they began, times to resolve those of which nobody saw the end.',
  'Cost of a success: all that runs with a known price cost, failed ones and human review included, divided by those that succeeded.',
  'Release: a version that an agent got after it had another one, of the month in which its first run ended. What became of it is said as of the end of the month, with what people found since; not judged: no policy with a gate for canaries covered its runs. Change fail rate: those that were rolled back, unless people found that wrong, or would have been and rightly so, or had an incident of severity 1 to 3; that a rollback failed, expired or was not possible is an incident, but none of its release. Drills are in no other figure.',
];
