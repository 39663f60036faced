import { stringify } from 'yaml';
import { loadConfig } from '../config.ts';
import { print, type Command } from './command.ts';

const secretKeys = new Set(['bearer_tokens', 'content_hash_key', 'token']);

/** A configuration with every secret replaced by [REDACTED] and endpoints written as users write them. */
function presentable(value: unknown, key = ''): unknown {
  if (secretKeys.has(key)) return Array.isArray(value) ? value.map(() => '[REDACTED]') : '[REDACTED]';
  if (Array.isArray(value)) return value.map((item) => presentable(item));
  if (typeof value !== 'object' || value === null) return value;
  if ('host' in value && 'port' in value) return `${String(value.host)}:${String(value.port)}`;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== 'type')
      .map(([name, item]) => [name, presentable(item, name)]),
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
