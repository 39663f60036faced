import { pino, type Logger } from 'pino';

/** Where components write what happened: constant message, data in fields. `error` means data lost or operator needed. */
export type Log = Logger;

/** Levels in order of loudness; `silent` writes nothing. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** One log for the process, JSON lines on standard error, so that standard output stays the user's. */
export function createLog(level: (typeof logLevels)[number]): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
}
