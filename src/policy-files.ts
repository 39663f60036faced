import { globSync, readFileSync } from 'node:fs';
import type { Finding } from './policy/finding.ts';
import { findingsOf } from './policy/lint.ts';
import { readPolicy, type PolicyFile } from './policy/read-policy.ts';

/** The time at which no review is overdue: that ends a check, and no pipeline. */
const never = Number.NEGATIVE_INFINITY;

/**
 * The policies in the files that `patterns` name (paths, or globs such as `config/policies/*.yaml`), and their
 * errors, each a sentence that names file, path and fix. With an error the policies are not to be used.
 */
export function readPolicies(patterns: readonly string[]): {
  readonly policies: readonly PolicyFile[];
  readonly faults: readonly string[];
} {
  const faults: string[] = [];
  const policies: PolicyFile[] = [];
  const found = (file: string, findings: readonly Finding[]): void => {
    for (const { level, path, sentence } of findings)
      if (level === 'error') faults.push(`${file}: ${path}: ${sentence}`);
  };
  for (const pattern of patterns) {
    const files = globSync(pattern).toSorted();
    if (files.length === 0) faults.push(`${pattern}: there is no such file: correct the path`);
    for (const file of files) {
      const result = readPolicy(file, readFileSync(file, 'utf8'));
      if ('read' in result) policies.push(result.read);
      else found(file, result.findings);
    }
  }
  for (const [{ file }, findings] of findingsOf(policies, never)) found(file, findings);
  return { policies, faults };
}
