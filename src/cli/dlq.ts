import { loadConfig } from '../config.ts';
import { findDeadLetter, listDeadLetters, replayDeadLetters } from '../roles/dead-letters.ts';
import { UsageError, type Command } from './command.ts';
import { letterText, listText, replayText } from './dlq-text.ts';

export const dlqCommand: Command = {
  name: 'dlq',
  summary: 'list, show and replay spans that could not be stored',
  help: `Usage: plimsoll dlq list   [--config FILE]... [--key KEY] [--reason TEXT] [--json]
       plimsoll dlq show   [--config FILE]... [--json] KEY
       plimsoll dlq replay [--config FILE]... [--key KEY] [--reason TEXT] [--json]

A span that ClickHouse refuses, or a record that nobody can read, becomes a dead letter: it goes to the stream
otlp_spans_dlq, and the store goes on. Its key says where it came from: stream, partition, offset, and index in its record.

list     the letters whose spans have no row, each once: offset among the dead letters, when and how often it was
         given up, spans, reason. As JSON, one object a line
show     one letter: the headers of its record, and its spans as OTLP/JSON; what nobody can read, in base64
replay   tries to store the letters again, each span at its own place: as often as you like, a span gets one row.
         What is refused again stays listed, with one attempt more. KPIs counted the spans when they came, and
         do not count them again. Exits with 1 when a letter stays dead

  plimsoll dlq list --config config/store.yaml --reason VIOLATED_CONSTRAINT
  plimsoll dlq show 0f3b9c5a7d12e846/0/1284/17
  plimsoll dlq replay

  --key KEY       this letter only
  --reason TEXT   letters with this in their reason only
  --json          for programs

Around Kafka it works beside the running pipeline, if the table is on a server. The embedded stream and the embedded
ClickHouse belong to one process: stop the pipeline, run the command, and start it again.`,
  options: { key: { type: 'string' }, reason: { type: 'string' }, json: { type: 'boolean' } },
  takesWords: true,
  run: async ({ config: files, options, words }) => {
    const { key, reason = '', json } = options;
    const selection = { key: key === undefined ? undefined : String(key), reason: String(reason) };
    const [what, ...more] = words;
    const isJson = json === true;
    if (what === 'show') {
      const [wanted] = more;
      if (more.length !== 1 || wanted === undefined || key !== undefined || reason !== '')
        throw new UsageError('give one key: plimsoll dlq show KEY; plimsoll dlq list tells them');
      return show(files, wanted, isJson);
    }
    if ((what !== 'list' && what !== 'replay') || more.length > 0)
      throw new UsageError(
        `dlq takes list, show KEY or replay${what === undefined ? '' : `, not "${words.join(' ')}"`}`,
      );
    return what === 'list' ? list(files, selection, isJson) : replay(files, selection, isJson);
  },
};

type Selection = Parameters<typeof listDeadLetters>[1];

async function list(files: readonly string[], selection: Selection, isJson: boolean): Promise<number> {
  const { letters, foreignRecords } = await listDeadLetters(loadConfig(files), selection);
  process.stdout.write(listText(letters, isJson));
  if (foreignRecords > 0)
    process.stderr.write(
      `plimsoll: ${foreignRecords} of the records among the dead letters are none: passed over\n`,
    );
  return 0;
}

async function show(files: readonly string[], key: string, isJson: boolean): Promise<number> {
  const found = await findDeadLetter(loadConfig(files), key);
  if (found === undefined) throw noSuchLetter(key);
  process.stdout.write(letterText(found.letter, found, isJson));
  return 0;
}

async function replay(files: readonly string[], selection: Selection, isJson: boolean): Promise<number> {
  const replayed = await replayDeadLetters(loadConfig(files), selection);
  const { stored, alreadyStored, leftToStore, stillDead } = replayed;
  if (selection.key !== undefined && stored + alreadyStored + leftToStore + stillDead.size === 0)
    throw noSuchLetter(selection.key);
  process.stdout.write(replayText(replayed, isJson));
  return stillDead.size === 0 ? 0 : 1;
}

function noSuchLetter(key: string): Error {
  return new Error(`there is no dead letter ${key}: plimsoll dlq list tells the keys`);
}
