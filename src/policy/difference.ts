import { error, warning, type Finding } from './finding.ts';
import type { PolicyFile } from './read-policy.ts';

type Leaves = ReadonlyMap<string, string>;

/** What a policy says now that it did not before, one line a change, such as `objectives::run_success::at_least: 0.92 → 0.95`. */
export function differencesBetween(before: PolicyFile, after: PolicyFile): readonly string[] {
  const was = leavesOf(before.policy);
  const is = leavesOf(after.policy);
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((path) => {
    const [old, now] = [was.get(path), is.get(path)];
    if (old === now) return [];
    if (old === undefined) return [`${path}: ${now} (new)`];
    return [now === undefined ? `${path}: ${old} (gone)` : `${path}: ${old} → ${now}`];
  });
}

/** What is wrong with the step from one version of a policy to the next. */
export function* versionFindings(before: PolicyFile, after: PolicyFile): Generator<Finding> {
  const [{ metadata: was }, { metadata: is }] = [before.policy, after.policy];
  if (was.name !== is.name)
    yield error('metadata::name', `${was.name} and ${is.name} are two policies`, 'compare versions of one');
  const hasChanged = before.revision !== after.revision;
  if (is.version < was.version)
    yield error(
      'metadata::version',
      `${is.version} is lower than ${was.version}`,
      'raise it with every change',
    );
  else if (hasChanged && is.version === was.version)
    yield error('metadata::version', `is still ${is.version}`, 'raise it with every change');
  const [change, ...more] = differencesBetween(before, after);
  if (change?.startsWith('metadata::version:') && more.length === 0)
    yield warning('metadata::version', 'was raised and nothing else changed', 'leave it as it is');
}

/** Every value by its path. Elements of a list are known by their id or name; a list of plain values is one value. */
function leavesOf(value: unknown, path: readonly string[] = [], into = new Map<string, string>()): Leaves {
  if (Array.isArray(value) && value.some((item) => typeof item === 'object')) {
    for (const [i, item] of value.entries()) leavesOf(item, [...path, keyOf(item) ?? String(i)], into);
  } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [key, item] of Object.entries(value)) leavesOf(item, [...path, key], into);
  } else {
    into.set(path.join('::'), Array.isArray(value) ? `[${value.join(', ')}]` : String(value));
  }
  return into;
}

function keyOf(item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null) return undefined;
  if ('id' in item) return String(item.id);
  return 'name' in item ? String(item.name) : undefined;
}
