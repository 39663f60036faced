import { z } from 'zod';
import { sentenceOf } from '../core/issue-sentence.ts';
import { outcomes, type Outcome } from '../semconv/vocabulary.ts';

/** How one case of a data set ended with one release. */
export interface OfflineCase {
  /** Names the case; the same one with another release makes a pair with it. */
  readonly case: string;
  readonly release: string;
  readonly outcome: Outcome;
  /** What evaluators found, 0 to 1, by evaluator. */
  readonly scores: Readonly<Record<string, number>>;
}

const id = z.string().regex(/\S/, 'is empty: name it').max(1000);

/** Tools write more than this on a line, and that is theirs. */
const line = z.looseObject({
  case: z.union([id, z.number().transform(String)], {
    error: ({ input }) => (input === undefined ? 'is missing: name the case' : 'must be a name or a number'),
  }),
  release: id,
  outcome: z.enum(outcomes),
  scores: z.record(z.string(), z.number().min(0).max(1)).default({}),
});

const mostFaults = 20;

/**
 * Reads cases from JSON Lines, one case with one release a line; empty lines are none. `faults` are sentences that each
 * name a line and the fix: the first ones, where there are many.
 */
export function readCases(
  text: string,
): { readonly cases: readonly OfflineCase[] } | { readonly faults: readonly string[] } {
  const cases: OfflineCase[] = [];
  const faults: string[] = [];
  const lineOf = new Map<string, number>();
  for (const [i, written] of text.split('\n').entries()) {
    if (written.trim() === '') continue;
    if (faults.length === mostFaults) break;
    const read = readLine(written);
    if ('fault' in read) {
      faults.push(`line ${i + 1}: ${read.fault}`);
      continue;
    }
    const key = JSON.stringify([read.case, read.release]);
    const earlier = lineOf.get(key);
    if (earlier === undefined) {
      lineOf.set(key, i + 1);
      cases.push(read);
    } else
      faults.push(
        `line ${i + 1}: case ${read.case} of ${read.release} is on line ${earlier} already, and tries of one case are not independent: keep one of them`,
      );
  }
  return faults.length > 0 ? { faults } : { cases };
}

function readLine(written: string): OfflineCase | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    return { fault: 'is no JSON: write one object a line' };
  }
  const { data, error } = line.safeParse(value, { reportInput: true });
  if (!data) {
    const [issue] = error.issues;
    const path = issue?.path.join('.') ?? '';
    return { fault: issue ? `${path && `${path}: `}${sentenceOf(issue)}` : 'is no case' };
  }
  return { case: data.case, release: data.release, outcome: data.outcome, scores: data.scores };
}
