import type { Kpi } from '../../../src/kpi/kpi-table.ts';
import { metric, rollingKpi } from './metric.ts';
import { stat, trend, type About, type FigureColumn, type Shown, type Unit } from './panel.ts';
import { denominator, greatest, quotient, type Scope, type Sides } from './promql.ts';

const units: Readonly<Record<Kpi<string>['unit'], Unit>> = {
  ratio: 'percentunit',
  USD: 'currencyUSD',
  seconds: 's',
  incidents: 'none',
};

const unitOf = (stem: string): Unit => units[rollingKpi(stem).unit];

/** What Prometheus counts as incidents, and the report does not. */
export const asksToo = 'Requests to approve a rollback are among them.';

/** What a panel of a rolling KPI says: the words of the table of KPIs. */
export function kpiAbout(stem: string, title: string, more = ''): About {
  const { help, numerator, denominator: below } = rollingKpi(stem);
  const said = [
    help,
    `Formula: ${numerator.words} / ${below.words}.`,
    ...(stem === 'incidents_per_run' ? [asksToo] : []),
    ...(more === '' ? [] : [more]),
  ];
  return { title, unit: unitOf(stem), description: said.join(' ') };
}

/** What a panel of one metric says: its HELP text. */
export const metricAbout = (name: string, title: string, unit: Unit): About => ({
  title,
  unit,
  description: name.startsWith('plimsoll_incidents_') ? `${metric(name).help} ${asksToo}` : metric(name).help,
});

/** A rolling KPI as one figure over all that is chosen, with how many events it is made of. */
export function kpiStat(stem: string, title: string, scope: Scope, window = '$window'): Shown {
  const sides = { scope, window };
  return stat(
    kpiAbout(stem, title, `n: ${rollingKpi(stem).denominator.words}, over the window ${window}.`),
    { expr: quotient(stem, sides), legend: title },
    { expr: denominator(stem, sides), legend: 'n' },
  );
}

/** A rolling KPI over time, a line for each `by`. */
export function kpiTrend(stem: string, title: string, sides: Sides, legend: string): Shown {
  return trend(kpiAbout(stem, title), { expr: quotient(stem, sides), legend });
}

/** The same, with only the ten highest or lowest lines: hundreds cannot be told apart. */
export function kpiExtremes(
  stem: string,
  title: string,
  worst: 'highest' | 'lowest',
  sides: Sides,
  legend: string,
): Shown {
  const pick = worst === 'highest' ? 'topk' : 'bottomk';
  return trend(kpiAbout(stem, title, `At each moment the ten ${worst}.`), {
    expr: `${pick}(10, ${quotient(stem, sides)})`,
    legend,
  });
}

/** A column of a table with a rolling KPI. */
export const kpiColumn = (stem: string, title: string, sides: Sides): FigureColumn => ({
  title,
  unit: unitOf(stem),
  expr: quotient(stem, sides),
});

/** A column with how many events a rolling KPI is made of. */
export const countColumn = (stem: string, title: string, sides: Sides): FigureColumn => ({
  title,
  unit: 'short',
  expr: denominator(stem, sides),
});

/** A column with a quantile; of several series the greatest. */
export const quantileColumn = (stem: string, stat_: string, title: string, sides: Sides): FigureColumn => ({
  title,
  unit: unitOf(stem),
  expr: greatest(stem, stat_, sides),
});
