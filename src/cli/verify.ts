import { loadConfig } from '../config.ts';
import { verifyStored } from '../roles/verify.ts';
import { isConserved, isProven } from '../store/recount.ts';
import { UsageError, type Command } from './command.ts';
import { verifiedText } from './verify-text.ts';

/** The exit code where nothing is found missing, and something may be. */
const unproven = 3;

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'recount what became of every span that was accepted',
  help: `Usage: plimsoll verify [--config FILE]... [--partition N] [--json]

Reads the stream and compares it, partition by partition, with the table and the dead letters: every span before the
position that the store committed must have one row, or be a dead letter. Says how many were accepted, stored,
dead-lettered and are in flight, and which are missing or there twice, by offset and index (StreamOffset, StreamIndex).
Exits with 1 when any is, when the stream removed any before it was stored, or when a partition cannot be recounted. It
repairs nothing, and leaves tables that an older version made as they are.

What the stream no longer has is compared by number, with what the store counted. What cannot be proved is said, and exits
with 3 where nothing else is wrong: spans without a row that may be older than the table's TTL, or were dead letters that
are gone; records that the store has not counted. Rows of a stream that was made anew are not looked at. After a power
cut, start the pipeline before: it looks for rows of the last 15 minutes itself.

  plimsoll verify --config config/store.yaml
  plimsoll verify --config config/store.yaml --partition 3 --json

  --partition N   this partition only; the first is 0
  --json          for programs: one object a line, for each partition

Around Kafka it works beside the running pipeline, if the table is on a server, and reads the whole topic. The embedded
stream and the embedded ClickHouse belong to one process: stop the pipeline, run the command, and start it again.`,
  options: { partition: { type: 'string' }, json: { type: 'boolean' } },
  run: async ({ config: files, options }) => {
    const { partition, json } = options;
    if (partition !== undefined && !/^\d+$/.test(String(partition)))
      throw new UsageError(`--partition takes the number of a partition, such as 0, not "${partition}"`);
    let code = 0;
    const only = partition === undefined ? undefined : Number(partition);
    await verifyStored(loadConfig(files), only, (verified) => {
      if ('fault' in verified || !isConserved(verified)) code = 1;
      else if (code === 0 && !isProven(verified)) code = unproven;
      process.stdout.write(verifiedText(verified, json === true));
    });
    return code;
  },
};
