import type { Family } from '../kpi/family.ts';
import { labelsText, numberText } from './series-text.ts';

/** The media type of what `prometheusText` makes. */
export const prometheusType = 'text/plain; version=0.0.4; charset=utf-8';

/** Renders families in the Prometheus text format 0.0.4, which has no exemplars; a family without a sample is left out. */
export function prometheusText(families: Iterable<Family>): string {
  let text = '';
  for (const { name, help, kind, samples } of families) {
    if (samples.length === 0) continue;
    text += `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${kind}\n`;
    for (const { suffix = '', labels, value } of samples)
      text += `${name}${suffix}${labelsText(labels)} ${numberText(value)}\n`;
  }
  return text;
}

function escapedHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
