import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Fault } from './faults.ts';
import type { User } from './http-statement.ts';

/** What a server may be told. */
export interface ServerOptions {
  /** Where it keeps its data; a folder of its own, removed at `stop`, when not given. */
  readonly directory?: string;
  /** Any free one when not given. */
  readonly port?: number;
  /** Who may use it; only `default` without a password when not given. */
  readonly users?: readonly User[];
  /** Paths of PEM files; it speaks HTTPS then. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** By how much its clock is ahead of this machine's; behind when negative. */
  readonly skewSeconds?: number;
}

/** What the child is started with. */
export interface ChildOptions extends ServerOptions {
  readonly directory: string;
  readonly port: number;
}

/** What the child is asked, beside HTTP. */
export type Ask = { readonly id: number } & (
  | { readonly kind: 'fault'; readonly fault: Fault | undefined }
  | { readonly kind: 'held' }
  | { readonly kind: 'query'; readonly sql: string }
);

/** What the child answers to the Ask of that id; 0 is its first word, and its value the port. */
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

type Question = Ask extends infer A ? (A extends Ask ? Omit<A, 'id'> : never) : never;

const child = fileURLToPath(new URL('server-child.ts', import.meta.url));

/**
 * A ClickHouse server for tests: ClickHouse's HTTP interface, as we understand it, over the real engine (chDB), on
 * 127.0.0.1 and in a process of its own, that can be killed and started again over the same data.
 */
export class ClickHouseServer {
  readonly #options: ServerOptions;
  readonly #directory: string;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #process: ChildProcess | undefined;
  #port: number;
  #asked = 0;

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.#directory = options.directory ?? mkdtempSync(join(tmpdir(), 'plimsoll-server-'));
    this.#port = options.port ?? 0;
    mkdirSync(this.#directory, { recursive: true });
  }

  /** Resolves when the server takes requests. */
  static async start(options: ServerOptions = {}): Promise<ClickHouseServer> {
    const server = new ClickHouseServer(options);
    await server.#spawn();
    return server;
  }

  /** Such as http://127.0.0.1:8123; the same after a restart. */
  get url(): string {
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${this.#port}`;
  }

  /** Of its process; undefined while it does not run. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Ends it at once (SIGKILL), in the middle of whatever it does. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  }

  /** Kills it if it runs, and starts it on the same port over the same data, without a fault. */
  async restart(): Promise<void> {
    await this.kill();
    await this.#spawn();
  }

  /** Holds it still (SIGSTOP): connections stay open and nothing is answered until `wake`. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  wake(): void {
    this.#process?.kill('SIGCONT');
  }

  /** From now on this happens to INSERTs, or nothing. Resolves when those that the former fault held are done with. */
  async fault(kind: Fault | undefined): Promise<void> {
    await this.#ask({ kind: 'fault', fault: kind });
  }

  /** How many INSERTs the fault holds. */
  async held(): Promise<number> {
    return Number(await this.#ask({ kind: 'held' }));
  }

  /** What a query gives, past HTTP, users and faults. */
  async query<Row>(sql: string): Promise<readonly Row[]> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller names the columns it selects
    return (await this.#ask({ kind: 'query', sql })) as readonly Row[];
  }

  /** Ends it, and removes its data when nobody gave it a directory. */
  async stop(): Promise<void> {
    await this.kill();
    if (this.#options.directory === undefined) rmSync(this.#directory, { recursive: true, force: true });
  }

  async #spawn(): Promise<void> {
    const options: ChildOptions = { ...this.#options, directory: this.#directory, port: this.#port };
    const started = spawn(process.execPath, [child, JSON.stringify(options)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' }, // a statement that runs keeps a thread busy
    });
    this.#process = started;
    const listening = this.#answer(0);
    started.on('message', (message) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the child sends nothing else
      const answer = message as Answer;
      this.#waiting.get(answer.id)?.(answer);
    });
    started.on('exit', () => {
      for (const [id, settle] of this.#waiting) settle({ id, error: 'the server has ended' });
    });
    this.#port = Number(await listening);
  }

  async #ask(question: Question): Promise<unknown> {
    const id = ++this.#asked;
    if (!this.#process?.connected) throw new Error('the server does not run');
    const answered = this.#answer(id);
    this.#process.send({ ...question, id });
    return answered;
  }

  async #answer(id: number): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#waiting.set(id, resolve);
    const { value, error } = await promise;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(error);
    return value;
  }
}
