import { warning, type Finding } from './finding.ts';
import type { Policy } from './policy-schema.ts';

/** What the configuration says that policies are met with. */
export interface ExecutorFacts {
  /** Who has a token of his own, by which he can approve. */
  readonly users: readonly string[];
  /** How many people have to approve what is done to a target, of every target that there is. */
  readonly approvals: ReadonlyMap<string, number>;
}

/** What of a policy the configuration of its executor does not let happen as it is written. */
export function* executorFindings(policy: Policy, executor: ExecutorFacts): Generator<Finding> {
  const { rollback, metadata } = policy;
  if (!rollback) return;
  const unknown = (metadata.approvers ?? []).filter((name) => !executor.users.includes(name));
  if (unknown.length > 0)
    yield warning(
      'metadata::approvers',
      `nobody can approve as ${unknown.join(' or ')}, for the configuration has no such user`,
      'add them to extensions::api::users, each with a token of its own',
    );
  yield* targetFindings(rollback, executor);
  yield* approvalFindings('rollback', rollback, policy, executor);
  for (const [name, { mode = rollback.mode, target = rollback.target }] of Object.entries(
    rollback.environments ?? {},
  ))
    yield* approvalFindings(`rollback::environments::${name}`, { mode, target }, policy, executor);
}

function* targetFindings(
  { mode, target, environments = {} }: NonNullable<Policy['rollback']>,
  { approvals }: ExecutorFacts,
): Generator<Finding> {
  const others = Object.entries(environments);
  const isUsed =
    mode !== 'off' || others.some(([, own]) => own.target === undefined && (own.mode ?? mode) !== 'off');
  const named = [
    ...(isUsed ? [['rollback', target] as const] : []),
    ...others.flatMap(([name, own]) =>
      own.target === undefined || (own.mode ?? mode) === 'off'
        ? []
        : [[`rollback::environments::${name}`, own.target] as const],
    ),
  ];
  for (const [path, name] of named)
    if (!approvals.has(name))
      yield warning(
        `${path}::target`,
        `nothing can be done, for extensions::rollback::targets does not have ${name}`,
        'add it there, or correct the name',
      );
}

function* approvalFindings(
  path: string,
  { mode, target }: Pick<NonNullable<Policy['rollback']>, 'mode' | 'target'>,
  { metadata: { approvers = [] } }: Policy,
  { approvals }: ExecutorFacts,
): Generator<Finding> {
  const needed = approvals.get(target) ?? 1;
  if (needed === 1 || (mode !== 'auto' && mode !== 'approve')) return;
  const place = `extensions::rollback::targets::${target}`;
  if (mode === 'auto')
    yield warning(
      `${path}::mode`,
      `auto is met as approve, for ${place} needs ${needed} approvals`,
      'write approve, so that nobody expects another thing',
    );
  if (approvers.length < needed)
    yield warning(
      'metadata::approvers',
      `are ${approvers.length}, and ${place} needs ${needed} approvals, so every rollback expires`,
      `list ${needed} or more, besides those who ask`,
    );
}
