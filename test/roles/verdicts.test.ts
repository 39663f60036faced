import { expect, test } from 'vitest';
import type { Standing, Verdict } from '../../src/judge/standing.ts';
import { Judge } from '../../src/judge/judge.ts';
import { nothingIgnored } from '../../src/judge/ticks.ts';
import { Verdicts } from '../../src/roles/verdicts.ts';
import { logLines } from '../rollback/log-lines.ts';

function standings(verdict: Verdict): readonly Standing[] {
  const units = { candidate: { open: 0, settled: 9 }, baseline: { open: 0, settled: 9 } };
  const named = { agent: 'refund', environment: 'production', release: 'v2', policy: 'p', revision: 'r' };
  const rest = { decidedMs: undefined, splitDispersion: undefined, splitLogEvidence: 0 };
  return [
    {
      ...named,
      ...rest,
      baseline: 'v1',
      verdict,
      action: 'none',
      isRunning: true,
      reason: 'so it is',
      startedMs: 0,
      starts: 1,
      units,
      tests: [],
    },
  ];
}

const surely = { isAssessing: () => true, isSure: () => true };

test('a verdict that is reached is logged once, and not when a process begins with it', () => {
  const { log, lines } = logLines();
  const judge = new Judge(() => undefined);
  const said = new Verdicts(judge, surely, log);
  for (const verdict of ['inconclusive', 'inconclusive', 'fail', 'fail'] as const)
    said.take({ standings: standings(verdict), ignored: nothingIgnored });
  expect(lines()).toEqual([
    expect.objectContaining({
      level: 40,
      msg: 'a release failed',
      agent: 'refund',
      environment: 'production',
      release: 'v2',
      verdict: 'fail',
      reason: 'so it is',
    }),
  ]);
  const restarted = new Verdicts(judge, surely, log);
  restarted.take({ standings: standings('fail'), ignored: nothingIgnored });
  expect(lines()).toHaveLength(1);
  said.take({ standings: standings('pass'), ignored: nothingIgnored });
  expect(lines()[1]).toMatchObject({ level: 30, msg: 'a release passed' });
});
