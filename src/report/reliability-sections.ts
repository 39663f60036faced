import type { Cell, Section, Tile, Tone, Trend } from './document.ts';
import {
  basisText,
  counted,
  dayText,
  dollars,
  intervalText,
  lengthText,
  monthName,
  nothing,
  percent,
  rateText,
  rounded,
  shownName,
  whole,
} from './figure-text.ts';
import { fewest, type Change, type Rate } from './rate.ts';
import type { Report } from './report.ts';
import { costParts, type AgentFigures, type CostPart, type RunFigures } from './run-figures.ts';

/** So many agents have a row of their own on the page. */
const limitAgents = 12;
const limitReasons = 5;

/** The four figures that executives ask for. */
export function tiles(report: Report): readonly Tile[] {
  const { total, incidents } = report;
  const { now, before, successChange, escalationChange } = total;
  const perThousand = incidents.perThousandRuns;
  return [
    {
      ...rateTile('Success rate', now.success, before.success, successChange),
      trend: trendOf('Success rate', total, ({ success }) => success),
    },
    {
      ...rateTile('Escalation rate', now.escalation, before.escalation, escalationChange),
      trend: trendOf('Escalation rate', total, ({ escalation }) => escalation),
    },
    {
      label: 'Incidents',
      value: whole(incidents.all),
      detail:
        perThousand === null ? 'not enough runs for a rate' : `${rounded(perThousand, 1)} per 1,000 runs`,
      comparison:
        incidents.perThousandRunsBefore === null
          ? 'no months before to compare with'
          : `${rounded(incidents.perThousandRunsBefore, 1)} per 1,000 runs in the 3 months before`,
      tone: 'plain',
      trend: countsTrend(
        'Incidents',
        incidents.months.map(({ month, all }) => [monthName(month), all]),
      ),
    },
    costTile(total),
  ];
}

function rateTile(label: string, now: Rate, before: Rate, change: Change): Omit<Tile, 'trend'> {
  const detail = now.isEnough
    ? `95 % interval ${intervalText(now)}, ${counted(now.of, 'run')}`
    : basisText(now);
  return {
    label,
    value: rateText(now),
    detail,
    comparison: before.isEnough
      ? `${rateText(before)} in the 3 months before${changeWords[change]}`
      : 'too few runs before to compare with',
    tone: toneOf(change),
  };
}

const changeWords: Readonly<Record<Change, string>> = {
  better: ': better',
  worse: ': worse',
  unclear: ': no clear change',
  too_few: '',
  redefined: ': not alike, see the notes',
};

function toneOf(change: Change): Tone {
  return change === 'better' ? 'good' : change === 'worse' ? 'bad' : 'plain';
}

function costTile(total: AgentFigures): Tile {
  const { now, before, costPerSuccessGrowth: growth } = total;
  const { perSuccessUsd, reviewShare, successes } = now.cost;
  return {
    label: 'Cost per successful task',
    value: perSuccessUsd === null ? 'not enough data' : dollars(perSuccessUsd),
    detail:
      perSuccessUsd === null
        ? counted(successes, 'priced success', 'priced successes')
        : `${reviewShare === null ? nothing : percent(reviewShare)} of it human review`,
    comparison:
      growth === null
        ? 'too few successes before to compare with'
        : `${dollars(before.cost.perSuccessUsd)} in the 3 months before (${growth < 0 ? '−' : '+'}${percent(Math.abs(growth))})`,
    tone: 'plain',
    trend: {
      title: `Cost per successful task by month: ${total.months.map(({ month, cost }) => `${monthName(month)} ${dollars(cost.perSuccessUsd)}`).join(', ')}`,
      points: total.months.map(({ cost }) => cost.perSuccessUsd),
    },
  };
}

function trendOf(name: string, { months }: AgentFigures, rateIn: (figures: RunFigures) => Rate): Trend {
  const rates = months.map((figures) => ({ month: figures.month, ...rateIn(figures) }));
  return {
    title: `${name} by month: ${rates.map((rate) => `${monthName(rate.month)} ${rateText(rate)}`).join(', ')}`,
    points: rates.map(({ rate, isEnough }) => (isEnough ? rate : null)),
  };
}

function countsTrend(name: string, counts: readonly (readonly [month: string, count: number])[]): Trend {
  return {
    title: `${name} by month: ${counts.map(([month, count]) => `${month} ${count}`).join(', ')}`,
    points: counts.map(([, count]) => count),
  };
}

