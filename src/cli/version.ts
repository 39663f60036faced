import { version } from '../core/version.ts';
import { print, type Command } from './command.ts';

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
