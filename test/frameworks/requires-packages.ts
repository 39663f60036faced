import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cachedPath } from '../cached-folder.ts';
import { npmLock, parserLock, pipLock } from './packages.ts';

/** Whoever has not answered by then, asked several times, cannot be reached: who is only slow must not take tests away. */
const timeout = 60_000;
const npmPatience = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-timeout=15000'];
const pipPatience = ['--retries=2', '--timeout=15'];

/** Why the agent frameworks in JavaScript cannot be had on this machine; undefined when they can, or are here. */
export const npmMissing: string | undefined = existsSync(cachedPath('npm', npmLock))
  ? undefined
  : failed('npm', ['ping', ...npmPatience], "npm's registry cannot be reached");

/** Why the agent framework in Python cannot be had on this machine; undefined when it can, or is here. */
export const pipMissing: string | undefined = missingOfPip(pipLock, 'opentelemetry-sdk');

/** Why the reference parser of OpenMetrics cannot be had on this machine; undefined when it can, or is here. */
export const parserMissing: string | undefined = missingOfPip(parserLock, 'prometheus-client');

function missingOfPip(lock: string, wanted: string): string | undefined {
  if (existsSync(cachedPath('pip', lock))) return undefined;
  return (
    failed(
      'python3',
      ['-c', 'import ensurepip, pip, sys, venv; sys.exit(sys.version_info < (3, 11))'],
      'there is no python3, 3.11 or newer, with venv and pip',
    ) ??
    failed('python3', ['-m', 'pip', 'index', 'versions', wanted, ...pipPatience], 'PyPI cannot be reached')
  );
}

function failed(program: string, words: readonly string[], reason: string): string | undefined {
  const { status } = spawnSync(program, words, { stdio: 'ignore', timeout });
  return status === 0 ? undefined : reason;
}
