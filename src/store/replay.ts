import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type { Claim, Position, StreamRecord } from '../core/stream.ts';
import { undecodableReason, type RowEncoder, type Rows } from './block.ts';
import {
  isSelected,
  openFrom,
  readLetters,
  rowless,
  type Letter,
  type Selection,
} from './dead-letter-log.ts';
import { letterKey, type DeadLetter, type DeadLetters } from './dead-letters.ts';
import { defaultPatience, Patience, type PatienceSettings } from './patience.ts';
import { isBefore, type Origin } from './place.ts';
import { recordsBefore } from './record-cursor.ts';
import { InsertRejected, type Table } from './table.ts';

/** What a replay works with. */
export interface ReplayParts {
  readonly table: Table;
  readonly encoder: RowEncoder;
  readonly deadLetters: DeadLetters;
  /** The id of the stream that the dead letters are. */
  readonly streamId: string;
  /** Up to which position of `origin` the store is done: what comes after, it may still insert itself at any moment. */
  readonly storeIsPast: (origin: Origin) => Promise<Position>;
  readonly clock: Clock;
  /** Resolves after `ms`. */
  readonly pause: (ms: number) => Promise<void>;
  readonly log: Log;
  readonly settings: ReplaySettings;
}

export interface ReplaySettings extends PatienceSettings {
  /** How long after it was sent an insert may still land, in milliseconds. */
  readonly insertDeadlineMs: number;
  /** How many letters, and bytes of letters, are held at once. */
  readonly letters: number;
  readonly bytes: number;
}

export const defaultReplaySettings: ReplaySettings = {
  insertDeadlineMs: 5 * 60_000,
  ...defaultPatience,
  letters: 500,
  bytes: 16 * 1024 * 1024,
};

/** What became of the letters of a replay; each is counted once. */
export interface Replayed {
  /** Have their rows now. */
  readonly stored: number;
  /** Had their rows before. */
  readonly alreadyStored: number;
  /** Are not the replay's: the store has not gone past them, and may still store them itself. */
  readonly leftToStore: number;
  /** How many are still dead, by the reason. */
  readonly stillDead: ReadonlyMap<string, number>;
}

/** A letter that is being replayed. */
interface Held {
  readonly letter: Letter;
  readonly record: StreamRecord;
  /** Its spans without a row, when the table was last asked, as their indexes in the record the letter comes from. */
  missing: ReadonlySet<number>;
  /** Whether it had all its rows from the first. */
  hadRows: boolean;
  /** Whether what views keep of its rows may be missing. */
  isDoubtful: boolean;
  /** Why it is still dead. */
  reason: string;
}

/** One span to insert, alone: so every replay uses the same tokens in the same order, whatever else it replays. */
interface Trial {
  readonly held: Held;
  /** Of the span in the record that the letter comes from. */
  readonly index: number;
  readonly attempt: number;
  /** Why the table refused it. */
  readonly refusal: string | undefined;
}

/** An insert may be acknowledged so often without its rows being there. */
const mostAttempts = 8;

/**
 * Puts what dead letters hold into the table, at the places where their spans come from, so that it does not matter how
 * often, by how many, or how far they were replayed before. A letter is dead as long as a span of it has no row: the
 * table is the truth.
 *
 * The table is asked first. An insert has a token made of the letter's key and an attempt; the next attempt is made
 * only when this one was acknowledged and the table, asked again, does not have the rows, because it remembers the token of
 * rows that a crash took. So a late copy of any insert, also of a replay that is gone, meets a token that is known.
 *
 * A letter that is still dead is sent again, with one attempt more. Committed is the place of the first letter that
 * neither has its rows nor was sent again: nobody needs what is before it.
 */
export class Replay {
  readonly #parts: ReplayParts;
  readonly #claim: Claim;
  readonly #patience: Patience;
  readonly #rows = new Map<string, Rows>();
  readonly #pastOf = new Map<string, Position>();
  /** Where the letters are that neither have their rows nor were sent again, in their order. */
  readonly #open = new Map<string, number>();
  readonly #replayed = { stored: 0, alreadyStored: 0, leftToStore: 0, stillDead: new Map<string, number>() };
  #committed: number;
  #askedMs = 0;
  #failures = 0;

