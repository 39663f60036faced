import { severities } from '../semconv/vocabulary.ts';
import type { Block, Cell, Section } from './document.ts';
import {
  counted,
  dayText,
  lengthText,
  monthName,
  nothing,
  rateText,
  basisText,
  shownName,
  whole,
} from './figure-text.ts';
import type { GraveIncident, IncidentFigures, Times } from './incident-figures.ts';
import type { Fate, Reviews, RollbackFigures, ShippedRelease } from './release-figures.ts';
import type { Report } from './report.ts';

/** Incidents by severity and month, how long they took, and the gravest ones. */
export function incidentsSection({ incidents }: Report): Section {
  const { months } = incidents;
  const labels = months.map(({ month }) => monthName(month));
  return {
    heading: 'Incidents',
    isWide: true,
    blocks: [
      {
        kind: 'stacks',
        title: 'Incidents by severity and month',
        labels,
        layers: severities.map((severity) => ({
          label: severity,
          values: months.map(({ bySeverity }) => bySeverity[severity]),
        })),
      },
      {
        kind: 'table',
        caption: 'Time to detect and to resolve',
        columns: [
          { header: 'Time' },
          { header: 'Median', isNumber: true },
          { header: '90 of 100 within', isNumber: true },
          { header: 'Incidents', isNumber: true },
          { header: 'Median in the 3 months before', isNumber: true },
        ],
        rows: [
          timesRow('From its beginning to its detection', incidents.detect, incidents.detectBefore),
          timesRow('From its detection to its end', incidents.resolve, incidents.resolveBefore),
        ],
      },
      gravestBlock(incidents),
    ],
  };
}

function gravestBlock({ all, open, gravest }: IncidentFigures): Block {
  if (all === 0) return { kind: 'words', text: 'There was no incident.' };
  return {
    kind: 'table',
    caption: `The gravest of ${counted(all, 'incident')}${open === 0 ? '' : `; ${whole(open)} open at the end of the month`}`,
    columns: [
      { header: 'Incident' },
      { header: 'Severity' },
      { header: 'Agent, release' },
      { header: 'Detected' },
      { header: 'After', isNumber: true },
      { header: 'Resolved in', isNumber: true },
      { header: 'Owner' },
    ],
    rows: gravest.map(graveRow),
  };
}

function timesRow(name: string, now: Times, before: Times): readonly Cell[] {
  return [
    { text: name },
    { text: lengthText(now.medianSeconds) },
    { text: lengthText(now.p90Seconds) },
    { text: whole(now.of) },
    { text: before.of === 0 ? nothing : `${lengthText(before.medianSeconds)} of ${whole(before.of)}` },
  ];
}

const endings: Readonly<Record<string, string>> = {
  no_data: 'nobody saw its end',
  withdrawn: 'not judged any more',
};

/** What it is about: an agent, a release of it, or as of the executor of rollbacks neither. */
function subjectOf({ agent, release }: GraveIncident): string {
  const names = [agent, release].filter((name) => name !== '').map((name) => shownName(name));
  return names.length === 0 ? nothing : names.join(', ');
}

function graveRow(incident: GraveIncident): readonly Cell[] {
  const { resolveSeconds, resolution } = incident;
  const end = resolution === '' ? 'open' : (endings[resolution] ?? lengthText(resolveSeconds));
  return [
    { text: shownName(incident.title) },
    { text: shownName(incident.severity) },
    { text: subjectOf(incident) },
    { text: dayText(incident.detected) },
    { text: lengthText(incident.detectSeconds) },
    { text: end, tone: resolution === '' ? 'bad' : 'plain' },
    { text: incident.owner === '' ? nothing : shownName(incident.owner) },
  ];
}

/** So many releases have a row of their own. */
const limitReleases = 12;

