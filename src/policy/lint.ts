import { isRehearsal } from '../semconv/rehearsal.ts';
import { severities as tiers } from '../semconv/vocabulary.ts';
import { error, warning, type Finding } from './finding.ts';
import { executorFindings, type ExecutorFacts } from './lint-executor.ts';
import { gateFindings } from './lint-gates.ts';
import { budgetFindings } from './lint-later.ts';
import { objectiveFindings, windowFindings } from './lint-objectives.ts';
import { rollbackFindings, sharedTargetFindings } from './lint-rollback.ts';
import { testFindings, type PolicyTest } from './lint-tests.ts';
import { pipelineGroup } from './pipeline-rules.ts';
import type { Policy } from './policy-schema.ts';
import { durationSeconds } from './policy-values.ts';
import type { PolicyFile } from './read-policy.ts';
import { overlaps } from './scope.ts';

const placeholder = /^(?:todo|tbd|fixme|none|nobody|no-one|unknown|someone|changeme|n\/a|x+)$/i;
const noticeMs = 14 * 86_400_000;

/**
 * What is wrong with each of `files`, which are used together, as of `nowMs`. Their shape is right; this is about
 * whether they make sense. `windowsMs` are the lengths of the rolling windows of the pipeline, `executor` is what its
 * configuration meets them with, and `fixtureFaults` says what is wrong with the file of a policy's test, undefined where
 * there is none, where these are known. `overdueIs` how grave a review is that is overdue.
 */
export function findingsOf(
  files: readonly PolicyFile[],
  nowMs: number,
  {
    windowsMs,
    executor,
    fixtureFaults = () => [],
    overdueIs = 'error',
  }: {
    readonly windowsMs?: readonly number[] | undefined;
    readonly executor?: ExecutorFacts | undefined;
    readonly fixtureFaults?: (
      file: string,
      fixture: string,
      gate: PolicyTest['gate'],
    ) => readonly string[] | undefined;
    readonly overdueIs?: Finding['level'];
  } = {},
): ReadonlyMap<PolicyFile, readonly Finding[]> {
  return new Map(
    files.map((file, i) => [
      file,
      [
        ...ownerFindings(file.policy),
        ...objectiveFindings(file.policy),
        ...(windowsMs ? windowFindings(file.policy, windowsMs) : []),
        ...severityFindings(file.policy),
        ...riskFindings(file.policy, nowMs, overdueIs),
        ...budgetFindings(file.policy),
        ...gateFindings(file.policy),
        ...rollbackFindings(file.policy, windowsMs),
        ...(executor ? executorFindings(file.policy, executor) : []),
        ...testFindings(file.policy, (...of) => fixtureFaults(file.file, ...of)),
        ...rehearsalFindings(file.policy),
        ...claimFindings(file, files.slice(0, i)),
        ...sharedTargetFindings(file.policy, files.slice(0, i)),
      ],
    ]),
  );
}

function* ownerFindings({ metadata, risks = [] }: Policy): Generator<Finding> {
  if (metadata.name === pipelineGroup)
    yield error(
      'metadata::name',
      `${pipelineGroup} names the rules of the pipeline itself`,
      'give it another name',
    );
  const names = {
    'metadata::owner': metadata.owner,
    'metadata::on_call': metadata.on_call,
    ...Object.fromEntries(risks.map(({ owner }, i) => [`risks::${i}::owner`, owner])),
  };
  for (const [path, name] of Object.entries(names)) {
    if (placeholder.test(name)) yield error(path, `"${name}" is nobody`, 'name who answers');
  }
}

function* severityFindings({ severities }: Policy): Generator<Finding> {
  let graver: { readonly name: string; readonly seconds: number; readonly page: boolean } | undefined;
  for (const name of tiers) {
    const tier = severities[name];
    if (!tier) continue;
    const seconds = durationSeconds(tier.acknowledge_within);
    if (graver && seconds < graver.seconds)
      yield warning(
        `severities::${name}::acknowledge_within`,
        `is to be acknowledged sooner than ${graver.name}, which is graver`,
        'put them in order',
      );
    if (graver && tier.page && !graver.page)
      yield error(
        `severities::${name}::page`,
        `pages, and ${graver.name}, which is graver, does not`,
        'put them in order',
      );
    graver = { name, seconds, page: tier.page };
  }
  if (graver === undefined) yield error('severities', 'define none', 'define those that the objectives name');
}

function* riskFindings(
  { risks = [] }: Policy,
  nowMs: number,
  overdueIs: Finding['level'],
): Generator<Finding> {
  const overdue = overdueIs === 'error' ? error : warning;
  const seen = new Set<string>();
  for (const [i, { id, owner, review_by: reviewBy }] of risks.entries()) {
    if (seen.has(id))
      yield error(`risks::${i}::id`, `${id} is there already`, 'give each risk an id of its own');
    seen.add(id);
    const endOfDayMs = Date.parse(reviewBy) + 86_400_000;
    const path = `risks::${i}::review_by`;
    if (nowMs >= endOfDayMs)
      yield overdue(
        path,
        `the review of ${id} was due by ${reviewBy}`,
        `let ${owner} review it, and set the next day`,
      );
    else if (nowMs >= endOfDayMs - noticeMs)
      yield warning(path, `the review of ${id} is due by ${reviewBy}`, `let ${owner} review it`);
  }
}

function* rehearsalFindings({ scope }: Policy): Generator<Finding> {
  for (const [i, environment] of scope.environments.entries()) {
    if (isRehearsal(environment))
      yield error(
        `scope::environments::${i}`,
        `${environment} is a rehearsal, which is covered as the environment that it means`,
        'remove it',
      );
  }
}

function* claimFindings({ policy }: PolicyFile, others: readonly PolicyFile[]): Generator<Finding> {
  for (const other of others) {
    const { metadata, scope } = other.policy;
    if (metadata.name === policy.metadata.name)
      yield error(
        'metadata::name',
        `${metadata.name} is the name of ${other.file}, too`,
        'give one of them another name',
      );
    for (const agent of policy.scope.agents) {
      const rival = scope.agents.find((pattern) => overlaps(agent, pattern));
      const shared = policy.scope.environments.find((environment) =>
        scope.environments.some((pattern) => overlaps(environment, pattern)),
      );
      if (rival !== undefined && shared !== undefined)
        yield error(
          'scope',
          `claims ${agent} in ${shared}, which ${other.file} claims as ${rival}`,
          'let one policy alone decide about an agent in an environment',
        );
    }
  }
}
