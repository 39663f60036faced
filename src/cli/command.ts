import type { ParseArgsOptionsConfig } from 'node:util';

/** What a command is told: its options as parsed, and the words after them. */
interface Invocation {
  readonly config: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly words: readonly string[];
}

/** One command of the program. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `plimsoll <command> --help` teaches, with examples. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** Whether words may follow that are no options. */
  readonly takesWords?: boolean;
  /** Runs the command; resolves with the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** The command was not asked as it wants to be: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Writes a line the user asked for to standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
