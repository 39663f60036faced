import { readFileSync } from 'node:fs';
import { print, type Command } from './command.ts';

/** The version of the package, as in package.json. */
export function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

export const versionCommand: Command = {
  name: 'version',
  summary: 'print the version of Plimsoll and of Node',
  help: 'Usage: plimsoll version',
  options: {},
  run: () => {
    print(`plimsoll ${version()} (node ${process.versions.node})`);
    return Promise.resolve(0);
  },
};
