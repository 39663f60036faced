import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  type LineStyle,
} from '@grafana/grafana-foundation-sdk/common';
import {
  PanelBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type DynamicConfigValue,
  type Panel,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { clickhouse, sqlTarget } from './sql.ts';
import { prometheus } from './variables.ts';

/** Units, as Grafana calls them. */
export type Unit =
  | 'percentunit'
  | 'currencyUSD'
  | 's'
  | 'short'
  | 'none'
  | 'bytes'
  | 'ops'
  | 'dateTimeFromNow'
  | 'dateTimeAsIso'
  | 'bool_yes_no';

/** What stands on a panel beside its data. */
export interface About {
  readonly title: string;
  /** What it shows and what to make of it: the text behind the i. */
  readonly description: string;
  readonly unit: Unit;
}

/** A line of PromQL. */
export interface Query {
  readonly expr: string;
  /** Names its series; `{{label}}` is the value of a label. */
  readonly legend?: string;
  /** Whether traces of what was counted are shown as points. */
  readonly exemplars?: boolean;
}

/** A panel, and what makes it from what it is to show. */
export type Shown = Builder<Panel>;

interface Styled {
  title(title: string): this;
  description(description: string): this;
  unit(unit: string): this;
}

const about = <B extends Styled>(builder: B, { title, description, unit }: About): B =>
  builder.title(title).description(description).unit(unit);

const range = ({ expr, legend = '', exemplars = false }: Query, index: number): DataqueryBuilder =>
  new DataqueryBuilder()
    .refId(refId(index))
    .datasource(prometheus)
    .expr(expr)
    .legendFormat(legend)
    .exemplar(exemplars)
    .range();

const refId = (index: number): string => String.fromCodePoint(65 + index);
const property = (id: string, value: unknown): DynamicConfigValue => ({ id, value });

const latest = { build: () => ({ calcs: ['lastNotNull'] }) };

/** A figure of now with its course behind it; a series called `n` is how many events it is made of. */
export function stat(shown: About, ...queries: readonly Query[]): Shown {
  return about(new StatBuilder(), shown)
    .datasource(prometheus)
    .targets(queries.map(range))
    .textMode(queries.length > 1 ? BigValueTextMode.ValueAndName : BigValueTextMode.Value)
    .colorMode(BigValueColorMode.None)
    .graphMode(BigValueGraphMode.Area)
    .noValue('no data')
    .reduceOptions(latest)
    .overrideByName('n', [property('unit', 'short'), property('decimals', 0)]);
}

/** A figure that is 0 while all is well, and red where it is not. */
export function alarm(shown: About, ...queries: readonly Query[]): Shown {
  const bounds = new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([
    { value: null, color: 'green' },
    { value: 1e-9, color: 'red' },
  ]);
  return about(new StatBuilder(), shown)
    .datasource(prometheus)
    .targets(queries.map(range))
    .textMode(BigValueTextMode.Auto)
    .colorMode(BigValueColorMode.Background)
    .graphMode(BigValueGraphMode.None)
    .noValue('none')
    .reduceOptions(latest)
    .thresholds(bounds);
}

function lines(shown: About): TimeSeriesBuilder {
  return about(new TimeSeriesBuilder(), shown)
    .lineWidth(2)
    .fillOpacity(0)
    .showPoints(VisibilityMode.Auto)
    .legend({
      build: () => ({
        displayMode: LegendDisplayMode.Table,
        placement: LegendPlacement.Bottom,
        showLegend: true,
        calcs: ['lastNotNull'],
      }),
    })
    .tooltip({
      build: () => ({ mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending, hideZeros: false }),
    });
}

/** Lines over time; those whose names begin with `limit` are dashed. */
export function trend(shown: About, ...queries: readonly Query[]): Shown {
  const dashes: LineStyle = { fill: 'dash', dash: [10, 10] };
  return lines(shown)
    .datasource(prometheus)
    .targets(queries.map(range))
    .overrideByRegexp('/^limit/', [property('custom.lineStyle', dashes)]);
}

/** Amounts over time that add up. */
export function stack(shown: About, ...queries: readonly Query[]): Shown {
  return stacked(lines(shown)).datasource(prometheus).targets(queries.map(range));
}

function stacked(builder: TimeSeriesBuilder): TimeSeriesBuilder {
  return builder
    .drawStyle(GraphDrawStyle.Bars)
    .fillOpacity(60)
    .lineWidth(0)
    .stacking({ build: () => ({ mode: StackingMode.Normal, group: 'A' }) })
    .min(0);
}

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly unit?: Unit;
  /** Where its values lead, and what the link is called. */
  readonly link?: { readonly title: string; readonly url: string };
  readonly mappings?: readonly ValueMapping[];
}

