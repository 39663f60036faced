/** One line of a Prometheus text exposition. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)/;
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Parses the samples of a Prometheus text exposition; other lines are passed over. */
export function parseSamples(text: string): readonly Sample[] {
  return text.split('\n').flatMap((row) => {
    const [, name, labels = '', value] = line.exec(row) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(label)].map(([, key = '', raw = '']) => [key, raw] as const);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
}

const columns: readonly {
  readonly title: string;
  readonly metric: string;
  readonly show: (value: number) => string;
}[] = [
  { title: 'run success', metric: 'plimsoll_kpi_run_success_ratio', show: percent },
  { title: 'escalated', metric: 'plimsoll_kpi_run_escalation_ratio', show: percent },
  { title: 'tool calls ok', metric: 'plimsoll_kpi_tool_call_success_ratio', show: percent },
  { title: 'USD per run', metric: 'plimsoll_kpi_cost_usd_per_run', show: (value) => value.toFixed(5) },
  { title: 'runs', metric: 'plimsoll_kpi_run_success_denominator', show: String },
];

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}

/** A table of the KPIs over the last 5 minutes, one row for each agent and release. */
export function kpiTable(samples: readonly Sample[]): string {
  const recent = samples.filter(({ labels }) => labels['window'] === '5m');
  const rows = new Map<string, Map<string, number>>();
  for (const { name, labels, value } of recent) {
    if (!columns.some(({ metric }) => metric === name)) continue;
    const key = `${labels['agent']}\t${labels['release']}`;
    const row = rows.get(key) ?? new Map<string, number>();
    row.set(name, value);
    rows.set(key, row);
  }
  const body = [...rows]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, row]) => [
      ...key.split('\t'),
      ...columns.map(({ metric, show }) => {
        const value = row.get(metric);
        return value === undefined ? '-' : show(value);
      }),
    ]);
  const head = ['agent', 'release', ...columns.map(({ title }) => title)];
  const widths = head.map((title, i) =>
    Math.max(title.length, ...body.map((cells) => cells[i]?.length ?? 0)),
  );
  return [head, ...body]
    .map((cells) => cells.map((cell, i) => align(cell, widths[i] ?? 0, i)).join('   '))
    .join('\n');
}

function align(cell: string, width: number, column: number): string {
  return column < 2 ? cell.padEnd(width) : cell.padStart(width);
}
