import type { Family } from '../kpi/family.ts';

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeValue(text: string): string {
  return /["\\\n]/.test(text)
    ? text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
    : text;
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

/** Renders families in the Prometheus text format 0.0.4; a family without a sample is left out. */
export function prometheusText(families: Iterable<Family>): string {
  const lines: string[] = [];
  for (const { name, help, kind, samples } of families) {
    if (samples.length === 0) continue;
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${kind}`);
    for (const { suffix = '', labels, value } of samples) {
      const pairs = labels.map(([key, text]) => `${key}="${escapeValue(text)}"`).join(',');
      lines.push(`${name}${suffix}${pairs && `{${pairs}}`} ${number(value)}`);
    }
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
