import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { readCases } from '../gate/offline-cases.ts';
import { receiverNames } from '../policy/alertmanager.ts';
import { differencesBetween, versionFindings } from '../policy/difference.ts';
import type { Finding } from '../policy/finding.ts';
import { findingsOf } from '../policy/lint.ts';
import { policyJsonSchema } from '../policy/policy-schema.ts';
import { readPolicy, type PolicyFile } from '../policy/read-policy.ts';
import { readReceivers } from '../policy/read-receivers.ts';
import { renderedFiles, renderedMark } from '../policy/render.ts';
import { runbookUrlPattern } from '../policy/runbook-links.ts';
import { summaryOf } from '../policy/summary.ts';
import { loadConfig } from '../config.ts';
import { planOf } from '../plan.ts';
import { testResults } from '../rehearsal/policy-tests.ts';
import { readTraffic } from '../rehearsal/traffic.ts';
import { print, UsageError, type Command } from './command.ts';
import { readText } from './named-file.ts';
import { checkRendered } from './rendered-check.ts';

export const policyCommand: Command = {
  name: 'policy',
  summary: 'check policies, compare their versions, and render alerts of them',
  help: `Usage: plimsoll policy check  [--as-of DAY] FILE...
       plimsoll policy test   [--config FILE]... FILE...
       plimsoll policy diff   OLD NEW
       plimsoll policy render [--as-of DAY] [--receivers FILE] [--runbook URL] --out DIR FILE...
       plimsoll policy schema

A policy says what is safe for a family of agents, who owns it, and who is told when it is not.
config/policies/refund-agent.yaml is an example.

Today a policy does this: alerts and their routes are rendered of it, and a pipeline to which service::policies gives
it counts as good what good_outcomes says (in gauges, and in the views cost_per_task and kpi_hourly), opens and resolves
incidents by the objectives, judges releases by gates (plimsoll gate; GET /api/v1/gate/NAME), takes bad ones back as
rollback says (plimsoll rollback), stamps its revision on spans and runs (PolicyRevision), keeps it in the table policies,
exports its revision (plimsoll_policy_info), and takes a changed file within 10 s. It does not yet do this: review and
budgets are checked and shown, not enforced.

check    one line per finding: the file, the path, what is wrong, and the fix; then what the policies say. Give all
         policies that are used together, so that two which claim the same agent are found. Exits with 1 on errors, and
         on an overdue review, which is a warning to test and render.
         Whether the pipeline has the windows that objectives name, says "plimsoll validate"
test     carries out the tests of the policies: what a gate says of a fixture must be what the policy expects. A fixture
         of a canary describes traffic (config/policies/fixtures/*.traffic.yaml); it is made, and judged as the pipeline
         of the configuration would, in event time: hours take seconds. Exits with 1 when a test fails
diff     what changed, in words; a change without a raised version is an error, and it exits with 1
render   writes to DIR, for each policy, rules of Prometheus and promtool's tests of them (NAME.rules.yaml,
         NAME.rules.test.yaml); the pipeline's own (plimsoll-pipeline.*); Alertmanager's routes and inhibitions
         (alertmanager.yaml) and a script with amtool's tests of them (alertmanager.test.sh); and for a policy with
         gates::canary an AnalysisTemplate of Argo Rollouts (NAME.argo.yaml) and what Flagger needs (NAME.flagger.yaml).
         Then promtool and amtool, where they are on PATH, check what was written; exits with 1 when one refuses it
schema   prints the JSON Schema of policies, for editors: that is config/policies/policy.schema.json

  plimsoll policy check config/policies/*.yaml
  plimsoll policy test config/policies/refund-agent.yaml
  plimsoll policy render --out rules config/policies/*.yaml

  --as-of DAY        what is overdue on that day (2027-01-31) instead of today
  --receivers FILE   receivers of Alertmanager, which a policy names as owner and on_call (deploy/receivers.yaml is an
                     example); one that is missing is an error. global, templates, time_intervals and
                     mute_time_intervals are taken from it, too. Without it receivers are rendered empty: alerts are
                     routed, and nobody is told
  --runbook URL      your copy of deploy/runbook.md, which says of every alert what to do: alerts link to their section of
                     it (runbook_url), and those of a policy with metadata::runbook_url to that. Without it there is no
                     link: they name the section (runbook_section)
  --out DIR          where to write; made when it does not exist`,
  options: {
    out: { type: 'string' },
    receivers: { type: 'string' },
    runbook: { type: 'string' },
    'as-of': { type: 'string' },
  },
  takesWords: true,
  run: async ({ config, options, words }) => {
    const [what, ...files] = words;
    const asked = (name: string): string | undefined =>
      options[name] === undefined ? undefined : String(options[name]);
    if (what === 'diff' && files.length === 2) return diff(files);
    if (what === 'schema' && files.length === 0) {
      process.stdout.write(policyJsonSchema());
      return 0;
    }
    if (files.length === 0 || (what !== 'check' && what !== 'test' && what !== 'render'))
      throw new UsageError(
        'policy takes check FILE..., test FILE..., diff OLD NEW, render --out DIR FILE... or schema',
      );
    const out = asked('out');
    if (what === 'render' && out === undefined)
      throw new UsageError('say where to write: policy render --out DIR FILE...');
    // Alerts do not wait until somebody has reviewed a risk.
    const overdueIs = what === 'check' ? 'error' : 'warning';
    const policies = sound(files, timeOf(asked('as-of')), overdueIs);
    if (policies === undefined) return 1;
    if (what === 'test') return test(policies, config);
    if (out !== undefined && what === 'render')
      return render(policies, out, { receivers: asked('receivers'), runbook: asked('runbook') });
    for (const line of policies.flatMap(summaryOf)) print(line);
    return 0;
  },
};

