import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { sentenceOf } from '../core/issue-sentence.ts';
import { messageOf } from '../core/failure.ts';
import { replayTicks } from '../judge/replay.ts';
import { print, UsageError, type Command } from './command.ts';

const count = z.number().int().min(0).max(1_000_000_000);
const replayed = z.strictObject({
  prior: z.number().min(0).max(1),
  ticks: z.array(
    z
      .tuple([count, count, count, count])
      .refine(([candidates, failed]) => failed <= candidates, {
        message: 'has more failed runs of the candidate than runs: write [runs, failed, runs, failed]',
      })
      .refine(([, , baselines, failed]) => failed <= baselines, {
        message: 'has more failed runs of the baseline than runs: write [runs, failed, runs, failed]',
      }),
  ),
});

export const judgeCommand: Command = {
  name: 'judge',
  summary: 'replay counts of runs through the judge of releases',
  help: `Usage: plimsoll judge replay FILE|-

Prints the evidence that a release fails more runs than its baseline, after each tick of a minute: the natural logarithm
of the e-value, one number a line, by the code that the pipeline judges with. Evidence of ln 20 = 3.0 happens by chance
to at most 1 healthy release in 20, however long and often one looks; of ln 100 = 4.6 to 1 in 100.

FILE, or with - standard input, is JSON: the share of runs of the baseline that is expected to fail, and for each tick the runs of the release,
those of them that failed, the runs of the baseline, those of them that failed:

  {"prior": 0.08, "ticks": [[2, 1, 18, 1], [3, 2, 30, 2], [1, 1, 9, 0], [1, 0, 9, 1]]}

  plimsoll judge replay counts.json
  jq '{prior: .p, ticks: .counts}' notes.json | plimsoll judge replay -`,
  options: {},
  takesWords: true,
  run: async ({ words }) => {
    const [what, file, ...more] = words;
    if (what !== 'replay' || file === undefined || more.length > 0)
      throw new UsageError('judge takes replay FILE, or - for standard input');
    const { prior, ticks } = await read(file);
    for (const evidence of replayTicks(prior, ticks)) print(String(evidence));
    return 0;
  },
};

/** What `file` says, or standard input where it is `-`. Throws a UsageError that names it and what is wrong with it. */
async function read(file: string): Promise<z.infer<typeof replayed>> {
  const place = file === '-' ? 'standard input' : file;
  let said: unknown;
  try {
    said = JSON.parse(await (file === '-' ? text(process.stdin) : readFile(file, 'utf8')));
  } catch (error) {
    const cause = messageOf(error);
    throw new UsageError(`${place} cannot be read as JSON: ${cause}`, { cause: error });
  }
  const { data, error } = replayed.safeParse(said, { reportInput: true });
  if (data) return data;
  const [issue] = error.issues;
  throw new UsageError(`${place}: ${[issue!.path.join('::'), sentenceOf(issue!)].filter(Boolean).join(' ')}`);
}
