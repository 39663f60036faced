import { pino } from 'pino';
import type { Log } from '../../src/core/log.ts';

/** A log, and what was written to it. */
export function logLines(): {
  readonly log: Log;
  readonly lines: () => readonly Readonly<Record<string, unknown>>[];
} {
  const written: Readonly<Record<string, unknown>>[] = [];
  const log = pino({}, { write: (line: string) => void written.push(JSON.parse(line)) });
  return { log, lines: () => written };
}