/** One row for each agent, and one for all. */
export function agentsSection(report: Report): Section {
  const { agents, total, incidents } = report;
  const counts = new Map(incidents.byAgent.map(({ agent, incidents: found }) => [agent, found]));
  const rows = agents
    .slice(0, limitAgents)
    .map(({ agent, since, ...figures }) =>
      agentRow(
        { text: shownName(agent), ...(since !== null && { detail: `since ${dayText(since)}` }) },
        figures,
        counts.get(agent) ?? 0,
      ),
    );
  const left = agents.slice(limitAgents);
  const more = `${counted(left.length, 'agent')} more, with ${counted(
    left.reduce((sum, { now }) => sum + now.runs, 0),
    'run',
  )}, ${left.length === 1 ? 'is' : 'are'} in the report as JSON (--format json).`;
  return {
    heading: 'Agents',
    isWide: true,
    blocks: [
      {
        kind: 'table',
        caption: 'Each agent this month, and in the three months before together',
        columns: [
          { header: 'Agent' },
          { header: 'Runs', isNumber: true },
          { header: 'Success', isNumber: true },
          { header: 'Before', isNumber: true },
          { header: 'Success by month' },
          { header: 'Escalated', isNumber: true },
          { header: 'Before', isNumber: true },
          { header: 'Cost per success', isNumber: true },
          { header: 'Before', isNumber: true },
          { header: 'p95 cost of a run', isNumber: true },
          { header: 'Review', isNumber: true },
          { header: 'Incidents', isNumber: true },
        ],
        rows: [...rows, agentRow({ text: 'All agents' }, total, incidents.all)],
        hasSum: true,
      },
      ...(left.length > 0 ? [{ kind: 'words', text: more } as const] : []),
    ],
  };
}

function agentRow(name: Cell, figures: AgentFigures, incidents: number): readonly Cell[] {
  const { now, before, successChange, escalationChange } = figures;
  return [
    name,
    { text: whole(now.runs), detail: before.runs === 0 ? 'none before' : `${whole(before.runs)} before` },
    {
      text: rateText(now.success),
      detail: `${basisText(now.success)}${figures.isRedefined ? ' *' : ''}`,
      tone: toneOf(successChange),
    },
    beforeCell(before.success),
    { text: '', trend: trendOf('Success rate', figures, ({ success }) => success) },
    { text: rateText(now.escalation), detail: basisText(now.escalation), tone: toneOf(escalationChange) },
    beforeCell(before.escalation),
    costCell(now),
    { text: dollars(before.cost.perSuccessUsd) },
    { text: dollars(now.cost.p95RunUsd) },
    {
      text:
        now.cost.reviewShare === null || now.cost.perSuccessUsd === null
          ? nothing
          : percent(now.cost.reviewShare),
    },
    { text: whole(incidents) },
  ];
}

function beforeCell(rate: Rate): Cell {
  return rate.isEnough || rate.of === 0
    ? { text: rateText(rate) }
    : { text: rateText(rate), detail: basisText(rate) };
}

function costCell({ cost }: RunFigures): Cell {
  if (cost.perSuccessUsd !== null) return { text: dollars(cost.perSuccessUsd) };
  return cost.runs === 0
    ? { text: nothing }
    : { text: 'not enough data', detail: counted(cost.successes, 'success', 'successes') };
}

/** Why humans took over. */
export function escalationsSection({ escalations }: Report): Section {
  const [now, before] = [sumOf(escalations, 'now'), sumOf(escalations, 'before')];
  const shown = escalations.filter((row) => row.now > 0).slice(0, limitReasons);
  if (shown.length === 0)
    return {
      heading: 'Why humans took over',
      blocks: [{ kind: 'words', text: 'No run was passed on to a human.' }],
    };
  return {
    heading: 'Why humans took over',
    blocks: [
      {
        kind: 'table',
        caption: `Top reasons of ${counted(now, 'escalated run')}`,
        columns: [
          { header: 'Reason' },
          { header: 'Runs', isNumber: true },
          { header: 'Share' },
          { header: '3 months before', isNumber: true },
        ],
        rows: shown.map((row) => [
          { text: shownName(row.reason).replaceAll('_', ' ') },
          { text: whole(row.now) },
          { text: shareText(row.now, now), share: row.now / now },
          { text: shareText(row.before, before) },
        ]),
      },
    ],
  };
}

function shareText(count: number, all: number): string {
  if (all === 0) return nothing;
  return all < fewest ? `${count} of ${all}` : percent(count / all);
}

function sumOf<K extends string>(rows: readonly Readonly<Record<K, number>>[], key: K): number {
  return rows.reduce((sum, row) => sum + row[key], 0);
}

const partLabels: Readonly<Record<CostPart, string>> = {
  models: 'Models, in runs that ended well',
  tools: 'Tools, in runs that ended well',
  otherRuns: 'Runs that ended badly',
  review: 'Human review',
};

/** What a success costs, by what the money went to. */
export function costSection({ total }: Report): Section {
  const { cost, reviewHours } = total.now;
  const { parts, successes, totalUsd, p95RunUsd } = cost;
  if (totalUsd === 0)
    return {
      heading: 'Cost of a success',
      blocks: [{ kind: 'words', text: 'No run with a known price cost anything.' }],
    };
  const each = (usd: number): string =>
    successes < fewest ? dollars(usd) : `${dollars(usd / successes)} a success`;
  return {
    heading: 'Cost of a success',
    blocks: [
      {
        kind: 'split',
        title: 'What the money went to',
        parts: costParts.map((part) => ({
          label: partLabels[part],
          value: parts[part],
          text: `${each(parts[part])}, ${percent(parts[part] / totalUsd)}`,
        })),
      },
      {
        kind: 'words',
        text: `${dollars(totalUsd)} in all, of ${counted(cost.runs, 'run')} with a known price. 95 of 100 runs cost ${p95RunUsd === null ? 'an amount of which too few runs tell' : `${dollars(p95RunUsd)} or less`}. People reviewed for ${lengthText(Math.round(reviewHours * 3600))}.`,
      },
    ],
  };
}
