import { loadConfig } from '../config.ts';
import { ConfigError } from '../config-source.ts';
import { configWarnings } from '../config-warnings.ts';
import { createLog } from '../core/log.ts';
import { planOf, policyFactsOf } from '../plan.ts';
import { readPolicies } from '../policy-files.ts';
import { probeClickHouse, probeStream } from '../roles/probes.ts';
import { print, type Command } from './command.ts';

export const validateCommand: Command = {
  name: 'validate',
  summary: 'check a configuration without running it',
  help: `Usage: plimsoll validate [--config FILE]... [--probe]

Reads the configuration and its policies as "run" would and prints one line per mistake: the path, what is wrong, and
the fix. Exits with 0 when it is valid, whatever the warnings, and with 1 when it is not.

  plimsoll validate --config config/plimsoll.yaml
  plimsoll validate --config config/store.yaml --probe

  --probe   also ask Kafka and the ClickHouse server that it names: can they be reached, do they accept the credentials,
            are topics and tables as they must be where there are any, do the settings of inserts hold, may the user
            insert into the tables. Nothing is made or changed, and an insert has no rows, so what the user may make
            shows at the start alone.`,
  options: { probe: { type: 'boolean' } },
  run: async ({ config, options }) => {
    const loaded = loadConfig(config);
    const plan = planOf(loaded);
    const { faults: refused, warnings } = readPolicies(plan.policies, policyFactsOf(plan));
    if (refused.length > 0)
      throw new ConfigError(refused.map((fault) => `service::policies: ${fault}`).join('\n'));
    for (const warning of configWarnings(loaded)) print(`warning: ${warning}`);
    for (const warning of warnings) print(`warning: service::policies: ${warning}`);
    print(`${config.join(', ')}: valid`);
    if (options['probe'] !== true) return 0;
    const log = createLog('warn');
    const findings = (await Promise.all([probeStream(plan, log), probeClickHouse(plan, log)])).flat();
    for (const { what, faults } of findings) {
      print(`${what}${faults.length === 0 ? ': fine' : ''}`);
      for (const fault of faults) process.stderr.write(`plimsoll: ${fault}\n`);
    }
    return findings.every(({ faults }) => faults.length === 0) ? 0 : 1;
  },
};
