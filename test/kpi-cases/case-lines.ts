import type { Expected, Given, RunLine, SpanLine } from './case.ts';

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `1h`, `5m10s`, `-9.999s` or `0` in milliseconds. Throws when it is no duration. */
export function durationMs(text: string): number {
  if (text === '0') return 0;
  if (!/^-?(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(text))
    throw new Error(`${text} is no duration such as 1m30s`);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
  const ms = parts.reduce((sum, [, number, unit]) => sum + Number(number) * unitsMs[unit!]!, 0);
  return text.startsWith('-') ? -ms : ms;
}

/** Words, and `name=value` with the value in quotes where it has spaces. */
export function tokens(text: string): { readonly words: string[]; readonly options: Map<string, string> } {
  const words: string[] = [];
  const options = new Map<string, string>();
  for (const [token, name, quoted, plain] of text.matchAll(/([\w.-]+)=(?:("(?:[^"\\]|\\.)*")|(\S*))|\S+/g)) {
    if (name === undefined) words.push(token);
    else options.set(name, quoted === undefined ? (plain ?? '') : unquoted(quoted));
  }
  return { words, options };
}

function unquoted(quoted: string): string {
  const text: unknown = JSON.parse(quoted);
  return String(text);
}

/** `{a="b",c="d"}` */
export function labelsOf(text: string): ReadonlyMap<string, string> {
  const inner = /^\{(.*)\}$/.exec(text)?.[1];
  if (inner === undefined) throw new Error(`${text} is not {label="value", …}`);
  return tokens(inner.replaceAll('",', '" ')).options;
}

/** A number, a quotient such as `35/38`, or `~0.5` for what is known within 1 %. */
export function valueOf(text: string): { readonly value: number; readonly isRough: boolean } {
  const [, rough, over, under = '1'] = /^(~?)([\d.e+-]+)(?:\/([\d.]+))?$/.exec(text) ?? [];
  const value = Number(over) / Number(under);
  if (over === undefined || Number.isNaN(value)) throw new Error(`${text} is no value such as 0.5 or 35/38`);
  return { value, isRough: rough === '~' };
}

function spanLine(text: string): SpanLine {
  const { words, options } = tokens(text);
  const [step = '', ...rest] = words;
  return { step, words: rest, options };
}

export function runLine(text: string, line: number): RunLine {
  const [, one, many, spans] = /^(?:run (\S+)|(\d+) runs?):\s+(.+)$/.exec(text) ?? [];
  if (spans === undefined)
    throw new Error('a load has lines such as "run a: root success" or "3 runs: root error"');
  return {
    line,
    name: one,
    count: many === undefined ? 1 : Number(many),
    spans: spans.split(';').map(spanLine),
  };
}

/** Takes `at 5m` and `on 1` from `words`. */
export function placeOf(words: string[]): { readonly atMs?: number; readonly partition?: number } {
  const take = (word: string): string | undefined => {
    const at = words.indexOf(word);
    return at < 0 ? undefined : words.splice(at, 2)[1];
  };
  const at = take('at');
  const on = take('on');
  return {
    ...(at !== undefined && { atMs: durationMs(at) }),
    ...(on !== undefined && { partition: Number(on) }),
  };
}

export function expectedOf(text: string, line: number): Expected {
  const [, labels = '{}', value] = /^(\{.*\})?\s*(\S+)$/.exec(text) ?? [];
  if (value === undefined) throw new Error(`${text} is not {label="value"} 0.5`);
  return { line, labels: labelsOf(labels), ...valueOf(value) };
}

/** What `text` says of how a case sets up the pipeline. */
export function givenOf(text: string): Partial<Given> {
  const { words, options } = tokens(text);
  const known: Record<string, (value: string) => Partial<Given>> = {
    partitions: (value) => ({ partitions: Number(value) }),
    windows: (value) => ({ windowsMs: value.split(',').map(durationMs) }),
    lateness: (value) => ({ latenessMs: durationMs(value) }),
    idle_timeout: (value) => ({ idleTimeoutMs: durationMs(value) }),
    max_series: (value) => ({ maxSeries: Number(value) }),
    zero_for: (value) => ({ zeroForMs: durationMs(value) }),
    snapshots: (value) => ({ snapshots: value === 'own' ? value : 'asked' }),
  };
  const parts = [...options].map(([name, value]) => known[name]?.(value));
  if (words.length > 0 || parts.includes(undefined))
    throw new Error(`given says ${Object.keys(known).join('=…, ')}=…`);
  return Object.assign({}, ...parts);
}
