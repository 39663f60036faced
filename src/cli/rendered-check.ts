import { spawnSync } from 'node:child_process';

/** What the tools of Prometheus and Alertmanager say of rendered files, as whole sentences. */
interface Checked {
  /** What a tool refuses, in its own words. */
  readonly refusals: readonly string[];
  /** What nobody checked, because a tool is not there. */
  readonly unchecked: readonly string[];
}

/** Calls of a tool that end with 0 when it takes the files. */
interface Check {
  readonly tool: string;
  /** What it is that it checks. */
  readonly of: string;
  readonly calls: readonly (readonly string[])[];
}

/**
 * Has `promtool` and `amtool` check the files `names` in `folder`, which `policy render` wrote: rules, the tests of them,
 * the configuration of Alertmanager and its routes. A tool that is not on PATH checks nothing.
 */
export function checkRendered(folder: string, names: readonly string[]): Checked {
  const refusals: string[] = [];
  const unchecked: string[] = [];
  for (const { tool, of, calls } of checksOf(names)) {
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).error) {
      unchecked.push(`${tool} is not on PATH, so that nobody checked ${of}`);
      continue;
    }
    for (const [command = '', ...words] of calls) {
      const { status, stdout, stderr } = spawnSync(command, words, { cwd: folder, encoding: 'utf8' });
      if (status === 0) continue;
      refusals.push(`${tool} refuses ${of}: ${[command, ...words].join(' ')}\n${stdout}${stderr}`.trim());
      break;
    }
  }
  return { refusals, unchecked };
}

function checksOf(names: readonly string[]): readonly Check[] {
  const rules = names.filter((name) => name.endsWith('.rules.yaml'));
  const tests = names.filter((name) => name.endsWith('.rules.test.yaml'));
  return [
    {
      tool: 'promtool',
      of: 'the rules and their tests',
      calls: [
        ['promtool', 'check', 'rules', ...rules],
        ['promtool', 'test', 'rules', ...tests],
      ],
    },
    {
      tool: 'amtool',
      of: 'alertmanager.yaml and its routes',
      calls: [['sh', 'alertmanager.test.sh']],
    },
  ];
}
