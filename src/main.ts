import { fileURLToPath } from 'node:url';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { ConfigError } from './config-source.ts';
import { messageOf } from './core/failure.ts';
import { print, UsageError, type Command } from './cli/command.ts';
import { demoCommand } from './cli/demo.ts';
import { gateCommand } from './cli/gate.ts';
import { drillCommand } from './cli/drill.ts';
import { judgeCommand } from './cli/judge.ts';
import { policyCommand } from './cli/policy.ts';
import { printConfigCommand } from './cli/print-config.ts';
import { dlqCommand } from './cli/dlq.ts';
import { reportCommand } from './cli/report.ts';
import { rollbackCommand } from './cli/rollback.ts';
import { runCommand } from './cli/run.ts';
import { sqlCommand } from './cli/sql.ts';
import { validateCommand } from './cli/validate.ts';
import { verifyCommand } from './cli/verify.ts';
import { versionCommand } from './cli/version.ts';

const commands: readonly Command[] = [
  runCommand,
  demoCommand,
  sqlCommand,
  dlqCommand,
  verifyCommand,
  policyCommand,
  gateCommand,
  drillCommand,
  rollbackCommand,
  judgeCommand,
  reportCommand,
  validateCommand,
  printConfigCommand,
  versionCommand,
];

const shared = {
  config: { type: 'string', multiple: true, short: 'c' },
  help: { type: 'boolean', short: 'h' },
} as const;

const defaultConfig = fileURLToPath(new URL('../config/plimsoll.yaml', import.meta.url));

function usage(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    'Plimsoll receives OTLP spans of AI agents, keeps them in ClickHouse and tells Prometheus when a release is unsafe.',
    '',
    'Usage: plimsoll <command> [--config FILE]... [options]',
    '',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Try: plimsoll run                 start with the laptop configuration and print where to point an exporter',
    '     plimsoll <command> --help    what a command does, with examples',
  ].join('\n');
}

async function dispatch(words: readonly string[]): Promise<number> {
  const [name = '', ...rest] = words;
  if (name === '' || name === 'help' || name === '--help' || name === '-h') {
    print(usage());
    return name === '' ? 2 : 0;
  }
  const command = commands.find((known) => known.name === (name === '--version' ? 'version' : name));
  if (!command) {
    process.stderr.write(
      `plimsoll: there is no command "${name}"; try one of ${commands.map((c) => c.name).join(', ')}\n`,
    );
    return 2;
  }
  const options = { ...command.options, ...shared };
  const { values, positionals } = parsed(name, rest, options);
  if (values.help) {
    print(command.help);
    return 0;
  }
  if (positionals.length > 0 && !command.takesWords) {
    process.stderr.write(
      `plimsoll: ${name} takes no "${positionals.join(' ')}"; a configuration file is given as --config FILE\n`,
    );
    return 2;
  }
  const { config, help: _, ...own } = values;
  return command.run({ config: config ?? [defaultConfig], options: own, words: positionals });
}

/** `words` as `options` say. Throws a UsageError that names what is wrong and what there is. */
function parsed<O extends ParseArgsOptionsConfig>(name: string, words: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true });
  } catch (error) {
    const [what = ''] = messageOf(error).split(/\.\s/);
    const known = Object.entries(options).map(([option, { type }]) =>
      type === 'boolean' ? `--${option}` : `--${option}=VALUE`,
    );
    throw new UsageError(`${what}; ${name} takes ${known.join(', ')}`, { cause: error });
  }
}

/** Runs the command that `words` name and resolves with the exit code: 0 done, 1 failed, 2 not understood; says on standard error why. */
export async function main(words: readonly string[]): Promise<number> {
  try {
    return await dispatch(words);
  } catch (error) {
    const message = messageOf(error);
    const lines = error instanceof ConfigError ? message.split('\n') : [message];
    for (const line of lines) process.stderr.write(`plimsoll: ${line}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}
