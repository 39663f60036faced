import type { Cell, Section } from './document.ts';
import {
  counted,
  dayText,
  monthName,
  nothing,
  percent,
  rateText,
  basisText,
  rounded,
  shownName,
  whole,
} from './figure-text.ts';
import type { BudgetFigures, DrillFigures, RiskFigures } from './policy-figures.ts';
import { fewest, type Rate } from './rate.ts';
import type { QualityFigures, Report } from './report.ts';

const limitRisks = 5;
const limitQuality = 8;
/** What may go wrong is said in whole. */
const limitStatement = 1000;

/** What is left of error budgets. */
export function budgetsSection({ policy: { budgets } }: Report): Section {
  if (budgets.length === 0)
    return { heading: 'Error budgets', blocks: [{ kind: 'words', text: 'No policy in use states one.' }] };
  return {
    heading: 'Error budgets',
    blocks: [
      {
        kind: 'table',
        caption: 'Left of what may go wrong in a month',
        columns: [
          { header: 'Policy' },
          { header: 'Objective' },
          { header: 'May go wrong', isNumber: true },
          { header: 'Went wrong', isNumber: true },
          { header: 'Left', isNumber: true },
        ],
        rows: budgets.map(budgetRow),
      },
    ],
  };
}

function budgetRow({ policy, kpi, allowedShare, events, bad, left, since }: BudgetFigures): readonly Cell[] {
  const isSpent = left !== null && left < 0;
  return [
    {
      text: shownName(policy),
      ...(since !== null && { detail: `since the policy began, ${dayText(since)}` }),
    },
    { text: kpi.replaceAll('_', ' ') },
    { text: percent(allowedShare) },
    {
      text:
        events < fewest
          ? `${whole(bad)} of ${whole(events)}`
          : `${percent(bad / events)} of ${whole(events)}`,
    },
    {
      text: left === null ? 'not enough data' : isSpent ? 'overspent' : percent(left),
      ...(isSpent && { detail: `spent ${percent(1 - left)}` }),
      tone: isSpent ? 'bad' : 'plain',
    },
  ];
}

/** What evaluators found. */
export function qualitySection({ quality }: Report): Section {
  if (quality.length === 0)
    return { heading: 'Quality', blocks: [{ kind: 'words', text: 'No evaluator scored a run.' }] };
  const left = quality.length - limitQuality;
  return {
    heading: 'Quality',
    blocks: [
      {
        kind: 'table',
        caption: 'Mean score of runs, 0 to 1',
        columns: [
          { header: 'Agent' },
          { header: 'Evaluator' },
          { header: 'Mean', isNumber: true },
          { header: 'Runs', isNumber: true },
          { header: 'Before', isNumber: true },
          { header: 'Trend' },
        ],
        rows: quality.slice(0, limitQuality).map(qualityRow),
      },
      ...(left > 0
        ? [{ kind: 'words', text: `${whole(left)} more are in the report as JSON (--format json).` } as const]
        : []),
    ],
  };
}

function scoreText(value: number | null): string {
  return value === null ? 'not enough data' : rounded(value, 2);
}

function qualityRow({ agent, evaluator, runs, mean, meanBefore, months }: QualityFigures): readonly Cell[] {
  return [
    { text: shownName(agent) },
    { text: shownName(evaluator) },
    { text: scoreText(mean) },
    { text: whole(runs) },
    { text: scoreText(meanBefore) },
    {
      text: '',
      trend: {
        title: `Mean score by month: ${months.map((one) => `${monthName(one.month)} ${scoreText(one.mean)}`).join(', ')}`,
        points: months.map((one) => one.mean),
      },
    },
  ];
}

