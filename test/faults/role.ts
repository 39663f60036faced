import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseSamples, type Sample } from '../../src/cli/demo-table.ts';
import { Program, type Place } from '../e2e/program.ts';
import { until } from '../until.ts';

const restartMs = 300;
const scrapeMs = 2000;
const upMs = 120_000;
const stopMs = 60_000;

/** Counters that go on over the lives of a role. */
const kept = ['plimsoll_store_duplicate_rows_total', 'plimsoll_store_blocks_total'] as const;

/** Of inserts, only those whose outcome was uncertain. */
function sumOf(samples: readonly Sample[], name: string): number {
  return samples
    .filter((sample) => sample.name === name && (sample.labels['outcome'] ?? 'uncertain') === 'uncertain')
    .reduce((sum, { value }) => sum + value, 0);
}

/** One role in a process of its own, started again whenever it ends, as an init system does it. */
export class Role {
  readonly name: string;
  readonly #place: Place;
  readonly #words: readonly string[] | undefined;
  readonly #log: number;
  readonly logFile: string;
  readonly #killed = new AbortController();
  #program: Program | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;
  /** Whether its end is wanted. */
  #isDoomed = false;
  #isPaused = false;
  #maxRssBytes = 0;
  #life: ReadonlyMap<string, number> = new Map();
  readonly #past = new Map<string, number>();
  /** What it said when it ended by itself. A start that failed, because what it needs is down, is none. */
  readonly crashes: string[] = [];

  /** `words` start another program than the shipped one. */
  constructor(name: string, place: Place, words?: readonly string[]) {
    this.name = name;
    this.#place = place;
    this.#words = words;
    this.logFile = join(place.folder, 'log');
    this.#log = openSync(this.logFile, 'a');
  }

  /** Begins to keep it running. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** The process of now; undefined while there is none that is ready, or it is paused. */
  get program(): Program | undefined {
    return this.#isPaused ? undefined : this.#program;
  }

  /** Resolves with the process once it is ready. */
  async up(): Promise<Program> {
    return until(`${this.name} to be ready`, () => this.program, upMs);
  }

  /** Ends the process with `signal` and resolves when it has ended; another one is started at once. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const program = this.#program;
    if (!program) return;
    this.#isDoomed = true;
    this.wake();
    await program.kill(signal);
    await until(`${this.name} to be gone`, () => this.#program !== program);
  }

  /** Holds the process still until `wake`. */
  pause(): void {
    if (!this.#program) throw new Error(`${this.name} does not run`);
    this.#isPaused = true;
    process.kill(this.#program.pid, 'SIGSTOP');
  }

  wake(): void {
    if (this.#isPaused && this.#program) process.kill(this.#program.pid, 'SIGCONT');
    this.#isPaused = false;
  }

  /** Ends it for good: in order, with SIGTERM, or at once. */
  async stop(signal: 'SIGKILL' | 'SIGTERM' = 'SIGTERM'): Promise<void> {
    [this.#isStopped, this.#isDoomed] = [true, true];
    this.wake();
    if (signal === 'SIGTERM' && this.#program) {
      const impatient = setTimeout(() => this.#killed.abort(), stopMs);
      const { code } = await this.#program.kill('SIGTERM');
      clearTimeout(impatient);
      if (code !== 0) this.crashes.push(`${this.name} ended with ${code} after SIGTERM`);
    }
    this.#killed.abort();
    await this.#running;
  }

  /** The end of what it logged, over all lives. */
  get lastWords(): string {
    return readFileSync(this.logFile, 'utf8').slice(-2000);
  }

  /** What it measures now. Rejects when it does not answer. */
  async samples(): Promise<readonly Sample[]> {
    const { program } = this;
    if (!program) throw new Error(`${this.name} is not up`);
    const signal = AbortSignal.timeout(scrapeMs);
    const samples = parseSamples(await (await fetch(program.url('metrics'), { signal })).text());
    if (program === this.#program) this.#life = new Map(kept.map((name) => [name, sumOf(samples, name)]));
    return samples;
  }

  /** What it says of itself, on one line. */
  async health(): Promise<string> {
    const { program } = this;
    if (!program) return 'is not up';
    const answer = await fetch(program.url('health'), { signal: AbortSignal.timeout(scrapeMs) }).catch(
      String,
    );
    return typeof answer === 'string' ? answer : (await answer.text()).replaceAll(/\s+/g, ' ');
  }

  /** Notes how much memory the process has used, and its counters, before it may be gone. */
  async look(): Promise<void> {
    this.#noteRss();
    await this.samples().catch(() => undefined); // it is down, or hangs
  }

  get maxRssBytes(): number {
    return this.#maxRssBytes;
  }

  /** Of `kept`, over all lives, as far as was looked; of blocks only those whose outcome was uncertain. */
  total(name: (typeof kept)[number]): number {
    return (this.#past.get(name) ?? 0) + (this.#life.get(name) ?? 0);
  }

  async #run(): Promise<void> {
    const options = {
      log: this.#log,
      signal: this.#killed.signal,
      ...(this.#words && { words: this.#words }),
    };
    while (!this.#isStopped) {
      try {
        this.#program = await Program.start(this.#place, options);
      } catch {
        await sleep(restartMs); // what it needs is down
        continue;
      }
      this.#isDoomed = this.#isStopped;
      const { code } = await this.#program.ended;
      if (!this.#isDoomed) this.crashes.push(`${this.name} ended with ${code}: ${this.lastWords}`);
      this.#program = undefined;
      this.#isPaused = false;
      this.#endLife();
    }
  }

  #endLife(): void {
    for (const [name, value] of this.#life) this.#past.set(name, (this.#past.get(name) ?? 0) + value);
    this.#life = new Map();
  }

  #noteRss(): void {
    try {
      const status = readFileSync(`/proc/${this.#program?.pid}/status`, 'utf8');
      const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
      this.#maxRssBytes = Math.max(this.#maxRssBytes, Number(kib ?? 0) * 1024);
    } catch {
      // it has just ended, or this system has no /proc
    }
  }
}
