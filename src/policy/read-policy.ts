import { createHash } from 'node:crypto';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { sentenceOf, unknownKeys } from '../core/issue-sentence.ts';
import { error, type Finding } from './finding.ts';
import { kpiMetrics } from './kpi-metrics.ts';
import { objectives } from './objective-schema.ts';
import { policySchema, type Policy } from './policy-schema.ts';

/** A policy as read from a file. */
export interface PolicyFile {
  /** As the user named it. */
  readonly file: string;
  readonly policy: Policy;
  /** The first 12 hexadecimal digits of the SHA-256 of what the policy says, whatever its comments and order of keys. */
  readonly revision: string;
}

/** Reads the text of a policy. Without findings it has the right shape; whether it makes sense is for `findingsOf`. */
export function readPolicy(
  file: string,
  text: string,
): { readonly read: PolicyFile } | { readonly findings: readonly Finding[] } {
  const { value, finding } = valueOf(text);
  if (finding) return { findings: [finding] };
  const parsed = policySchema.safeParse(value, { reportInput: true });
  if (!parsed.success) return { findings: parsed.error.issues.flatMap(findingsIn) };
  return { read: { file, policy: parsed.data, revision: revisionOf(parsed.data) } };
}

function valueOf(text: string): { readonly value?: unknown; readonly finding?: Finding } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [fault] = document.errors;
  if (fault) {
    const { line, col } = lines.linePos(fault.pos[0]);
    return { finding: error(`${line}:${col}`, `not valid YAML: ${fault.message}`, 'correct it') };
  }
  try {
    return { value: document.toJS() };
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    return { finding: error('the policy', `not valid YAML: ${what}`, 'correct the alias') };
  }
}

/** The revision of a policy: see `PolicyFile`. */
function revisionOf(policy: Policy): string {
  return createHash('sha256').update(canonical(policy)).digest('hex').slice(0, 12);
}

/** JSON with the keys of every mapping in order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join()}}`;
}

function findingsIn(issue: z.core.$ZodIssue): readonly Finding[] {
  return sentencesOf(issue).map((sentence) => ({
    level: 'error',
    path: issue.path.join('::') || 'the policy',
    sentence,
  }));
}

function sentencesOf(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code !== 'unrecognized_keys') return [shareSentence(issue) ?? sentenceOf(issue)];
  const [part, kpi] = issue.path.map(String);
  if (part !== 'objectives' || issue.path.length > 2) return [unknownKeys(issue, policySchema)];
  if (kpi === undefined)
    return [
      `unknown KPI ${issue.keys.join(', ')}: remove it or correct its spelling; known are ${Object.keys(kpiMetrics).join(', ')}`,
    ];
  return issue.keys.map((key) => {
    const right = otherKey[key];
    const isKnown = right !== undefined && kpi in objectives.shape;
    return isKnown
      ? `${kpi} takes ${right}, not ${key}: write that alone`
      : unknownKeys({ keys: [key], path: issue.path }, policySchema);
  });
}

/** An objective that does not know one of a pair knows the other. */
const otherKey: Readonly<Record<string, string>> = {
  at_least: 'at_most',
  at_most: 'at_least',
  period: 'a window',
  window: 'a period',
};

/** Of a share that is written in percent; undefined of another issue. */
function shareSentence(issue: z.core.$ZodIssue): string | undefined {
  const { input } = issue;
  const percent =
    issue.code === 'too_big' && issue.maximum === 1
      ? Number(input)
      : Number(typeof input === 'string' ? /^\s*([\d.]+)\s*%\s*$/.exec(input)?.[1] : Number.NaN);
  if (!(percent >= 0 && percent <= 100)) return undefined;
  return `is a share from 0 to 1: write ${Number((percent / 100).toPrecision(12))}`;
}
