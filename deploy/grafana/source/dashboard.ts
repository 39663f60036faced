import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  RowBuilder,
  type AnnotationQuery,
  type Dashboard,
  type DashboardLink,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { grewInAMinute, increase, type Scope } from './promql.ts';
import { metric } from './metric.ts';
import type { Shown } from './panel.ts';
import { prometheus, sources, type Variable } from './variables.ts';

/** Panels that stand beside each other, with their widths: 24 is the whole width. */
export interface Band {
  /** Begins a part of the dashboard. */
  readonly heading?: string;
  readonly height: number;
  readonly panels: readonly (readonly [width: number, panel: Shown])[];
}

/** A dashboard before it is laid out. */
export interface Draft {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** How far back it looks at first, such as `now-3h`. */
  readonly from: string;
  /** How often it looks again; never unless said. */
  readonly refresh?: string;
  /** Beside those for the data sources. */
  readonly variables: readonly Variable[];
  readonly annotations?: readonly Builder<AnnotationQuery>[];
  readonly links?: readonly Builder<DashboardLink>[];
  readonly bands: readonly Band[];
}

const tag = 'plimsoll';

/** Leads to the others of this folder, with what is chosen. */
const others = new DashboardLinkBuilder('Plimsoll')
  .type(DashboardLinkType.Dashboards)
  .tags([tag])
  .asDropdown(true)
  .includeVars(true)
  .keepTime(true);

/** The dashboard that `draft` describes. */
export function dashboardOf(draft: Draft): Dashboard {
  const builder = new DashboardBuilder(draft.title)
    .uid(draft.uid)
    .description(draft.description)
    .tags([tag])
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: draft.from, to: 'now' })
    .refresh(draft.refresh ?? '')
    .variables([...sources, ...draft.variables])
    .annotations((draft.annotations ?? []).map(inTheBar))
    .links([others, ...(draft.links ?? [])].map(inTheBar));
  const dashboard = builder.build();
  dashboard.panels = panelsOf(draft.bands);
  return dashboard;
}

/** `of` where everybody sees it, not in the menu into which the SDK puts it unless told. */
function inTheBar<T extends { placement?: unknown }>(of: Builder<T>): Builder<T> {
  return {
    build: () => {
      const built = of.build();
      delete built.placement;
      return built;
    },
  };
}

/** The panels of `bands`, one band below the other. */
function panelsOf(bands: readonly Band[]): NonNullable<Dashboard['panels']> {
  const panels: NonNullable<Dashboard['panels']> = [];
  let y = 0;
  for (const { heading, height, panels: beside } of bands) {
    if (heading !== undefined) {
      const row = new RowBuilder(heading).id(panels.length + 1).gridPos({ x: 0, y: y++, w: 24, h: 1 });
      panels.push(row.build());
    }
    let x = 0;
    for (const [w, shown] of beside) {
      panels.push({ ...shown.build(), id: panels.length + 1, gridPos: { x, y, w, h: height } });
      x += w;
    }
    y += height;
  }
  return panels;
}

interface Mark {
  readonly name: string;
  readonly color: string;
  readonly expr: string;
  readonly title: string;
  readonly text: string;
}

function mark({ name, color, expr, title, text }: Mark): Builder<AnnotationQuery> {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(prometheus)
    .enable(true)
    .iconColor(color)
    .expr(expr)
    .step('1m')
    .titleFormat(title)
    .textFormat(text);
}

/** What happened to the agents of `scope`: incidents and verdicts that changed; and rollbacks, whoever they were of. */
export function marksOf(scope: Scope): readonly Builder<AnnotationQuery>[] {
  const verdict = `${metric('plimsoll_release_verdict').name}{${scope}}`;
  return [
    mark({
      name: 'Incidents',
      color: 'red',
      expr: `${increase('plimsoll_incidents_opened_total', 'agent, release, environment, severity', scope, '1m')} > 0`,
      title: 'Incident, {{severity}}',
      text: '{{agent}} {{release}} in {{environment}}',
    }),
    mark({
      name: 'Verdicts',
      color: 'blue',
      expr: `(${verdict} == 1) unless (${verdict} offset 1m == 1)`,
      title: 'Verdict: {{verdict}}',
      text: '{{agent}} {{release}} in {{environment}}, beside {{baseline}}',
    }),
    mark({
      name: 'Rollbacks',
      color: 'orange',
      expr: grewInAMinute('plimsoll_rollback_attempts_total', 'target, state'),
      title: 'Rollback: {{state}}',
      text: '{{target}}',
    }),
  ];
}
