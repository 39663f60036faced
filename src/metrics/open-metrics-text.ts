import type { Family, Labels, Sample } from '../kpi/family.ts';
import { escaped, labelsText, numberText } from './series-text.ts';

/** The media type of what `openMetricsText` makes. */
export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** What the name of a family may end with that says its unit. */
const units = ['seconds', 'bytes', 'ratio', 'usd'];

/** The code points that the labels of an exemplar may have together. */
const limitExemplar = 128;

/**
 * Renders families as a whole document in OpenMetrics 1.0; a family without a sample is left out. A counter `x_total` is
 * the family `x` here. Whoever gives the families sees to it that none is there twice.
 */
export function openMetricsText(families: Iterable<Family>): string {
  let text = '';
  for (const { name, help, kind, samples } of families) {
    if (samples.length === 0) continue;
    const isCounter = kind === 'counter';
    const family = isCounter ? name.replace(/_total$/, '') : name;
    text += `# TYPE ${family} ${kind}\n`;
    const unit = units.find((one) => family.endsWith(`_${one}`));
    if (unit !== undefined) text += `# UNIT ${family} ${unit}\n`;
    text += `# HELP ${family} ${escaped(help)}\n`;
    for (const sample of samples) {
      const { suffix = isCounter ? '_total' : '', labels, value } = sample;
      const isBucket = suffix === '_bucket';
      text += `${family}${suffix}${labelsText(isBucket ? withCanonicalBound(labels) : labels)} ${numberText(value)}`;
      text += isCounter || isBucket ? `${exemplarText(sample)}\n` : '\n';
    }
  }
  return `${text}# EOF\n`;
}

/** The bound of a bucket is a float, and says so. */
function withCanonicalBound(labels: Labels): Labels {
  return labels.map((label) =>
    label[0] === 'le' && /^-?\d+$/.test(label[1]) ? ([label[0], `${label[1]}.0`] as const) : label,
  );
}

function exemplarText({ exemplar }: Sample): string {
  if (exemplar === undefined) return '';
  const { traceId, value, timeMs } = exemplar;
  if ('trace_id'.length + traceId.length > limitExemplar) return '';
  return ` # {trace_id="${escaped(traceId)}"} ${numberText(value)} ${numberText(timeMs / 1000)}`;
}
