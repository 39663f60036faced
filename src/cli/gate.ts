import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fromEnvironment } from '../config.ts';
import { messageOf } from '../core/failure.ts';
import { readCases } from '../gate/offline-cases.ts';
import { judgeOffline, type OfflineVerdict } from '../gate/offline-gate.ts';
import { offlineRulesOf } from '../policy/gate-rules.ts';
import { durationSeconds } from '../policy/policy-values.ts';
import { readPolicy } from '../policy/read-policy.ts';
import { apiUrl, bearer, reasonOf, usualUrl } from './api-call.ts';
import { print, UsageError, type Command } from './command.ts';
import { readText } from './named-file.ts';

/** What names a file, and no policy. */
const isFile = /[/\\]|\.ya?ml$/;
const usualToken = 'PLIMSOLL_API_TOKEN';
const askEveryMs = 2000;
const answerWithinMs = 30_000;
/** So often what is waited for is told again, with its figures of now. */
const figuresEveryMs = 60_000;

/** What a gate found decides the exit code; 2 is that of commands that are not understood. */
const exitCodes: Readonly<Record<string, number>> = { pass: 0, fail: 1, inconclusive: 2, environment: 2 };
const unasked = 3;

export const gateCommand: Command = {
  name: 'gate',
  summary: 'ask whether a release may go on: by a data set, in staging, or as a canary',
  help: `Usage: plimsoll gate offline --policy FILE --release R --baseline B CASES.jsonl
       plimsoll gate staging --policy NAME --release R [--agent A] [--environment E] [--wait 30m]
       plimsoll gate canary  --policy NAME --release R [--agent A] [--environment E] [--wait 24h]

For CI: the exit code is 0 when the release passes, 1 when it fails, 2 when nobody can tell (yet), as when the command is
not understood, and 3 when nobody could be asked or a file cannot be read. Only 0 lets a release go on.

offline  reads CASES.jsonl, a line for each case with each release, and compares the two by gates::offline of the policy:
           {"case":"late-return-01","release":"1.5.0-rc1","outcome":"success","scores":{"correctness":0.93}}
         outcome is one of success, completed, failure, escalated, abandoned and unknown; good_outcomes of the policy are
         good. Cases that both releases were tried on are compared one by one (McNemar's exact test, Tango's interval),
         others by their shares (Fisher's exact test, Newcombe's interval). It passes when there are min_cases and the
         interval of the difference, of 95 %, lies above minus the margin; it fails when it does not and the release is
         worse in the exact test, at 5 %. Scores are shown, and decide nothing
staging  asks the pipeline whether the figures of the release over the longest window meet gates::staging
canary   asks the pipeline what its judge says of the release

  plimsoll gate offline --policy config/policies/refund-agent.yaml --release 1.5.0-rc1 --baseline 1.4.0 cases.jsonl
  plimsoll gate canary --policy refund-agent --release 1.5.0-rc1 --wait 24h

  --agent A, --environment E  where the policy covers several
  --wait DURATION    asks until the release passes or fails, for so long; also while the pipeline is out of reach. What it
                     waits for is printed to standard error, each time it changes
  --url URL          of the API of the process that assesses (default ${usualUrl})
  --token-env NAME   the environment variable that has your token (default ${usualToken})
  --json             for programs`,
  options: {
    policy: { type: 'string' },
    release: { type: 'string' },
    baseline: { type: 'string' },
    agent: { type: 'string' },
    environment: { type: 'string' },
    wait: { type: 'string' },
    url: { type: 'string' },
    'token-env': { type: 'string' },
    json: { type: 'boolean' },
  },
  takesWords: true,
  run: async ({ options, words }) => {
    const told = (name: string): string | undefined =>
      options[name] === undefined ? undefined : String(options[name]);
    const [gate = '', ...files] = words;
    if (gate !== 'offline' && gate !== 'staging' && gate !== 'canary')
      throw new UsageError('gate takes offline, staging or canary');
    if (files.length !== (gate === 'offline' ? 1 : 0))
      throw new UsageError(`gate ${gate} takes ${gate === 'offline' ? 'one file of cases' : 'no file'}`);
    const isJson = options['json'] === true;
    try {
      const said =
        gate === 'offline'
          ? offline(files[0] ?? '', needs(gate, told))
          : await asked(gate, needs(gate, told));
      print(isJson ? JSON.stringify(said, null, 2) : textOf(said));
      return exitCodes[said.verdict] ?? unasked;
    } catch (error) {
      if (error instanceof UsageError) throw error;
      for (const line of messageOf(error).split('\n')) process.stderr.write(`plimsoll: ${line}\n`);
      return unasked;
    }
  },
};

/** What a gate says. */
interface Said {
  readonly dataset?: string;
  readonly verdict: string;
  readonly reason: string;
  readonly scores?: OfflineVerdict['scores'];
}

function textOf({ verdict, reason, scores = [] }: Said): string {
  return [
    `${verdict}: ${reason}`,
    ...scores.map(
      ({ evaluator, candidate, baseline }) =>
        `  mean score of ${evaluator}: ${meanText(candidate)}, before ${meanText(baseline)}`,
    ),
  ].join('\n');
}

function meanText(mean: number | undefined): string {
  return mean === undefined ? 'none' : mean.toFixed(3);
}

/** Finds an option, and says which is missing. */
interface Needs {
  (name: string): string;
  readonly told: (name: string) => string | undefined;
}

