/** One Ctrl-C under npm arrives twice, from the terminal and from npm: only what comes later than this is a second one. */
const repeatMs = 1000;

/** Calls `first` at the first SIGTERM or SIGINT, and `again` at every one that comes a second or more after it. */
export function onStopSignals(first: () => void, again: () => void): void {
  let firstMs: number | undefined;
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (firstMs === undefined) {
        firstMs = performance.now();
        first();
      } else if (performance.now() - firstMs >= repeatMs) again();
    });
  }
}
