import { createHash } from 'node:crypto';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { sentenceOf } from '../core/issue-sentence.ts';
import { error, type Finding } from './finding.ts';
import { kpiMetrics } from './kpi-metrics.ts';
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
  if (!parsed.success) return { findings: parsed.error.issues.map(findingOf) };
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

/** Whether a message is one of `policy-values`, which names what is missing. */
const isOurs = (message: string): boolean => /^(?:is missing|must be text): /.test(message);

function findingOf(issue: z.core.$ZodIssue): Finding {
  const isKpi = issue.code === 'unrecognized_keys' && issue.path.join() === 'objectives';
  const sentence = isKpi
    ? `unknown KPI ${issue.keys.join(', ')}: remove it or correct its spelling; known are ${Object.keys(kpiMetrics).join(', ')}`
    : sentenceOf(issue, isOurs);
  return { level: 'error', path: issue.path.join('::') || 'the policy', sentence };
}
