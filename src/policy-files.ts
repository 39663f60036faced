import { globSync, readFileSync } from 'node:fs';
import type { Finding } from './policy/finding.ts';
import type { ExecutorFacts } from './policy/lint-executor.ts';
import { findingsOf } from './policy/lint.ts';
import { readPolicy, type PolicyFile } from './policy/read-policy.ts';

/** The time at which no review is overdue: that ends a check, and no pipeline. */
const never = Number.NEGATIVE_INFINITY;

/** What the configuration says that policies have to fit; undefined where it does not say. */
export interface PolicyFacts {
  /** The lengths of the rolling windows. */
  readonly windowsMs?: readonly number[] | undefined;
  readonly executor?: ExecutorFacts | undefined;
}

/**
 * The policies in the files that `patterns` name (paths, or globs such as `config/policies/*.yaml`), and their errors
 * and warnings, each a sentence that names file, path and fix. With an error the policies are not to be used.
 */
export function readPolicies(
  patterns: readonly string[],
  { windowsMs, executor }: PolicyFacts = {},
): {
  readonly policies: readonly PolicyFile[];
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
} {
  const faults: string[] = [];
  const warnings: string[] = [];
  const policies: PolicyFile[] = [];
  const found = (file: string, findings: readonly Finding[]): void => {
    for (const { level, path, sentence } of findings)
      (level === 'error' ? faults : warnings).push(`${file}: ${path}: ${sentence}`);
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
  for (const [{ file }, findings] of findingsOf(policies, never, { windowsMs, executor }))
    found(file, findings);
  return { policies, faults, warnings };
}
