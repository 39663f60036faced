import { environmentMeant, rehearsalOf, rehearsals } from '../semconv/rehearsal.ts';

/** Whom a policy is about: patterns. */
interface Scope {
  readonly agents: readonly string[];
  readonly environments: readonly string[];
}

/** Whether a policy with `scope` is about `agent` in `environment`, or in the environment of which that is a rehearsal. */
export function covers({ agents, environments }: Scope, agent: string, environment: string): boolean {
  return fits(agent, agents) && fits(environmentMeant(environment), environments);
}

/** Whether some name fits both patterns; a pattern is a name, or its beginning and `*`. */
export function overlaps(a: string, b: string): boolean {
  const [x, y] = [beginning(a), beginning(b)];
  if (x === undefined && y === undefined) return a === b;
  if (x === undefined) return a.startsWith(y ?? '');
  if (y === undefined) return b.startsWith(x);
  return x.startsWith(y) || y.startsWith(x);
}

/** Whether one of `patterns` means `name`. */
function fits(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const start = beginning(pattern);
    return start === undefined ? pattern === name : name.startsWith(start);
  });
}

function beginning(pattern: string): string | undefined {
  return pattern.endsWith('*') ? pattern.slice(0, -1) : undefined;
}

/** The PromQL matchers for the agents and environments of `scope`; rehearsals are none of them. */
export function matchersOf({ agents, environments }: Scope): readonly string[] {
  const own = [matcherOf('agent', agents), matcherOf('environment', environments)];
  const takesRehearsals = environments.some((pattern) => overlaps(pattern, rehearsals));
  return takesRehearsals ? [...own, `environment!~${JSON.stringify(`${rehearsals.slice(0, -1)}.*`)}`] : own;
}

/** The same, and rehearsals of the environments. */
export function matchersWithRehearsals({ agents, environments }: Scope): readonly string[] {
  const all = environments.flatMap((pattern) => {
    const plain = rehearsals.slice(0, -1) + pattern;
    return beginning(pattern) === undefined ? [pattern, plain, rehearsalOf(pattern, '*')] : [pattern, plain];
  });
  return [matcherOf('agent', agents), matcherOf('environment', all)];
}

/** The PromQL matcher for `label` to fit one of `patterns`. */
function matcherOf(label: string, patterns: readonly string[]): string {
  const [only] = patterns;
  if (patterns.length === 1 && only !== undefined && beginning(only) === undefined)
    return `${label}=${JSON.stringify(only)}`;
  const expressions = patterns.map((pattern) => {
    const start = beginning(pattern);
    return start === undefined ? quoted(pattern) : `${quoted(start)}.*`;
  });
  return `${label}=~${JSON.stringify(expressions.join('|'))}`;
}

/** The one name that `patterns` mean; undefined where they mean several. */
export function onlyOf(patterns: readonly string[]): string | undefined {
  const [only, ...more] = patterns;
  return more.length > 0 || only === undefined || beginning(only) !== undefined ? undefined : only;
}

/** A name that fits `patterns`. */
export function exampleOf(patterns: readonly string[]): string {
  const [first = ''] = patterns;
  const start = beginning(first);
  return start === undefined ? first : `${start}example`;
}

function quoted(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
