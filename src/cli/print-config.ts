import { stringify } from 'yaml';
import { loadConfig } from '../config.ts';
import { endpointText } from '../core/listen.ts';
import { Secret } from '../core/secret.ts';
import { print, type Command } from './command.ts';

function isEndpoint(value: object): value is { host: string; port: number } {
  return (
    'host' in value && typeof value.host === 'string' && 'port' in value && typeof value.port === 'number'
  );
}

/** A configuration with every secret replaced by [REDACTED] and endpoints written as users write them. */
function presentable(value: unknown): unknown {
  if (value instanceof Secret) return String(value);
  if (Array.isArray(value)) return value.map((item) => presentable(item));
  if (typeof value !== 'object' || value === null) return value;
  if (isEndpoint(value)) return endpointText(value);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== 'type')
      .map(([name, item]) => [name, presentable(item)]),
  );
}

export const printConfigCommand: Command = {
  name: 'print-config',
  summary: 'print the configuration as it would run, secrets redacted',
  help: `Usage: plimsoll print-config [--config FILE]...

Prints the merged configuration with the environment expanded and every default filled in (durations in
milliseconds, sizes in bytes). Secrets show as [REDACTED].`,
  options: {},
  run: ({ config }) => {
    print(stringify(presentable(loadConfig(config))).trimEnd());
    return Promise.resolve(0);
  },
};
