/** Whether some name fits both patterns; a pattern is a name, or its beginning and `*`. */
export function overlaps(a: string, b: string): boolean {
  const [x, y] = [beginning(a), beginning(b)];
  if (x === undefined && y === undefined) return a === b;
  if (x === undefined) return a.startsWith(y ?? '');
  if (y === undefined) return b.startsWith(x);
  return x.startsWith(y) || y.startsWith(x);
}

/** Whether one of `patterns` means `name`. */
export function fits(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const start = beginning(pattern);
    return start === undefined ? pattern === name : name.startsWith(start);
  });
}

function beginning(pattern: string): string | undefined {
  return pattern.endsWith('*') ? pattern.slice(0, -1) : undefined;
}

/** The PromQL matcher for `label` to fit one of `patterns`. */
export function matcherOf(label: string, patterns: readonly string[]): string {
  const [only] = patterns;
  if (patterns.length === 1 && only !== undefined && beginning(only) === undefined)
    return `${label}=${JSON.stringify(only)}`;
  const expressions = patterns.map((pattern) => {
    const start = beginning(pattern);
    return start === undefined ? quoted(pattern) : `${quoted(start)}.*`;
  });
  return `${label}=~${JSON.stringify(expressions.join('|'))}`;
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