/** What was shipped, what became of it, and what was taken back. */
export function releasesSection({ releases }: Report): Section {
  const { shipped, shippedBefore, rollbacks, changeFail, changeFailBefore } = releases;
  const failed = `Change fail rate: ${rateText(changeFail)} (${basisText(changeFail)})`;
  const before =
    changeFailBefore.of === 0
      ? ''
      : `; ${changeFailBefore.count} of ${changeFailBefore.of} in the 3 months before`;
  const recovery =
    releases.recoveryMedianSeconds === null
      ? ''
      : ` Recovery took ${lengthText(releases.recoveryMedianSeconds)} (median, from the decision to the verified rollback).`;
  const sentences = `${counted(shipped.length, 'release')} shipped (${whole(shippedBefore)} in the 3 months before). `;
  return {
    heading: 'Releases',
    isWide: true,
    blocks: [
      {
        kind: 'words',
        text: `${sentences}${shipped.length === 0 ? '' : `${failed}${before}.`}${recovery}`,
      },
      { kind: 'words', text: rollbackWords(rollbacks, shipped) },
      ...(shipped.length === 0
        ? []
        : [
            {
              kind: 'table',
              caption: 'Releases shipped this month',
              columns: [
                { header: 'Release' },
                { header: 'Agent' },
                { header: 'First run' },
                { header: 'Runs', isNumber: true },
                { header: 'Success', isNumber: true },
                { header: 'What became of it' },
              ],
              rows: shipped.slice(0, limitReleases).map(releaseRow),
            } as const,
          ]),
      ...(shipped.length > limitReleases
        ? [
            {
              kind: 'words',
              text: `${whole(shipped.length - limitReleases)} more are in the report as JSON (--format json).`,
            } as const,
          ]
        : []),
    ],
  };
}

const fates: Readonly<Record<Fate, string>> = {
  rolled_back: 'rolled back',
  rolled_back_wrongly: 'rolled back, and that was found wrong',
  would_have_been_right: 'a dry run would have rolled it back, and was right',
  would_have_been_wrong: 'a dry run would have rolled it back, and was wrong',
  would_have_been: 'a dry run would have rolled it back; not reviewed',
  incident: 'had an incident of severity 1 to 3',
  kept: 'kept',
  not_judged: 'not judged',
};
const badFates: readonly Fate[] = ['rolled_back', 'would_have_been_right', 'incident'];

function releaseRow({ agent, release, first, runs, success, fate }: ShippedRelease): readonly Cell[] {
  return [
    { text: shownName(release) },
    { text: shownName(agent) },
    { text: dayText(first) },
    { text: whole(runs) },
    { text: `${rateText(success)} (${basisText(success)})` },
    { text: fates[fate], tone: badFates.includes(fate) ? 'bad' : 'plain' },
  ];
}

function rollbackWords(figures: RollbackFigures, shipped: readonly ShippedRelease[]): string {
  const { asked, automatic, approved, manual, done, dryRun, failed, notDone, underWay } = figures;
  if (asked === 0)
    return shipped.length > 0 && shipped.every(({ fate }) => fate === 'not_judged')
      ? 'No policy had a release judged, so nothing was to be rolled back.'
      : 'Nothing was to be rolled back.';
  const parts = [
    `${counted(done.times, 'release')} rolled back: ${whole(automatic)} automatically, ${whole(approved)} approved by a person, ${whole(manual)} asked for by one${done.times === 0 ? '' : ` (${reviewWords(done)})`}.`,
    dryRun.times === 0
      ? ''
      : `Dry runs would have rolled back ${counted(dryRun.times, 'time')}: ${reviewWords(dryRun)}.`,
    failed === 0 ? '' : `${counted(failed, 'rollback')} failed.`,
    notDone === 0 ? '' : `${whole(notDone)} refused, expired, overtaken, or without a release to go back to.`,
    underWay === 0 ? '' : `${whole(underWay)} under way at the end of the month.`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function reviewWords({ right, wrong, notReviewed }: Reviews): string {
  return `${whole(right)} found right, ${whole(wrong)} found wrong, ${whole(notReviewed)} not reviewed`;
}