function columnOverride({ unit, link, mappings }: Column): DynamicConfigValue[] {
  return [
    ...(unit === undefined ? [] : [property('unit', unit)]),
    ...(link === undefined ? [] : [property('links', [link])]),
    ...(mappings === undefined ? [] : [property('mappings', mappings)]),
  ];
}

function tableOf(shown: About, columns: readonly Column[]): TableBuilder {
  const built = about(new TableBuilder(), shown).filterable(true);
  for (const column of columns) {
    const properties = columnOverride(column);
    if (properties.length > 0) built.overrideByName(column.title, properties);
  }
  return built;
}

/** A column of a table, of PromQL. */
export interface FigureColumn extends Column {
  readonly expr: string;
  /** Only its labels are wanted. */
  readonly isHidden?: boolean;
}

/** One row for each combination of the labels that `figures` have, and a column for each of them; `labels` say more of a label's column. */
export function figures(
  shown: About,
  columns: readonly FigureColumn[],
  labels: readonly Column[] = [],
): Shown {
  const names = columns.map(({ title }, i) => [`Value #${refId(i)}`, title] as const);
  const targets = columns.map(({ expr }, i) =>
    new DataqueryBuilder()
      .refId(refId(i))
      .datasource(prometheus)
      .expr(expr)
      .format(PromQueryFormat.Table)
      .instant(),
  );
  const hidden = names.filter((_, i) => columns[i]?.isHidden).map(([name]) => [name, true] as const);
  const only = names.length === 1 ? { Value: names[0]?.[1] } : {};
  return tableOf(shown, [...columns, ...labels])
    .datasource(prometheus)
    .targets(targets)
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true, ...Object.fromEntries(hidden) },
        renameByName: { ...Object.fromEntries(names), ...only },
      },
    });
}

/** The rows that `sql` gives. */
export function rows(shown: About, sql: string, columns: readonly Column[] = []): Shown {
  return tableOf(shown, columns).datasource(clickhouse).withTarget(sqlTarget(sql, 'table'));
}

/** Lines over the column `time` that `sql` gives. */
export function sqlTrend(shown: About, sql: string): Shown {
  return lines(shown).datasource(clickhouse).withTarget(sqlTarget(sql, 'timeseries'));
}

/** Amounts that add up, over the column `time` that `sql` gives. */
export function sqlStack(shown: About, sql: string): Shown {
  return stacked(lines(shown)).datasource(clickhouse).withTarget(sqlTarget(sql, 'timeseries'));
}

/** A trace, of which `sql` gives the spans. */
export function waterfall(shown: About, sql: string): Shown {
  return about(new PanelBuilder().type('traces'), shown)
    .datasource(clickhouse)
    .withTarget(sqlTarget(sql, 'traces'));
}

/** What a release or a partition was over time, in words; a query gives the number of a word. */
export function timeline(shown: About, mappings: readonly ValueMapping[], query: Query): Shown {
  return about(new StateTimelineBuilder(), shown)
    .datasource(prometheus)
    .withTarget(range(query, 0))
    .mappings([...mappings]);
}
