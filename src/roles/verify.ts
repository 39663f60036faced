import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config-schema.ts';
import { Failure } from '../core/failure.ts';
import { readLetters } from '../store/dead-letter-log.ts';
import { fromCommit } from '../store/intent.ts';
import { defaultPatience, Patience } from '../store/patience.ts';
import { PatientTable } from '../store/patient-table.ts';
import { recount, type Recount } from '../store/recount.ts';
import { atDesk } from './desk.ts';

/** What was found of one partition; or why nothing can be, because stream, commit and table do not belong together. */
export type Verified = Recount | { readonly origin: Recount['origin']; readonly fault: string };

const patience = new Patience(
  defaultPatience,
  (ms) => sleep(ms),
  (message) => `the table does not answer now (${message}): run it again`,
);

/**
 * Recounts the partitions of the stream that `config` stores, or `only` one of them, and tells each as it is done. Changes
 * nothing of what is stored. Rejects when stream or table do not answer, and when there is no partition `only`.
 */
export async function verifyStored(
  config: Config,
  only: number | undefined,
  tell: (verified: Verified) => void,
): Promise<void> {
  await atDesk(config, 'streams and table as it is', async ({ spans, deadLetters, encoder, table }) => {
    if (only !== undefined && only >= spans.partitions)
      throw new Error(
        `there is no partition ${only}: the stream has ${spans.partitions}, and the first is 0`,
      );
    const partitions = only === undefined ? Array.from({ length: spans.partitions }, (_, n) => n) : [only];
    const commits = new Map(
      await Promise.all(partitions.map(async (n) => [n, await spans.committed('store', n)] as const)),
    );
    const { start } = await deadLetters.reader(0).bounds();
    const { letters } = await readLetters(deadLetters.reader(0), start, encoder);
    for (const [partition, commit] of commits) {
      const origin = { streamId: spans.id, partition };
      const reader = spans.reader(partition);
      const parts = {
        table: new PatientTable(table, patience),
        rows: encoder.rows(origin),
        reader,
        letters: [...letters.values()],
        haveLettersGone: start > 0,
      };
      try {
        const begin = { offset: (await reader.bounds()).start, index: 0 };
        tell(await recount(parts, origin, fromCommit(commit, origin, encoder.version, begin)));
      } catch (error) {
        if (!(error instanceof Failure) || error.kind !== 'invalid') throw error;
        tell({ origin, fault: error.message });
      }
    }
  });
}
