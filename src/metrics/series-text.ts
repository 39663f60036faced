import type { Labels } from '../kpi/family.ts';

/** Whether a text has a character that both formats write with a backslash. */
const isSpecial = /["\\\n]/;

/** `text` as it stands between quotes. */
export function escaped(text: string): string {
  return isSpecial.test(text)
    ? text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
    : text;
}

/** Labels as they follow a name; '' when there are none. */
export function labelsText(labels: Labels): string {
  if (labels.length === 0) return '';
  let text = '{';
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (i > 0) text += ',';
    text += `${label[0]}="${escaped(label[1])}"`;
  }
  return `${text}}`;
}

/** A value as both formats write it. */
export function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
