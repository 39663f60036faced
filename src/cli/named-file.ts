import { readFileSync, writeFileSync } from 'node:fs';
import { messageOf } from '../core/failure.ts';

/** The text of a file that somebody named. Throws one sentence that names it. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`cannot read ${file} (${codeOf(cause)}): name a file that is there`, { cause });
  }
}

/** Writes a file that somebody named, anew where it is there. Throws one sentence that names it. */
export function writeText(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new Error(`cannot write ${file} (${codeOf(cause)}): name a file in a folder that is there`, {
      cause,
    });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
}
