import { isUnread } from '../core/unread.ts';

/** One Ctrl-C under npm arrives twice, from the terminal and from npm: only what comes later than this is a second one. */
const repeatMs = 1000;

/** As shells say it of a program that SIGPIPE ended. */
const unreadCode = 141;

let whenUnread = (): void => process.exit(unreadCode);

/**
 * Has this process end quietly once nobody reads its standard output any more (`| head`, a terminal that is gone), or do
 * what `onStopSignals` was told. Called once, before anything is printed.
 */
export function endUnread(): void {
  let isKnown = false;
  process.stdout.on('error', (error) => {
    if (!isUnread(error)) throw error;
    const isLater = isKnown;
    isKnown = true; // every later write fails, too, also those of what is done now
    if (!isLater) whenUnread();
  });
  process.stderr.on('error', (error) => {
    if (!isUnread(error)) throw error; // there is nobody to tell
  });
}

/**
 * Calls `first` once this process is asked to stop: by SIGTERM, SIGINT (Ctrl-C) or SIGHUP (its terminal is closed), by the
 * end of a parent that has a channel to it, or, unless it goes on `whileUnread`, when nobody reads its standard output any
 * more. Calls `again` at every signal that comes a second or more after that.
 */
export function onStopSignals(first: () => void, again: () => void, whileUnread = false): void {
  let firstMs: number | undefined;
  const stop = (): void => {
    if (firstMs !== undefined) return;
    firstMs = performance.now();
    first();
  };
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (firstMs !== undefined && performance.now() - firstMs >= repeatMs) again();
      else stop();
    });
  }
  process.once('disconnect', stop);
  process.channel?.unref(); // to wait for that keeps nothing alive
  whenUnread = whileUnread ? () => undefined : stop;
}