  /** A replay of the dead letters of `claim`; it runs once. */
  constructor(parts: ReplayParts, claim: Claim) {
    this.#parts = parts;
    this.#claim = claim;
    this.#patience = new Patience(
      parts.settings,
      parts.pause,
      (message) =>
        `the table does not take the letters now (${message}): run it again, what is stored stays stored`,
    );
    this.#committed = openFrom(claim.committed, parts.streamId);
  }

  /** Rejects when the table or the stream does not answer; what was done until then stays done. */
  async run(selection: Selection): Promise<Replayed> {
    const { encoder, settings } = this.#parts;
    const from = this.#committed;
    const { letters, end } = await readLetters(this.#claim, from, encoder);
    for (const { key, offset } of letters.values()) this.#open.set(key, offset);
    const newest = new Map([...letters.values()].map((letter) => [letter.offset, letter]));
    let batch: Held[] = [];
    let bytes = 0;
    for await (const record of recordsBefore(this.#claim, from, end)) {
      const letter = newest.get(record.offset);
      if (letter === undefined || !isSelected(letter, selection)) continue;
      batch.push(heldOf(letter, record));
      bytes += record.payload.length;
      if (batch.length < settings.letters && bytes < settings.bytes) continue;
      await this.#replay(batch, end);
      [batch, bytes] = [[], 0];
    }
    await this.#replay(batch, end);
    return this.#replayed;
  }

  async #replay(batch: readonly Held[], end: number): Promise<void> {
    const tried: Held[] = [];
    for (const held of batch)
      if (await this.#isStoreDone(held.letter)) tried.push(held);
      else this.#replayed.leftToStore++;
    await this.#ask(tried);
    for (const held of tried) held.hadRows = held.missing.size === 0;
    for (let trials = tried.flatMap((held) => this.#trialsOf(held)); trials.length > 0;) {
      const made: Trial[] = [];
      for (const trial of trials) made.push(await this.#insert(trial));
      await this.#ask([...new Set(made.map(({ held }) => held))]);
      trials = made.filter(isToRepeat);
    }
    for (const held of tried) if (held.missing.size === 0) await this.#settle(held);
    await this.#sendAgain(tried.filter(({ missing }) => missing.size > 0));
    await this.#commit(end);
  }

  /** Whether the store has gone past every span of `letter`. */
  async #isStoreDone({ origin, position, readableSpans = 1 }: Letter): Promise<boolean> {
    const place = `${origin.streamId}/${origin.partition}`;
    const past = this.#pastOf.get(place) ?? (await this.#parts.storeIsPast(origin));
    this.#pastOf.set(place, past);
    return isBefore({ offset: position.offset, index: position.index + readableSpans - 1 }, past);
  }

  async #ask(some: readonly Held[]): Promise<void> {
    const letters = some.map(({ letter }) => letter);
    const { askedMs, missing } = await this.#persist(async () => ({
      askedMs: this.#parts.table.nowMs(),
      missing: await rowless(this.#parts.table, letters),
    }));
    this.#askedMs = askedMs;
    for (const held of some) held.missing = new Set(missing.get(held.letter));
  }

  #trialsOf(held: Held): readonly Trial[] {
    if (held.missing.size > 0 && this.#read(held) === undefined) return [];
    return [...held.missing].map((index) => ({ held, index, attempt: 1, refusal: undefined }));
  }

  /** The rows to fill with spans of `held`, which are read; undefined when none can have a row. */
  #read(held: Held): Rows | undefined {
    const { letter, record } = held;
    const { origin, position, recordTimeMs } = letter;
    const place = `${origin.streamId}/${origin.partition}`;
    const rows = this.#rows.get(place) ?? this.#parts.encoder.rows(origin);
    this.#rows.set(place, rows);
    rows.reset();
    try {
      if (rows.read({ ...record, offset: position.offset, timeMs: recordTimeMs }) > 0) return rows;
      held.reason = rows.leftOut.map(({ reason }) => reason).join('; ');
      return undefined;
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'invalid') throw error;
      held.reason = `${undecodableReason}: ${error.message}`;
      return undefined;
    }
  }

  /** Inserts a span once; returns what is to be tried next if the table then does not have it. */
  async #insert(trial: Trial): Promise<Trial> {
    const { held, index, attempt } = trial;
    const { origin, position } = held.letter;
    const { table, settings } = this.#parts;
    this.#claim.lost.throwIfAborted();
    const rows = this.#read(held);
    rows?.append(index - position.index, index);
    const insert = {
      origin,
      body: rows?.finish() ?? [],
      token: `${letterKey(origin, { offset: position.offset, index })}/replay/${attempt}`,
      deadlineMs: this.#askedMs + settings.insertDeadlineMs,
      signal: this.#claim.lost,
    };
    try {
      await table.insert(insert);
      this.#failures = 0;
      return { ...trial, attempt: attempt + 1 };
    } catch (error) {
      held.isDoubtful = true;
      if (error instanceof InsertRejected) {
        this.#failures = 0;
        return { ...trial, refusal: error.message };
      }
      this.#rows.clear(); // the insert may still be reading them
      await this.#patience.wait(error, this.#failures++);
      return trial;
    }
  }

  async #settle(held: Held): Promise<void> {
    const { key, origin, position, readableSpans = 1 } = held.letter;
    if (held.hadRows) this.#replayed.alreadyStored++;
    else this.#replayed.stored++;
    if (held.hadRows || held.isDoubtful) {
      const to = { offset: position.offset, index: position.index + readableSpans };
      await this.#persist(() => this.#parts.table.rederive(origin, { from: position, to }));
    }
    this.#open.delete(key);
  }

  /** Sends what is still dead once more; where that fails the letters stay open as they were. */
  async #sendAgain(dead: readonly Held[]): Promise<void> {
    const { deadLetters, clock, log } = this.#parts;
    for (const { reason } of dead)
      this.#replayed.stillDead.set(reason, (this.#replayed.stillDead.get(reason) ?? 0) + 1);
    const places = Map.groupBy(dead, ({ letter: { origin } }) => `${origin.streamId}/${origin.partition}`);
    for (const some of places.values()) {
      const [first] = some;
      if (first === undefined) continue;
      const giver = { part: 'replay', nowMs: clock.nowMs() } as const;
      try {
        await deadLetters.send(first.letter.origin, some.map(letterOf), giver, this.#claim.lost);
        for (const { letter } of some) this.#open.delete(letter.key);
      } catch (error) {
        log.warn({ letters: some.length, err: error }, 'an attempt at dead letters could not be noted');
      }
    }
  }

  async #commit(end: number): Promise<void> {
    const [offset = end] = this.#open.values();
    if (offset <= this.#committed) return;
    await this.#claim.commit({ position: { offset, index: 0 }, metadata: this.#parts.streamId });
    this.#committed = offset;
  }

  async #persist<T>(work: () => Promise<T>): Promise<T> {
    return this.#patience.persist(work, this.#claim.lost);
  }
}

function heldOf(letter: Letter, record: StreamRecord): Held {
  const kept = { ...record, payload: Buffer.from(record.payload) }; // beyond the next read
  return { letter, record: kept, missing: new Set(), hadRows: false, isDoubtful: false, reason: '' };
}

/** Whether a span that was tried is to be tried again, now that the table was asked. */
function isToRepeat({ held, index, attempt, refusal }: Trial): boolean {
  if (!held.missing.has(index)) return false;
  if (refusal === undefined && attempt <= mostAttempts) return true;
  held.reason = refusal ?? 'the table acknowledged its row and does not have it';
  return false;
}

function letterOf({ letter, record, reason }: Held): DeadLetter {
  const { position, recordTimeMs, attempt } = letter;
  return {
    record: { offset: position.offset, timeMs: recordTimeMs, headers: record.headers },
    index: position.index,
    payload: record.payload,
    spans: record.spans,
    reason,
    attempt: attempt + 1,
  };
}