function needs(gate: string, told: (name: string) => string | undefined): Needs {
  const need = (name: string): string => {
    const value = told(name);
    if (value === undefined || value === '') throw new UsageError(`gate ${gate} needs --${name}`);
    return value;
  };
  return Object.assign(need, { told });
}

function offline(file: string, need: Needs): Said {
  const [policyName, release, baseline] = [need('policy'), need('release'), need('baseline')];
  if (release === baseline)
    throw new UsageError(
      `--baseline ${baseline} is the release itself: name the one that it is compared with`,
    );
  if (!isFile.test(policyName) && !existsSync(policyName))
    throw new UsageError(
      `gate offline takes the file of a policy, and ${policyName} is none: write one such as --policy config/policies/${policyName}.yaml`,
    );
  const policy = readPolicy(policyName, readText(policyName));
  if ('findings' in policy)
    throw new Error(
      policy.findings.map(({ path, sentence }) => `${policyName}: ${path}: ${sentence}`).join('\n'),
    );
  const rules = offlineRulesOf(policy.read);
  if (!rules) throw new Error(`${policyName}: has no gate for data sets: add gates::offline`);
  const read = readCases(readText(file));
  if ('faults' in read) throw new Error(read.faults.map((fault) => `${file}: ${fault}`).join('\n'));
  return { dataset: rules.dataset, ...judgeOffline(read.cases, { release, baseline }, rules) };
}

/** What the pipeline says; with `--wait`, as soon as it is sure, or when the time is over. */
async function asked(gate: string, need: Needs): Promise<Said> {
  const { told } = need;
  const policy = need('policy');
  if (isFile.test(policy))
    throw new UsageError(
      `gate ${gate} takes the name of a policy that is in use, and ${policy} is a file: write --policy ${basename(policy).replace(/\.ya?ml$/, '')}, or what metadata::name says`,
    );
  const query = new URLSearchParams({ gate, release: need('release') });
  for (const name of ['agent', 'environment']) {
    const value = told(name);
    if (value !== undefined) query.set(name, value);
  }
  const base = apiUrl(told('url'));
  const url = `${base}/api/v1/gate/${encodeURIComponent(policy)}?${query.toString()}`;
  const tokenName = told('token-env') ?? usualToken;
  const waitMs = waitMsOf(told('wait'));
  const untilMs = performance.now() + waitMs;
  const waits = waitNotes();
  for (;;) {
    const answer = await ask(url, tokenName);
    const isOver = performance.now() + askEveryMs > untilMs;
    if ('said' in answer && (isOver || answer.said.verdict === 'pass' || answer.said.verdict === 'fail'))
      return answer.said;
    if ('fault' in answer && (isOver || !answer.mayPass)) throw new Error(answer.fault);
    waits(answer);
    await pause(askEveryMs);
  }
}

/** Tells, on standard error, what is waited for, when that is not what it was: figures alone are no change for a minute. */
function waitNotes(): (answer: Reply) => void {
  const beganMs = performance.now();
  let shown = '';
  let shownMs = -Infinity;
  return (answer) => {
    const text = 'said' in answer ? `${answer.said.verdict}: ${answer.said.reason}` : answer.fault;
    const nowMs = performance.now();
    const kind = text.replaceAll(/[\d.,]+/g, '#');
    if (kind === shown && nowMs - shownMs < figuresEveryMs) return;
    [shown, shownMs] = [kind, nowMs];
    process.stderr.write(`waiting since ${Math.round((nowMs - beganMs) / 1000)} s: ${text}\n`);
  };
}

type Reply = { readonly said: Said } | { readonly fault: string; readonly mayPass: boolean };

async function ask(url: string, tokenName: string): Promise<Reply> {
  const token = fromEnvironment(tokenName);
  const elsewhere = ': name the API of the process that assesses with --url';
  try {
    const response = await fetch(url, {
      headers: bearer(token),
      redirect: 'error',
      signal: AbortSignal.timeout(answerWithinMs),
    });
    const { status } = response;
    if (status === 401 || status === 403) {
      const shown =
        token === undefined
          ? `without a token, for ${tokenName} is not set`
          : `with the token of ${tokenName}`;
      return {
        fault: `${url}, asked ${shown}, answered ${status}: set ${tokenName} to a token of extensions::api, or name another variable with --token-env`,
        mayPass: false,
      };
    }
    const said: unknown = await response.json();
    if (!isSaid(said))
      return { fault: `${url} answered ${status}, and no verdict${elsewhere}`, mayPass: true };
    if (response.ok) return { said };
    return { fault: `${url} answered ${status}: ${said.reason}`, mayPass: status >= 500 };
  } catch (error) {
    return { fault: `${url} did not answer: ${reasonOf(error)}${elsewhere}`, mayPass: true };
  }
}

function isSaid(value: unknown): value is Said {
  return (
    typeof value === 'object' &&
    value !== null &&
    'verdict' in value &&
    typeof value.verdict === 'string' &&
    'reason' in value &&
    typeof value.reason === 'string'
  );
}

function waitMsOf(written: string | undefined): number {
  if (written === undefined) return 0;
  const seconds = durationSeconds(written);
  if (!(seconds > 0)) throw new UsageError(`--wait ${written} is no duration: write one such as 30m`);
  return 1000 * seconds;
}
