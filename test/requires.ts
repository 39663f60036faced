import { spawnSync } from 'node:child_process';

/**
 * Why a test that needs `tool`, of the Debian package `from`, must be skipped on this machine; undefined when the tool works. Where CI is set a missing
 * tool is an error: a skipped test proves nothing.
 */
export function requires(tool: string, { version = '-V', from = tool } = {}): string | undefined {
  const { error, status } = spawnSync(tool, [version], { stdio: 'ignore' });
  if (error === undefined && status === 0) return undefined;
  const reason = `${tool} is not installed: apt-get install ${from}`;
  if (process.env['CI'] !== undefined) throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return reason;
}

/** What a command said on standard error, without that this machine lacks the tools of Prometheus. */
export function withoutTools(stderr: string): string {
  return stderr.replaceAll(/^.* is not on PATH, so that .*\n/gm, '');
}
