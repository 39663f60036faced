import { messageOf } from '../../src/core/failure.ts';
import { severities } from '../../src/semconv/vocabulary.ts';
import {
  durationMs,
  expectedOf,
  givenOf,
  labelsOf,
  placeOf,
  runLine,
  tokens,
  valueOf,
} from './case-lines.ts';
import type { Case, Command, Given } from './case.ts';

const defaults: Given = {
  partitions: 1,
  windowsMs: [300_000, 3_600_000],
  latenessMs: 120_000,
  idleTimeoutMs: 300_000,
  maxSeries: 10_000,
  zeroForMs: 0,
  snapshots: 'asked',
};

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
      if (text.startsWith('  given ')) given = { ...given, ...givenOf(text.slice(8)) };
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
    if (kind === 'snapshots') {
      const how = words.find((word) => word === 'lost' || word === 'strange');
      if (!how) throw new Error('snapshots are lost or strange');
      return { ...own, kind, how };
    }
    if (kind === 'incident') {
      const [key = '', grave = ''] = words;
      const severity = severities.find((one) => one === grave);
      if (!severity) throw new Error(`an incident has a key and one of ${severities.join(', ')}`);
      return { ...own, ...at, kind, key, severity, options };
    }
    if (kind === 'unlabelled') return { ...own, kind, texts: words };
    if (kind === 'configure') return { ...own, kind, given: givenOf(rest.join(' ')) };
    if (kind === 'clock') return { ...own, kind, atMs: durationMs(words[0] ?? '') };
    if (words.length > 0) throw new Error(`"${words[0]}" means nothing in "${text}"`);
    if (kind === 'load') {
      const runs = this.#below().map(([run, runAt]) => runLine(run, runAt));
      return { ...own, ...at, kind, partition: partition ?? 0, options, runs };
    }
    if (kind === 'expire')
      return { ...own, kind, partition: partition ?? 0, keep: Number(options.get('keep') ?? 0) };
    if (kind === 'pause' || kind === 'mute' || kind === 'deliver' || kind === 'resume')
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
 * when, and last 1 s; in `20 runs: root agent=bot-#` the sign stands for the number of the run, from 0 on. `resend` sends
 * the last one again, `pause`, `deliver` and `resume` say how far a partition is read, `mute on 1` lets reads find nothing
 * instead of waiting, `expire on 1 keep=2` is retention. `clock 3m` lets time go by. `restart` and `kill` end the process
 * and start the next, for which `configure windows=5m,2h` changes what is given, and `snapshots lost` or `snapshots strange`
 * (of another version) what it finds. `good AGENT OUTCOME…` and `target AGENT EVALUATOR 0.8` change a policy,
 * `incident KEY sev2 release=1.5.0` reports one. An eval expects exactly the series below it, or one value behind it, or
 * `absent`; `~` is within 1 %. It sees counters as of a snapshot made for it; with `given snapshots=own zero_for=15s` as
 * of the process's own, as in production, and waits for what it expects. `unlabelled TEXT…`: no label has it.
 */
export function parseCases(file: string, text: string): readonly Case[] {
  const reader = new Reader(file, text);
  reader.readAll();
  return reader.cases;
}