/** Whether it is rehearsed that bad releases are taken back. */
export function drillsSection({ policy: { drills } }: Report): Section {
  if (drills.length === 0)
    return {
      heading: 'Drills',
      blocks: [{ kind: 'words', text: 'No policy demands drills, and none was recorded.' }],
    };
  return {
    heading: 'Drills',
    blocks: [
      {
        kind: 'table',
        caption: 'Rehearsals of a rollback, in any environment; last passed: of the demanded scenario',
        columns: [
          { header: 'Policy' },
          { header: 'Run', isNumber: true },
          { header: 'Passed', isNumber: true },
          { header: 'Last passed' },
          { header: 'Demanded every' },
        ],
        rows: drills.map(drillRow),
      },
    ],
  };
}

function drillRow({
  policy,
  run,
  passed,
  failed,
  lastPassed,
  ageDays,
  every,
  scenario,
  isOverdue,
}: DrillFigures): readonly Cell[] {
  return [
    { text: shownName(policy) },
    { text: whole(run) },
    { text: whole(passed), ...(failed > 0 && { detail: `${whole(failed)} failed`, tone: 'bad' as const }) },
    {
      text:
        lastPassed === null || ageDays === null
          ? 'never'
          : `${dayText(lastPassed)}, ${counted(ageDays, 'day')} ago`,
      ...(isOverdue && { detail: 'overdue', tone: 'bad' as const }),
    },
    { text: every ?? nothing, ...(scenario !== null && { detail: shownName(scenario) }) },
  ];
}

/** The risk register. */
export function risksSection({ policy: { risks } }: Report): Section {
  if (risks.length === 0)
    return { heading: 'Risk register', blocks: [{ kind: 'words', text: 'No policy in use states a risk.' }] };
  const [fresh, overdue] = [risks.filter(({ isNew }) => isNew), risks.filter(({ isOverdue }) => isOverdue)];
  const top = risks.slice(0, limitRisks);
  const shown = [...top, ...overdue.filter((risk) => !top.includes(risk)).slice(0, limitRisks)];
  return {
    heading: 'Risk register',
    isWide: true,
    blocks: [
      {
        kind: 'table',
        caption: `${counted(risks.length, 'risk')}, ${whole(fresh.length)} new, ${whole(overdue.length)} with an overdue review; the gravest by likelihood × impact`,
        columns: [
          { header: 'Risk' },
          { header: 'Id' },
          { header: 'Likelihood × impact', isNumber: true },
          { header: 'Owner' },
          { header: 'Review by' },
        ],
        rows: shown.map(riskRow),
      },
    ],
  };
}

function riskRow(risk: RiskFigures): readonly Cell[] {
  const { statement, id, policy, likelihood, impact, score, owner, review_by, isNew, isOverdue } = risk;
  return [
    { text: shownName(statement, limitStatement), ...(isNew && { detail: 'new this month' }) },
    { text: shownName(id), detail: shownName(policy) },
    { text: whole(score), detail: `${likelihood} × ${impact}` },
    { text: shownName(owner) },
    {
      text: `${dayText(review_by)} ${review_by.slice(0, 4)}`,
      ...(isOverdue && { detail: 'overdue', tone: 'bad' as const }),
    },
  ];
}

/** How far all this can be trusted. */
export function dataSection({ total: { now }, data }: Report): Section {
  return {
    heading: 'Data quality',
    blocks: [
      {
        kind: 'table',
        caption: `Of ${counted(now.runs, 'run')}, on ${whole(data.days)} of ${whole(data.daysOfMonth)} days`,
        columns: [{ header: 'Runs' }, { header: 'Share', isNumber: true }],
        rows: [
          dataRow('whose outcome nobody confirmed', now.unconfirmed),
          dataRow('without a known price, in no cost', now.unpriced),
          dataRow('that no policy covers', now.uncovered),
          dataRow('that name no release', now.unnamed),
          dataRow('whose end nobody saw', now.unended),
        ],
      },
    ],
  };
}

function dataRow(what: string, rate: Rate): readonly Cell[] {
  return [{ text: what }, { text: rateText(rate), detail: rate.isEnough ? '' : basisText(rate) }];
}
