import { pino, type Logger } from 'pino';
import { isUnread } from './unread.ts';

/** Where components write what happened: constant message, data in fields. `error` means data lost or operator needed. */
export type Log = Logger;

/** Levels in order of loudness; `silent` writes nothing. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** One log for the process, JSON lines on standard error, so that standard output stays the user's. */
export function createLog(level: (typeof logLevels)[number]): Log {
  const destination = pino.destination({ dest: 2, sync: true });
  // A terminal that is gone is nobody to tell; who is at work goes on.
  destination.on('error', (error: NodeJS.ErrnoException) => {
    if (!isUnread(error)) throw error;
  });
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
