import { isRehearsal } from '../semconv/rehearsal.ts';

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
    const pairs = [...labels.matchAll(label)].map(([, key = '', raw = '']) => [key, unescaped(raw)] as const);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
}

/** A ratio is shown from its numerator and denominator, summed over the series of one release. */
const columns: readonly {
  readonly title: string;
  readonly kpi: string;
  readonly show: (numerator: number, denominator: number) => string;
}[] = [
  { title: 'run success', kpi: 'run_success', show: percent },
  { title: 'escalated', kpi: 'run_escalation', show: percent },
  { title: 'tool calls ok', kpi: 'tool_call_success', show: percent },
  { title: 'USD per run', kpi: 'cost_usd_per_run', show: (usd, runs) => (usd / runs).toFixed(5) },
  { title: 'runs', kpi: 'run_success', show: (_, runs) => String(runs) },
];

function percent(numerator: number, denominator: number): string {
  return `${((100 * numerator) / denominator).toFixed(1)} %`;
}

/** A table of the KPIs over `window`, one row for each agent and release, but not of drills; `-` where nothing has been counted. */
export function kpiTable(samples: readonly Sample[], window: string): string {
  const sums = new Map<string, Map<string, number>>();
  for (const { name, labels, value } of samples) {
    const { agent, release } = labels;
    if (labels['window'] !== window || agent === undefined || release === undefined) continue;
    if (isRehearsal(labels['environment'] ?? '')) continue;
    const key = `${agent}\t${release}`;
    const row = sums.get(key) ?? new Map<string, number>();
    row.set(name, (row.get(name) ?? 0) + value);
    sums.set(key, row);
  }
  const rows = [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const body = rows.map(([key, sum]) => [
    ...key.split('\t'),
    ...columns.map((column) => cellOf(column, sum)),
  ]);
  const head = ['agent', 'release', ...columns.map(({ title }) => title)];
  const widths = head.map((title, i) =>
    Math.max(title.length, ...body.map((cells) => cells[i]?.length ?? 0)),
  );
  return [head, ...body]
    .map((cells) => cells.map((cell, i) => align(cell, widths[i] ?? 0, i)).join('   '))
    .join('\n');
}

function cellOf({ kpi, show }: (typeof columns)[number], sum: ReadonlyMap<string, number>): string {
  const numerator = sum.get(`plimsoll_kpi_${kpi}_numerator`);
  const denominator = sum.get(`plimsoll_kpi_${kpi}_denominator`);
  return numerator === undefined || !denominator ? '-' : show(numerator, denominator);
}

function align(cell: string, width: number, column: number): string {
  return column < 2 ? cell.padEnd(width) : cell.padStart(width);
}
