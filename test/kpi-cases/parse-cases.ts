import { messageOf } from '../../src/core/failure.ts';

/** How a case sets up the pipeline. Times are milliseconds. */
export interface Given {
  readonly partitions: number;
  readonly windowsMs: readonly number[];
  readonly latenessMs: number;
  readonly idleTimeoutMs: number;
  readonly maxSeries: number;
}

/** One span of a run, as a line says it: what kind, what else, and by name. */
export interface SpanLine {
  readonly step: string;
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

/** So many runs with these spans each; a run with a name is one and the same wherever it is named. */
export interface RunLine {
  readonly line: number;
  readonly name: string | undefined;
  readonly count: number;
  readonly spans: readonly SpanLine[];
}

/** One series that is expected: it has at least these labels. */
export interface Expected {
  readonly line: number;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
  /** Within 1 %, as quantiles are. */
  readonly isRough: boolean;
}

/** What one line of a case does, `atMs` after its beginning; without that, now. */
export type Command = { readonly line: number; readonly text: string; readonly atMs?: number } & (
  | {
      readonly kind: 'load';
      readonly partition: number;
      readonly options: ReadonlyMap<string, string>;
      readonly runs: readonly RunLine[];
    }
  | { readonly kind: 'resend'; readonly partition: number | undefined }
  /** The stream hands out no more of the partition, hands out one record of it, or all again. */
  | { readonly kind: 'pause' | 'deliver' | 'resume'; readonly partition: number }
  | { readonly kind: 'clock' }
  | { readonly kind: 'restart' }
  | { readonly kind: 'kill' }
  | { readonly kind: 'good'; readonly agent: string; readonly outcomes: readonly string[] }
  | { readonly kind: 'target'; readonly agent: string; readonly evaluator: string; readonly target: number }
  | {
      readonly kind: 'eval';
      readonly name: string;
      readonly labels: ReadonlyMap<string, string>;
      /** Exactly these series fit, in any order. */
      readonly expected: readonly Expected[];
    }
);

/** One case: what it shows, and what a user would get wrong if it did not hold. */
export interface Case {
  readonly line: number;
  readonly title: string;
  readonly otherwise: string;
  readonly given: Given;
  readonly commands: readonly Command[];
}

const defaults: Given = {
  partitions: 1,
  windowsMs: [300_000, 3_600_000],
  latenessMs: 120_000,
  idleTimeoutMs: 300_000,
  maxSeries: 10_000,
};

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
function tokens(text: string): { readonly words: string[]; readonly options: Map<string, string> } {
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
function labelsOf(text: string): ReadonlyMap<string, string> {
  const inner = /^\{(.*)\}$/.exec(text)?.[1];
  if (inner === undefined) throw new Error(`${text} is not {label="value", …}`);
  return tokens(inner.replaceAll('",', '" ')).options;
}

/** A number, a quotient such as `35/38`, or `~0.5` for what is known within 1 %. */
function valueOf(text: string): { readonly value: number; readonly isRough: boolean } {
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

function runLine(text: string, line: number): RunLine {
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
function placeOf(words: string[]): { readonly atMs?: number; readonly partition?: number } {
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

function expectedOf(text: string, line: number): Expected {
  const [, labels = '{}', value] = /^(\{.*\})?\s*(\S+)$/.exec(text) ?? [];
  if (value === undefined) throw new Error(`${text} is not {label="value"} 0.5`);
  return { line, labels: labelsOf(labels), ...valueOf(value) };
}

/** Reads the lines of one file. Errors say where. */
class Reader {
  readonly cases: Case[] = [];
  readonly #file: string;
  readonly #lines: readonly string[];
  #at = 0;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#lines = text.split('\n');
  }

  readAll(): void {
    for (let line = this.#peek(); line !== undefined; line = this.#peek()) {
      const at = this.#at + 1;
      try {
        this.#case();
      } catch (error) {
        const where = `${this.#file}:${Math.max(at, this.#at)}`;
        throw new Error(`${where}: ${messageOf(error)}`, { cause: error });
      }
    }
  }

  /** The next line that says anything. */
  #peek(): string | undefined {
    while (this.#at < this.#lines.length && /^\s*(?:#.*)?$/.test(this.#lines[this.#at]!)) this.#at++;
    return this.#lines[this.#at]?.trimEnd();
  }

  #case(): void {
    const title = /^case (.+)$/.exec(this.#peek() ?? '')?.[1];
    this.#at++;
    if (title === undefined) throw new Error('a case begins with "case" and what it shows');
    const line = this.#at;
    const otherwise = /^ {2}otherwise (.+)$/.exec(this.#peek() ?? '')?.[1];
    this.#at++;
    if (otherwise === undefined) throw new Error('a case says first what goes wrong "otherwise"');
    let given = defaults;
    const commands: Command[] = [];
    for (let text = this.#peek(); text !== undefined && /^ {2}\S/.test(text); text = this.#peek()) {
      this.#at++;
      if (text.startsWith('  given ')) given = givenOf(text.slice(8));
      else commands.push(this.#command(text.trim()));
    }
    this.cases.push({ line, title, otherwise, given, commands });
  }

  #command(text: string): Command {
    const line = this.#at;
    const [kind = '', ...rest] = text.split(' ');
    const own = { line, text };
    if (kind === 'eval') return { ...own, ...this.#eval(rest.join(' ')) };
    const { words, options } = tokens(rest.join(' '));
    const { partition, ...at } = placeOf(words);
    if (kind === 'good') {
      const [agent = '', ...outcomes] = words;
      return { ...own, kind, agent, outcomes };
    }
    if (kind === 'target') {
      const [agent = '', evaluator = '', target = ''] = words;
      return { ...own, kind, agent, evaluator, target: valueOf(target).value };
    }
    if (kind === 'clock') return { ...own, kind, atMs: durationMs(words[0] ?? '') };
    if (words.length > 0) throw new Error(`"${words[0]}" means nothing in "${text}"`);
    if (kind === 'load') {
      const runs = this.#below().map(([run, runAt]) => runLine(run, runAt));
      return { ...own, ...at, kind, partition: partition ?? 0, options, runs };
    }
    if (kind === 'pause' || kind === 'deliver' || kind === 'resume')
      return { ...own, kind, partition: partition ?? 0 };
    if (kind === 'resend') return { ...own, ...at, kind, partition };
    if (kind === 'restart' || kind === 'kill') return { ...own, kind };
    throw new Error(`there is no command "${kind}"`);
  }

  #eval(text: string): Omit<Extract<Command, { kind: 'eval' }>, 'line' | 'text'> {
    const [, at, name, labels = '{}', value] = /^(?:at (\S+) )?(\w+)(\{.*\})?(?: (\S+))?$/.exec(text) ?? [];
    if (name === undefined) throw new Error('an eval is "eval at 5m metric{label="value"} 0.5", or "absent"');
    const time = at === undefined ? {} : { atMs: durationMs(at) };
    const below = this.#below().map(([series, line]) => expectedOf(series, line));
    if (value !== undefined && below.length > 0)
      throw new Error('an eval has one value or lines of series below it');
    if (value === undefined && below.length === 0)
      throw new Error('an eval without a value or series expects nothing: say "absent"');
    const expected = value === undefined ? below : value === 'absent' ? [] : [expectedOf(value, this.#at)];
    return { ...time, kind: 'eval', name, labels: labelsOf(labels), expected };
  }

  /** The lines that are indented below the last one, with their numbers. */
  #below(): (readonly [text: string, line: number])[] {
    const below: (readonly [string, number])[] = [];
    for (let text = this.#peek(); text !== undefined && /^ {4}\S/.test(text); text = this.#peek()) {
      this.#at++;
      below.push([text.trim(), this.#at]);
    }
    return below;
  }
}

function givenOf(text: string): Given {
  const { words, options } = tokens(text);
  const known: Record<string, (value: string) => Partial<Given>> = {
    partitions: (value) => ({ partitions: Number(value) }),
    windows: (value) => ({ windowsMs: value.split(',').map(durationMs) }),
    lateness: (value) => ({ latenessMs: durationMs(value) }),
    idle_timeout: (value) => ({ idleTimeoutMs: durationMs(value) }),
    max_series: (value) => ({ maxSeries: Number(value) }),
  };
  const parts = [...options].map(([name, value]) => known[name]?.(value));
  if (words.length > 0 || parts.includes(undefined))
    throw new Error(`given says ${Object.keys(known).join('=…, ')}=…`);
  return Object.assign({}, defaults, ...parts);
}

/**
 * The cases in `text`; an error begins with `file` and the line. A case is
 *
 *     case what it shows
 *       otherwise what a user would get wrong
 *       given partitions=2 windows=5m,1h lateness=2m idle_timeout=5m max_series=100
 *       load at 1m on 0 release=1.5.0
 *         run a: tool pay error args=x end=40s; tool pay ok args=x end=50s; root success
 *         3 runs: llm cost=0.5; root
 *       eval at 2m plimsoll_kpi_run_success_ratio{window="5m"}
 *         {release="1.5.0"} 1
 *
 * All times are since its beginning. A load is one request that arrives then; its spans end then, too, unless they say
 * when, and last 1 s. `resend` sends the last one again, `pause`, `deliver` and `resume` say how far a partition is read,
 * `clock 3m` lets time go by, `restart` and `kill` end the process and start the next, `good AGENT OUTCOME…` and
 * `target AGENT EVALUATOR 0.8` change a policy. An eval expects exactly the series below it, or one value behind it, or `absent`; `~` is within 1 %.
 */
export function parseCases(file: string, text: string): readonly Case[] {
  const reader = new Reader(file, text);
  reader.readAll();
  return reader.cases;
}
