/** So many releases are remembered, those whose judgement began last. */
const limit = 10_000;

/** Counts one more start of the judgement of a release in `starts`, by its name in full, and returns how many there were. */
export function countStart(
  starts: Map<string, number>,
  { agent, environment }: { readonly agent: string; readonly environment: string },
  release: string,
): number {
  const key = JSON.stringify([agent, environment, release]);
  const count = (starts.get(key) ?? 0) + 1;
  starts.delete(key);
  starts.set(key, count);
  if (starts.size > limit) for (const oldest of starts.keys()) if (starts.delete(oldest)) break;
  return count;
}
