import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { receiverNames } from '../../src/policy/alertmanager.ts';
import { findingsOf } from '../../src/policy/lint.ts';
import { readPolicy, type PolicyFile } from '../../src/policy/read-policy.ts';
import { renderedFiles } from '../../src/policy/render.ts';

/** A day on which no review of the policies in these tests is due. */
export const today = Date.UTC(2026, 10, 26, 12);

/** Nested plain values, as YAML has them. */
export interface Mapping {
  readonly [key: string]: unknown;
}

/** A policy without a finding. */
export const plain: Mapping = {
  apiVersion: 'plimsoll/v1',
  kind: 'ReliabilityPolicy',
  metadata: { name: 'search-agent', version: 3, owner: 'team-search', on_call: 'search-on-call' },
  scope: { agents: ['search-agent'], environments: ['production'] },
  good_outcomes: ['success', 'completed'],
  objectives: {
    run_success: {
      at_least: 0.9,
      period: '30d',
      min_events: 50,
      severity: 'sev2',
      slow_severity: 'sev3',
    },
  },
  severities: {
    sev2: { page: true, acknowledge_within: '30m' },
    sev3: { page: false, acknowledge_within: '4h' },
  },
};

const window = { window: '1h', min_events: 20, severity: 'sev3' };
const period = { period: '30d', min_events: 200, severity: 'sev2', slow_severity: 'sev3' };

/** An objective on every KPI. */
export const everyObjective: Readonly<Record<string, Mapping>> = {
  run_success: { at_least: 0.9, ...period },
  run_escalation: { at_most: 0.2, ...period },
  run_containment: { at_least: 0.7, ...window },
  outcome_evidence: { at_least: 0.8, ...period },
  run_duration: { stat: 'p95', at_most: 60, ...window },
  incidents_per_run: { at_most: 0.05, ...window },
  quality_score: { evaluator: 'Answer "relevance" (v2)*', at_least: 0.8, ...window },
  cost_usd_per_run: { at_most: 0.05, ...window },
  cost_usd_per_success: { at_most: 0.06, ...window },
  review_cost_usd_per_run: { at_most: 0.5, ...window },
  tool_call_success: { at_least: 0.995, ...period },
  tool_call_attempt_success: { at_least: 0.95, ...period },
  tool_call_retry: { at_most: 0.2, ...window },
  tool_call_duration: { stat: 'p95', at_most: 2, ...window },
};

/** A gate for canaries, as a policy has it. */
export const canary: Mapping = {
  share: 0.1,
  unit: 'run',
  deadline: '15m',
  min_runs: 20,
  weights: { run_success: 1 },
  margin: 0.05,
  pause_at: 20,
  rollback_at: 100,
  max: '24h',
  on_timeout: 'pause',
};

/** What happens to unsafe releases, as a policy has it. */
export const rollback: Mapping = {
  mode: 'auto',
  target: 't',
  cooldown: '30m',
  per_day: 6,
  verify: { kpi: 'run_success', min_events: 20, within: '20m' },
};

/** `base` with `changes`: mappings merge, everything else is replaced, and null removes. */
export function changed(base: Mapping, changes: Mapping): Mapping {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    const below = merged[key];
    if (value === null) delete merged[key];
    else merged[key] = isMapping(value) && isMapping(below) ? changed(below, value) : value;
  }
  return merged;
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `plain` with `changes`, as read from a file. */
export function policyFile(changes: Mapping = {}, file = 'search.yaml'): PolicyFile {
  const result = readPolicy(file, stringify(changed(plain, changes)));
  if ('read' in result) return result.read;
  throw new Error(result.findings.map(({ path, sentence }) => `${path}: ${sentence}`).join('\n'));
}

/** What is found in `plain` with `changes`, beside `others`, one line each. */
export function found(changes: Mapping = {}, ...others: readonly PolicyFile[]): readonly string[] {
  const result = readPolicy('search.yaml', stringify(changed(plain, changes)));
  const findings =
    'read' in result ? (findingsOf([...others, result.read], today).get(result.read) ?? []) : result.findings;
  return findings.map(({ level, path, sentence }) => `${level}: ${path}: ${sentence}`);
}

/** What is rendered of `files`, with receivers that tell nobody. */
export function rendered(...files: readonly PolicyFile[]): ReadonlyMap<string, string> {
  return renderedFiles(files, { receivers: receiverNames(files).map((name) => ({ name })) });
}

/** Runs `command` in a folder with `files`. */
export function runWith(
  files: ReadonlyMap<string, string>,
  command: string,
  ...words: readonly string[]
): { readonly status: number | null; readonly said: string } {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-policy-'));
  try {
    for (const [name, text] of files) writeFileSync(join(folder, name), text);
    const env = { ...process.env, GOGC: '400' }; // promtool's tests end before its memory matters
    const { status, stdout, stderr } = spawnSync(command, words, { cwd: folder, encoding: 'utf8', env });
    return { status, said: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
