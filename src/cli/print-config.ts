import { stringify } from 'yaml';
import { loadWrittenConfig } from '../config.ts';
import { print, type Command } from './command.ts';

export const printConfigCommand: Command = {
  name: 'print-config',
  summary: 'print the configuration as it would run, without secrets',
  help: `Usage: plimsoll print-config [--config FILE]...

Prints the merged configuration with the environment expanded and every default filled in, as a configuration that means
the same: "run" and "validate" take it. A secret is not shown: it stays the \${env:NAME} that it is in the files. In place
of one that a file has as text there is a variable that is named after it, and standard error says which: set it to use
what is printed. A URL that is one \${env:NAME} alone stays so, too; other URLs are shown whole: give one that is secret so.

  plimsoll print-config --config config/plimsoll.yaml --config mine.yaml > whole.yaml`,
  options: {},
  run: ({ config: files }) => {
    const { config, hidden } = loadWrittenConfig(files);
    print(stringify(config, { lineWidth: 0 }).trimEnd());
    for (const { path, variable } of hidden)
      process.stderr.write(
        `plimsoll: ${path}: stands in a file as text, which is not shown: set ${variable} to it to use what is printed\n`,
      );
    return Promise.resolve(0);
  },
};
