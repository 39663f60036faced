import { statSync } from 'node:fs';
import { messageOf } from '../core/failure.ts';

/**
 * Why `file` keeps anything from being done: it is there, or nobody can see whether it is. Undefined only where it surely
 * is not.
 */
export function stopFileReason(file: string): string | undefined {
  try {
    statSync(file);
    return `the file ${file} is there`;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    return `nobody can see whether the file ${file} is there: ${messageOf(error)}`;
  }
}
