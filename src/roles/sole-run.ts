/**
 * `work`, of which one run is under way at a time. Of what is given meanwhile the last is worked on next, and what came
 * before it is left out: for work that is asked for again and again, each time with all there is. Resolves when that is
 * done; rejects with what `work` does.
 */
export function soleRun<T>(work: (given: T) => Promise<void>): (given: T) => Promise<void> {
  let running: Promise<void> | undefined;
  let next: { readonly given: T } | undefined;
  const runAll = async (): Promise<void> => {
    try {
      while (next) {
        const { given } = next;
        next = undefined;
        await work(given);
      }
    } finally {
      running = undefined;
    }
  };
  return async (given) => {
    next = { given };
    running ??= runAll();
    await running;
  };
}