/** The policies in `files`, or undefined when one has an error. Prints what is wrong. */
function sound(
  files: readonly string[],
  nowMs: number,
  overdueIs: Finding['level'],
): readonly PolicyFile[] | undefined {
  const policies = read(files);
  let errors = files.length - policies.length;
  for (const [policy, findings] of findingsOf(policies, nowMs, { fixtureFaults, overdueIs })) {
    printFindings(policy.file, findings);
    errors += findings.filter(({ level }) => level === 'error').length;
  }
  return errors === 0 ? policies : undefined;
}

/** What is wrong with the file of a test of the policy in `file`; undefined where there is none. */
function fixtureFaults(
  file: string,
  fixture: string,
  gate: 'offline' | 'staging' | 'canary',
): readonly string[] | undefined {
  const path = resolve(dirname(file), fixture);
  if (!existsSync(path)) return undefined;
  const found = (gate === 'offline' ? readCases : readTraffic)(readText(path));
  return 'faults' in found ? found.faults : [];
}

/** Those of `files` whose shape is right. Prints what is wrong with the others. */
function read(files: readonly string[]): readonly PolicyFile[] {
  return files.flatMap((file) => {
    const result = readPolicy(file, readText(file));
    if ('read' in result) return [result.read];
    printFindings(file, result.findings);
    return [];
  });
}

/** Carries out the tests of `policies`, as the pipeline of the configuration `files` would judge. */
function test(policies: readonly PolicyFile[], files: readonly string[]): number {
  const plan = planOf(loadConfig(files));
  const { assess } = plan;
  if (!assess)
    throw new Error('service::pipelines: lists no traces/assess; tests are judged as that pipeline would');
  let met = 0;
  let failed = 0;
  for (const policy of policies) {
    if (!policy.policy.tests) print(`${policy.file}: has no tests`);
    for (const { policy: owner, name, isMet, found } of testResults(policy, { plan, assess })) {
      print(`${isMet ? 'ok    ' : 'failed'} ${owner}: ${name}: ${found}`);
      if (isMet) met++;
      else failed++;
    }
  }
  const all = met + failed;
  const tests = all === 1 ? 'test' : 'tests';
  print(failed === 0 ? `${met} ${tests} passed` : `${failed} of ${all} ${tests} failed`);
  return failed === 0 ? 0 : 1;
}

function diff(files: readonly string[]): number {
  const [before, after] = read(files);
  if (!before || !after) return 1;
  for (const line of differencesBetween(before, after)) print(line);
  const findings = [...versionFindings(before, after)];
  printFindings(after.file, findings);
  return findings.some(({ level }) => level === 'error') ? 1 : 0;
}

function render(
  policies: readonly PolicyFile[],
  out: string,
  { receivers: file, runbook }: Readonly<Record<'receivers' | 'runbook', string | undefined>>,
): number {
  const names = receiverNames(policies);
  const parts =
    file === undefined ? { receivers: names.map((name) => ({ name })) } : readReceivers(file, readText(file));
  const missing = names.filter((name) => parts.receivers.every((receiver) => receiver.name !== name));
  if (missing.length > 0)
    throw new Error(
      `${file}: has no receiver ${missing.join(', ')}: add it, or correct who is named in the policy`,
    );
  if (runbook !== undefined && !runbookUrlPattern.test(runbook))
    throw new UsageError(
      `--runbook ${runbook} is no link: write a URL such as https://wiki.example.com/plimsoll, without #`,
    );
  const rendered = renderedFiles(policies, parts, runbook);
  mkdirSync(out, { recursive: true });
  for (const [name, text] of rendered) {
    writeFileSync(join(out, name), text);
    print(join(out, name));
  }
  for (const name of readdirSync(out)) {
    if (
      /\.rules(\.test)?\.yaml$/.test(name) &&
      !rendered.has(name) &&
      readText(join(out, name)).startsWith(renderedMark)
    )
      complain(
        `${join(out, name)}: was rendered from a policy that is not given: delete it, or give that policy`,
      );
  }
  if (file === undefined)
    complain(
      `${join(out, 'alertmanager.yaml')}: its receivers tell nobody: give yours with --receivers FILE`,
    );
  const { refusals, unchecked } = checkRendered(out, [...rendered.keys()]);
  for (const sentence of [...refusals, ...unchecked]) complain(sentence);
  return refusals.length === 0 ? 0 : 1;
}

function timeOf(day: string | undefined): number {
  if (day === undefined) return systemClock.nowMs();
  const ms = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(day) : Number.NaN;
  if (Number.isNaN(ms)) throw new UsageError(`--as-of ${day} is no day: write one such as 2027-01-31`);
  return ms;
}

function printFindings(file: string, findings: readonly Finding[]): void {
  for (const { level, path, sentence } of findings) print(`${level}: ${file}: ${path}: ${sentence}`);
}

function complain(sentence: string): void {
  process.stderr.write(`plimsoll: ${sentence}\n`);
}
