import { readdirSync, readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { catalogue } from '../../src/core/telemetry.ts';
import { incidentFamilies } from '../../src/incidents/incident-families.ts';
import { judgeFamilies } from '../../src/judge/judge-families.ts';
import type { Family } from '../../src/kpi/family.ts';
import { kpiReference, type KpiReference } from '../../src/kpi/kpi-sql.ts';
import { ProcessMeter } from '../../src/metrics/process-families.ts';
import { pipelineRules } from '../../src/policy/pipeline-rules.ts';
import { bookOf, report } from '../incidents/books.ts';
import { flow, releasesWith, runSuccess } from '../judge/releases.ts';
import { markdownTable } from '../markdown-table.ts';
import { planWith, requestWith, Site } from '../rollback/site.ts';
import { call, kpisOf, published, run } from './events.ts';

const noon = Date.UTC(2026, 10, 23, 12);

const intro = `# Metrics of agents

Made by \`npx vitest run -u --config .config/vitest.config.ts test/kpi/metrics-reference.test.ts\` from what
is exported: the table of KPIs (\`src/kpi/kpi-table.ts\`), and the catalogue of what the pipeline says of itself
(\`src/core/telemetry.ts\`). \`/metrics\` has the same as HELP texts.

Label values are what senders say, without control characters, cut to 128 characters; \`unknown\` where nobody says, and
\`overflow\` for what there is no room for under its own name (\`exporters::kpi::max_series\`): in the other labels of an
agent that has more series than its share, its environment excepted while there is room for that, and in all labels of an
agent that comes when there are too many. An agent takes room for each of its releases in each environment, and for one
more, which is kept for its overflow. \`plimsoll_kpi_overflow_events_total\` counts what went there. Gauges on which
policies have a say (success, cost per success, quality below target) are absent where the environment is \`overflow\`:
what is good may differ between those that are put together.`;

const gaugeIntro = `## KPIs over rolling windows

Gauges, each once per \`window\` (\`exporters::kpi::windows\`), in event time: a run counts when it ends, a call when it
ends. Beside each stand its two sides, \`…_numerator\` and \`…_denominator\`, with the same labels: to put series
together, add up these and divide. Where the denominator is 0 the gauge is absent. A window is made of panes, a sixtieth of
its length and at least 10 s each: it begins with a pane, at most its length before
\`plimsoll_kpi_watermark_timestamp_seconds\`, and holds all that is newer. Events that come later than
\`exporters::kpi::lateness\` are in no window, but in ClickHouse.

The SQL gives the same figure, but where it says otherwise, of the events from \`from\` to before \`to\`:
\`npm run -s plimsoll -- sql "…"\` with times in the place of placeholders. Good are there
the outcomes \`success\` and \`completed\`.`;

const counterIntro = `## Counters and histograms

They take every event, however late, once, and do not fall: they are those of the latest snapshot, which a restart goes
on from, and a few seconds old. A series that nothing is added to is no longer exported after a day. A new one is 0 for as
long as \`exporters::kpi::scrape_interval\` says, so that a rate sees what it counted first.`;

const incidentIntro = `## Incidents

0 where all are resolved, for a day.`;

const releaseIntro = `## Releases

What the judge says of releases that a policy with \`gates::canary\` covers and that run, as of the latest snapshot.
Evidence is the natural logarithm of an e-value: 0 says nothing, ln 100 is 100 times as likely of a release that is worse
(the test \`not_worse\`: of one that is not). \`baseline\` is the release beside it, \`none\` where there is none.`;

const rollbackIntro = `## Rollbacks

Of the extension \`rollback\`. What the journal says is exported by the process that acts.`;

const pipelineIntro = `## The pipeline itself

What it says of its own work, in every process that does that work. Counters begin at 0 with the process; ask \`rate\` or
\`increase\` of them. The last two columns say which alerts of \`plimsoll policy render\` and which dashboards of
\`deploy/grafana\` show it. A histogram has the series \`…_bucket\`, \`…_sum\` and \`…_count\`.`;

/** One section of a KPI. */
function sectionOf({ kpi, labels, source, sql, differs }: KpiReference): string {
  const { stem, suffix, unit, help, numerator, denominator } = kpi;
  const lines = [
    `### \`${stem}${suffix}\``,
    help,
    [
      `- **formula**: ${numerator.words} / ${denominator.words}`,
      `- **unit**: ${unit}`,
      `- **labels**: ${[...labels, 'window'].map((label) => `\`${label}\``).join(', ')}`,
      `- **source**: ${source}`,
    ].join('\n'),
    sql === undefined ? 'ClickHouse does not have all of it in one view.' : `\`\`\`sql\n${sql}\n\`\`\``,
    ...(differs === undefined ? [] : [differs]),
  ];
  return lines.join('\n\n');
}

