import { windowLabel } from '../core/window-label.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import { error, warning, type Finding } from './finding.ts';
import { meanBoundOf } from './objective-schema.ts';
import type { Policy } from './policy-schema.ts';
import { durationSeconds } from './policy-values.ts';
import { covers, onlyOf } from './scope.ts';

const leastOftenSeconds = 92 * 86_400;

/**
 * What is wrong with how a policy meets unsafe releases, and with how that is rehearsed. `windowsMs` are the lengths of the
 * rolling windows of the pipeline, where these are known.
 */
export function* rollbackFindings(
  policy: Policy,
  windowsMs: readonly number[] | undefined,
): Generator<Finding> {
  const { rollback, gates, drill } = policy;
  if (rollback) {
    yield* modeFindings(policy, rollback);
    yield* environmentFindings(policy, rollback);
    yield* verifyFindings(policy, rollback);
    yield* targetFindings(policy);
    if (windowsMs) yield* withinFindings(rollback, windowsMs);
  }
  if (gates?.canary?.on_timeout === 'rollback' && (rollback?.mode ?? 'off') === 'off')
    yield error(
      'gates::canary::on_timeout',
      'asks for a rollback, and the policy has none',
      'add rollback, or write on_timeout: pause',
    );
  if (drill && !rollback)
    yield error('drill', 'rehearses a rollback, and the policy has none', 'add rollback, or remove it');
  if (drill && durationSeconds(drill.every) > leastOftenSeconds)
    yield warning(
      'drill::every',
      `${drill.every} is less than once a quarter: what is not rehearsed does not work when it must`,
      'write 90d or less',
    );
}

type Rollback = NonNullable<Policy['rollback']>;

function* modeFindings({ gates, metadata }: Policy, rollback: Rollback): Generator<Finding> {
  const modes = {
    rollback: rollback.mode,
    ...Object.fromEntries(
      Object.entries(rollback.environments ?? {}).map(([name, { mode }]) => [
        `rollback::environments::${name}`,
        mode,
      ]),
    ),
  };
  for (const [path, mode] of Object.entries(modes)) {
    if (mode === 'approve' && !metadata.approvers)
      yield error(`${path}::mode`, 'wants an approval and nobody may give it', 'list metadata::approvers');
  }
  if (Object.values(modes).some((mode) => mode !== undefined && mode !== 'off') && !gates?.canary)
    yield error('rollback', 'nothing would call for it', 'add gates::canary, or write mode: off');
}

function* environmentFindings({ scope }: Policy, { environments = {} }: Rollback): Generator<Finding> {
  for (const name of Object.keys(environments)) {
    const path = `rollback::environments::${name}`;
    if (isRehearsal(name))
      yield error(path, 'is a rehearsal, in which nothing real is done', 'name the environment itself');
    else if (!covers({ ...scope, agents: ['*'] }, '', name))
      yield error(
        path,
        `is none of the environments of the policy (${scope.environments.join(', ')})`,
        'correct its name, or add it to scope::environments',
      );
  }
}

function* targetFindings({ scope }: Policy): Generator<Finding> {
  if (onlyOf(scope.agents) === undefined)
    yield warning(
      'rollback::target',
      `is that of several agents (${scope.agents.join(', ')}): a rollback of one of them changes what the others run`,
      'write a policy for each agent that is released on its own',
    );
}

/** Which of the targets of `policy` one of `others` acts on, too, for agents of its own. */
export function* sharedTargetFindings(
  policy: Policy,
  others: readonly { readonly file: string; readonly policy: Policy }[],
): Generator<Finding> {
  const own = targetsOf(policy);
  for (const other of others) {
    const shared = targetsOf(other.policy).find((target) => own.includes(target));
    if (shared !== undefined)
      yield warning(
        'rollback::target',
        `${shared} is that of the agents of ${other.file}, too: a rollback of one of them changes what the others run`,
        'name a target for each agent that is released on its own',
      );
  }
}

function targetsOf({ rollback }: Policy): readonly string[] {
  if (!rollback) return [];
  const elsewhere = Object.values(rollback.environments ?? {}).flatMap(({ target }) => target ?? []);
  return [rollback.target, ...elsewhere];
}

function* verifyFindings({ objectives, gates }: Policy, { verify }: Rollback): Generator<Finding> {
  const objective = objectives[verify.kpi];
  if (verify.kpi === 'tool_call_duration' || (objective && meanBoundOf(objective) === undefined))
    yield error(
      'rollback::verify::kpi',
      `${verify.kpi} is a quantile, and those of several windows do not add up`,
      verify.kpi === 'run_duration' ? 'write stat: mean there, or another KPI here' : 'write another KPI',
    );
  if (!objective)
    yield error(
      'rollback::verify::kpi',
      `nothing says what ${verify.kpi} must be`,
      `add objectives::${verify.kpi}, or name a KPI that has one`,
    );
  const deadline = gates?.canary?.deadline;
  if (deadline !== undefined && durationSeconds(verify.within) < durationSeconds(deadline))
    yield warning(
      'rollback::verify::within',
      `is shorter than the ${deadline} that a run may take, so few runs have ended by then`,
      `write ${deadline} or more`,
    );
}

/** A rollback is verified by windows that begin after it. */
function* withinFindings({ verify }: Rollback, windowsMs: readonly number[]): Generator<Finding> {
  const shortestMs = Math.min(...windowsMs);
  if (1000 * durationSeconds(verify.within) > shortestMs) return;
  const shortest = windowLabel(shortestMs);
  yield error(
    'rollback::verify::within',
    `${verify.within} is not longer than ${shortest}, the shortest of exporters::kpi::windows of the configuration, so no rollback is ever verified`,
    `write more than ${shortest}, or add a shorter window there`,
  );
}
