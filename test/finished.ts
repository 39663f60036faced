import { spawn, type SpawnOptions } from 'node:child_process';
import { constants, setPriority } from 'node:os';

/**
 * Runs a program to its end and resolves with what it said; rejects with that when it fails. It gives way to everything
 * else on the machine, so that tests beside it keep their time.
 */
export async function finished(
  program: string,
  words: readonly string[],
  options: SpawnOptions = {},
): Promise<string> {
  const child = spawn(program, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (said += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(said);
      else reject(new Error(`${program} ended with ${code}: ${said.slice(-4000)}`));
    });
  });
}
