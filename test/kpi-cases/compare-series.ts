import type { Family, Labels } from '../../src/kpi/family.ts';
import type { Expected } from './case.ts';

/** One series that came. */
interface Series {
  readonly labels: Labels;
  readonly value: number;
}

function fits(labels: Labels, wanted: ReadonlyMap<string, string>): boolean {
  return [...wanted].every(([name, text]) => labels.some(([key, value]) => key === name && value === text));
}

function print(labels: Iterable<readonly [string, string]>): string {
  return `{${[...labels].map(([name, text]) => `${name}=${JSON.stringify(text)}`).join(', ')}}`;
}

function isAs(value: number, expected: Expected): boolean {
  const limit = expected.isRough
    ? 0.01 * Math.abs(expected.value)
    : 1e-9 * Math.max(1, Math.abs(expected.value));
  return Math.abs(value - expected.value) <= limit;
}

/** The series called `name`, with the suffix that parts of a histogram have, whose labels include `labels`. */
function select(
  families: readonly Family[],
  name: string,
  labels: ReadonlyMap<string, string>,
): readonly Series[] {
  return families
    .flatMap((family) =>
      family.samples.map((sample) => ({ ...sample, name: family.name + (sample.suffix ?? '') })),
    )
    .filter((sample) => sample.name === name && fits(sample.labels, labels));
}

/**
 * What is wrong with the series of `families` that fit: a line for each expectation that none or not the only one meets,
 * with its line of the file, and one for each series that nothing expects. Empty when all is as expected.
 */
export function differences(
  families: readonly Family[],
  {
    name,
    labels,
    expected,
  }: {
    readonly name: string;
    readonly labels: ReadonlyMap<string, string>;
    readonly expected: readonly Expected[];
  },
): readonly { readonly line?: number; readonly text: string }[] {
  const series = select(families, name, labels);
  const met = new Set<Series>();
  const wrong: { line?: number; text: string }[] = [];
  for (const one of expected) {
    const found = series.filter((candidate) => fits(candidate.labels, one.labels));
    for (const candidate of found) met.add(candidate);
    const wanted = `${print(one.labels)} ${one.isRough ? 'about ' : ''}${one.value}`;
    if (found.length === 0)
      wrong.push({ line: one.line, text: `expected ${wanted}, and no such series came` });
    else if (found.length > 1 || !isAs(found[0]!.value, one)) {
      const came = found.map((candidate) => `${print(candidate.labels)} ${candidate.value}`).join(' and ');
      wrong.push({ line: one.line, text: `expected ${wanted}, came ${came}` });
    }
  }
  for (const extra of series)
    if (!met.has(extra))
      wrong.push({ text: `expected no other series, came ${print(extra.labels)} ${extra.value}` });
  return wrong;
}
