import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import { eventLine, verifiedLines } from './chain.ts';
import type { Log } from '../core/log.ts';
import type { PlacedEvent } from './rollback-event.ts';

/** The file is not what the journal is: somebody changed one of them. The message begins with the file. */
class JournalMismatch extends Error {
  override readonly name = 'JournalMismatch';
}

/**
 * A copy of the journal as a file, one event a line, which is appended to and never changed. Whoever edits it, or the
 * journal itself, is found out when both are compared: at the start, and whenever the file is not as it was left.
 */
export class JournalFile {
  readonly #path: string;
  readonly #log: Pick<Log, 'error'>;
  /** How many events it holds, and how it was when that was so. */
  #known: { readonly events: number; readonly mark: string } | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string, log: Pick<Log, 'error'>) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * Appends those of `events`, which is the whole journal, that it does not have. Resolves with what is wrong when it has
   * something else or more. That it cannot be written is said in the log, and is no reason not to leave a bad release.
   */
  async faultAfter(events: readonly PlacedEvent[]): Promise<string | undefined> {
    try {
      await this.#inTurn(events);
      return undefined;
    } catch (error) {
      if (error instanceof JournalMismatch) return error.message;
      this.#log.error({ err: error, file: this.#path }, 'the file of rollbacks cannot be written');
      return undefined;
    }
  }

  async #inTurn(events: readonly PlacedEvent[]): Promise<void> {
    const turn = this.#turn.then(async () => this.#follow(events));
    this.#turn = turn.catch(() => undefined); // whoever asked for it is told
    return turn;
  }

  async #follow(events: readonly PlacedEvent[]): Promise<void> {
    const { length } = events; // there may be more of them when the file is written
    const isAsLeft = (await markOf(this.#path)) === this.#known?.mark;
    if (isAsLeft && this.#known?.events === length) return;
    const has = isAsLeft && this.#known ? this.#known.events : await this.#compare(events);
    const lines = events.slice(has, length).map((event) => `${eventLine(event)}\n`);
    if (lines.length > 0) await appended(this.#path, lines.join(''));
    this.#known = { events: Math.max(has, length), mark: await markOf(this.#path) };
  }

  /** How many events the file has, all of which are the journal's. A line that a crash left unfinished is cut off. */
  async #compare(events: readonly PlacedEvent[]): Promise<number> {
    const text = await textOf(this.#path);
    const lines = text.split('\n');
    const torn = lines.pop() ?? '';
    const read = verifiedLines(lines);
    if ('fault' in read) throw new JournalMismatch(`${this.#path}: ${read.fault}`);
    const { head } = read;
    if (head.seq > events.length)
      throw new JournalMismatch(
        `${this.#path}: has ${head.seq} events, and the stream of the journal only ${events.length}: the stream lost some, or is another one`,
      );
    if (head.seq > 0 && events[head.seq - 1]?.hash !== head.hash)
      throw new JournalMismatch(
        `${this.#path}: event ${head.seq} is another one than in the stream of the journal: one of them was rewritten`,
      );
    if (torn !== '') await cut(this.#path, Buffer.byteLength(text) - Buffer.byteLength(torn));
    return head.seq;
  }
}

/** What changes when the file does. */
async function markOf(path: string): Promise<string> {
  return stat(path).then(({ size, mtimeMs, ino }) => `${ino}/${size}/${mtimeMs}`, ifMissing(''));
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(ifMissing(''));
}

function ifMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return value;
    throw error;
  };
}

async function appended(path: string, text: string): Promise<void> {
  await withFile(path, 'a', async (file) => file.appendFile(text));
}

async function cut(path: string, bytes: number): Promise<void> {
  await withFile(path, 'r+', async (file) => file.truncate(bytes));
}

/** Does `work` with the file, which only its owner may read, and sees to it that that is durable. */
async function withFile(
  path: string,
  flags: string,
  work: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await work(file);
    await file.sync();
  } finally {
    await file.close();
  }
}
