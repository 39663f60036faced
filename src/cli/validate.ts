import { loadConfig } from '../config.ts';
import { print, type Command } from './command.ts';

export const validateCommand: Command = {
  name: 'validate',
  summary: 'check a configuration without running it',
  help: `Usage: plimsoll validate [--config FILE]...

Reads the configuration as "run" would and prints one line per mistake: the path, what is wrong, and the fix.
Exits with 0 when it is valid and with 1 when it is not.

  plimsoll validate --config config/plimsoll.yaml`,
  options: {},
  run: ({ config }) => {
    loadConfig(config);
    print(`${config.join(', ')}: valid`);
    return Promise.resolve(0);
  },
};
