import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** How one thing that was started ends. */
interface Ending {
  /** In order. */
  readonly end: () => unknown;
  /** At once, without waiting for anything; absent where the end of this process ends it. */
  readonly kill?: () => void;
}

/** What was started, and must end whatever happens: the last first, for it may need those before it. */
export class TearDown {
  readonly #endings: Ending[] = [];

  add(ending: Ending): void {
    this.#endings.push(ending);
  }

  /** Resolves or rejects as `work` does, when everything has ended. Rejects with the first fault of an end if `work` had none. */
  async after<T>(work: () => Promise<T>): Promise<T> {
    const faults: unknown[] = [];
    const noted = (error: unknown) => void faults.push(error);
    const result = await work().then((value) => [value], noted);
    for (const { end } of this.#endings.toReversed()) await Promise.resolve().then(end).catch(noted);
    if (!result || faults.length > 0) throw faults[0];
    return result[0]!;
  }

  /** Kills everything, for who cannot wait any longer. What cannot be killed is passed over. */
  kill(): void {
    for (const { kill } of this.#endings.toReversed()) {
      try {
        kill?.();
      } catch {
        // the others are to end nevertheless
      }
    }
  }
}

/** Asks the program to end once this process closes its standard input, or is gone. */
const guard = '"$@" & read -r _; kill $!; wait $!';

/** A silent program of a process group of its own, which does not outlive this process, however that ends. */
export class GuardedChild {
  readonly #shell: ChildProcess;
  readonly #exited: Promise<unknown>;

  /** Starts `program` with `words` in `folder`. */
  constructor(program: string, words: readonly string[], folder: string) {
    this.#shell = spawn('sh', ['-c', guard, 'sh', program, ...words], {
      cwd: folder,
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true, // Ctrl-C is for this process, which ends it
    });
    this.#exited = once(this.#shell, 'exit');
  }

  /** Asks it to end, and kills it after `patienceMs`. Resolves when it has ended. */
  async end(patienceMs = 10_000): Promise<void> {
    const timer = setTimeout(() => this.kill(), patienceMs);
    this.#shell.stdin?.end();
    await this.#exited;
    clearTimeout(timer);
  }

  /** Ends it at once. */
  kill(): void {
    const { pid, exitCode, signalCode } = this.#shell;
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
  }
}