function lineOf({ name, help, samples }: Family): string {
  const labels = [...new Set(samples.flatMap((sample) => sample.labels.map(([label]) => label)))];
  const shown = labels.length === 0 ? '' : `{${labels.join(', ')}}`;
  return `- \`${name}${shown}\`: ${help}`;
}

interface PipelineMetric {
  readonly name: string;
  readonly kind: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** Everything under `plimsoll_` that is neither a KPI nor of releases, incidents or rollbacks. */
function pipelineMetrics(): readonly PipelineMetric[] {
  const ofProcess = new ProcessMeter().families().map(({ name, kind, help, samples }) => {
    const labels = samples[0]?.labels.map(([label]) => label) ?? [];
    return { name, kind, help, labels };
  });
  return [...Object.entries(catalogue).map(([name, spec]) => ({ ...spec, name })), ...ofProcess];
}

/** In what a metric counts or measures: its name ends in it, as names of Prometheus do. */
function unitOf(name: string): string {
  if (/_(?:state|info|refused)$/.test(name)) return '0 or 1';
  const [, unit = ''] = /([a-z]+)(?:_in_memory)?(?:_total)?$/.exec(name) ?? [];
  return unit;
}

/** The dashboards of deploy/grafana, each with its title and its text. */
function dashboards(): readonly { readonly title: string; readonly text: string }[] {
  const folder = new URL('../../deploy/grafana/dashboards/', import.meta.url);
  return readdirSync(folder).map((file) => {
    const text = readFileSync(new URL(file, folder), 'utf8');
    const { title }: { readonly title: string } = JSON.parse(text);
    return { title, text };
  });
}

function pipelineTable(): string {
  const rules = pipelineRules({ windows: ['1h'], revisions: new Map([['p', 'r']]) });
  const shown = dashboards();
  const rows = pipelineMetrics().map(({ name, kind, labels, help }) => {
    const used = new RegExp(`\\b${name}(?:_bucket|_sum|_count)?\\b`);
    return [
      `\`${name}\``,
      kind,
      unitOf(name),
      labels.map((label) => `\`${label}\``).join(', '),
      help,
      rules
        .filter(({ expr }) => used.test(expr))
        .map(({ alert }) => alert)
        .join(', '),
      shown
        .filter(({ text }) => used.test(text))
        .map(({ title }) => title)
        .join(', '),
    ];
  });
  return markdownTable(['metric', 'type', 'unit', 'labels', 'meaning', 'alerts', 'dashboards'], rows);
}

function judged(): readonly Family[] {
  const releases = releasesWith({ kpis: [{ ...runSuccess, floor: 0.5 }] });
  flow(releases, [0, 60], [['1', 10, 0.08]]);
  flow(
    releases,
    [60, 110],
    [
      ['1', 18, 0.08],
      ['2', 2, 0.2],
    ],
  );
  const { judge } = releases.until(110);
  return judgeFamilies(judge.standings(), judge.ignored);
}

async function rolledBack(): Promise<readonly Family[]> {
  const site = new Site();
  site.plan = planWith({ perDay: 1, cooldownMs: 0 });
  onTestFinished(() => site.remove());
  const executor = site.executor({ hasPolicy: () => true });
  for (const release of ['v2', 'v3']) {
    site.target.release = release;
    await executor.request(requestWith({ release }));
    await executor.round();
    site.clock.advance(1000);
  }
  const drill = { policy: 'refunds', scenario: 'outage', environment: 'drill:production', passed: true };
  await executor.decisions.record({ ...drill, startedMs: noon, endedMs: noon, evidence: {} }, 'ana');
  return executor.families();
}

test('deploy/metrics.md says what is exported (else: run this with -u)', async () => {
  const kpis = kpisOf();
  kpis.finished(run(noon));
  kpis.toolCall(call(noon));
  kpis.watermark.advance(0, noon, noon, noon);
  const { book } = bookOf();
  book.open(report(), noon);
  const families = published(kpis, noon);
  const counters = families.filter(({ kind }) => kind !== 'gauge');
  const stems = kpiReference.map(({ kpi }) => kpi.stem);
  const others = families.filter(
    ({ name, kind }) => kind === 'gauge' && !stems.some((stem) => name.startsWith(stem)),
  );
  const text = [
    intro,
    gaugeIntro,
    ...kpiReference.map(sectionOf),
    counterIntro,
    counters.map(lineOf).join('\n'),
    '## State of the windows',
    others.map(lineOf).join('\n'),
    incidentIntro,
    incidentFamilies(book.incidents).map(lineOf).join('\n'),
    releaseIntro,
    judged().map(lineOf).join('\n'),
    rollbackIntro,
    (await rolledBack()).map(lineOf).join('\n'),
    pipelineIntro,
    pipelineTable(),
  ].join('\n\n');
  await expect(`${text}\n`).toMatchFileSnapshot('../../deploy/metrics.md');
});
