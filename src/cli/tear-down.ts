import type { ChildProcess } from 'node:child_process';
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

/** Asks `child` to end, and kills it after `patienceMs`. Resolves when it has ended. */
export async function endChild(child: ChildProcess, patienceMs = 10_000): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  child.kill('SIGTERM');
  await once(child, 'exit');
  clearTimeout(timer);
}
