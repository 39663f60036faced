import { vi } from 'vitest';
import { main } from '../../src/main.ts';
import type { Ended } from '../e2e/program.ts';

/** Runs `plimsoll` with `words` to its end in this process, which is far quicker than in one of its own; one at a time. */
export async function called(...words: readonly string[]): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  try {
    const code = await main(words);
    return { code, stdout, stderr };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}
