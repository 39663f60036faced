import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../core/failure.ts';
import type { PartitionReader, Stream, StreamRecord } from '../core/stream.ts';
import { eventAfter, eventLine, genesis, hashOf, type ChainHead } from './chain.ts';
import { RollbackBook } from './rollback-book.ts';
import {
  placedEvent,
  readEvent,
  type EventBody,
  type JournalEvent,
  type PlacedEvent,
} from './rollback-event.ts';

/** What is needed of the stream that holds the journal: partition 0 of it. */
export type JournalStream = Pick<Stream, 'consume' | 'reader'>;

/** Marks what is an event of the journal; other records on its stream are nobody's. */
const headers = { 'plimsoll.content': 'rollback_events/1' };

const readBytes = 1024 * 1024;
const readWaitMs = 200;
const appendMs = 30_000;
/** Reads that find nothing of what was just appended, before nobody knows where it is. */
const limitReads = 50;
/** Others that append at the same time may win so often. */
const limitLosses = 20;

/**
 * The journal of rollbacks: events on a stream, each with the hash of the one before. Of several that were appended after
 * the same event, by processes that did not know of each other, the first stands and the others are void: so whoever
 * decided by an old state has not decided.
 */
export class Journal {
  readonly #stream: JournalStream;
  readonly #nowMs: () => number;
  readonly #told: (event: JournalEvent, aheadMs: number) => void;
  readonly #appended: (event: JournalEvent) => void;
  readonly book = new RollbackBook();
  readonly #events: PlacedEvent[] = [];
  #reader: PartitionReader | undefined;
  #offset = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #fault: string | undefined;
  #voids = 0;
  #latestMs = 0;

  /**
   * `told` hears of every event of the chain once, in order, and how far its time lies after now; `appended` of those that
   * this process appended, of all processes once.
   */
  constructor(
    stream: JournalStream,
    nowMs: () => number,
    told: (event: JournalEvent, aheadMs: number) => void,
    appended: (event: JournalEvent) => void = () => undefined,
  ) {
    this.#stream = stream;
    this.#nowMs = nowMs;
    this.#told = told;
    this.#appended = appended;
  }

  get head(): ChainHead {
    return this.#events.at(-1) ?? genesis;
  }

  /** All of the chain that was read. */
  get events(): readonly PlacedEvent[] {
    return this.#events;
  }

  /** Why nothing may be decided by this journal, for good: it was tampered with, or is a newer version's. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Events that came too late, so that they are no part of the chain. */
  get voids(): number {
    return this.#voids;
  }

  /** Reads what was appended until now. Rejects with a Failure when the stream does not answer. */
  async catchUp(): Promise<void> {
    await this.#inTurn(async () => this.#readToEnd());
  }

  /**
   * Appends what `decide` makes of the book as it is then; nothing when that is undefined. Asks again when somebody else
   * was faster. Resolves when the event is in the chain, durably. Rejects with a Failure when that is not known: asked
   * again, `decide` sees what became of it.
   */
  async append(decide: (book: RollbackBook) => EventBody | undefined): Promise<JournalEvent | undefined> {
    return this.#inTurn(async () => {
      await this.#readToEnd();
      for (let losses = 0; losses < limitLosses; losses++) {
        if (this.#fault !== undefined) throw new Failure('unavailable', this.#fault);
        const body = decide(this.book);
        if (!body) return undefined;
        const event = eventAfter(this.head, body, this.#nowMs());
        await this.#send(event);
        await this.#readPast(event);
        if (this.#events[event.seq - 1]?.hash !== event.hash) continue;
        this.#appended(event);
        return event;
      }
      throw new Failure('unavailable', 'others append to the journal of rollbacks all the time');
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  get #from(): PartitionReader {
    return (this.#reader ??= this.#stream.reader(0));
  }

  async #send(event: JournalEvent): Promise<void> {
    const payload = Buffer.from(eventLine(event));
    const record = { partition: 0, payload, spans: 0, headers };
    await this.#stream.consume([record], AbortSignal.timeout(appendMs));
  }

  async #readToEnd(): Promise<void> {
    const { start, end } = await this.#from.bounds();
    if (start > this.#offset) {
      this.#fault ??= `the journal of rollbacks lost its first ${start} records: its stream must keep everything`;
      this.#offset = start;
    }
    for (let empty = 0; this.#offset < end;) {
      if (await this.#read()) continue;
      if (this.#from.isAtEnd) return; // what is left before `end` are no records
      if (++empty === limitReads) throw new Failure('unavailable', 'the journal of rollbacks cannot be read');
    }
  }

  async #readPast(event: JournalEvent): Promise<void> {
    for (let empty = 0; empty < limitReads; empty++) {
      if (this.head.seq >= event.seq || this.#fault !== undefined) return;
      if (!(await this.#read())) await sleep(1);
      else empty--;
    }
    throw new Failure('unavailable', 'an event was appended to the journal of rollbacks and cannot be read');
  }

  /** Takes some records; false when none came. */
  async #read(): Promise<boolean> {
    const records = await this.#from.read(this.#offset, readBytes, readWaitMs);
    for (const record of records) {
      this.#take(record);
      this.#offset = record.offset + 1;
    }
    return records.length > 0;
  }

  #take({ payload, offset, ...record }: StreamRecord): void {
    if (record.headers['plimsoll.content'] !== headers['plimsoll.content']) return;
    const event = placedEvent(Buffer.from(payload).toString('utf8'));
    const { head } = this;
    if (!event || event.hash !== hashOf(event))
      this.#fault ??= `record ${offset} of the journal of rollbacks is not what its hash says: it was edited`;
    else if (event.seq === head.seq + 1 && event.prev === head.hash) this.#accept(event);
    else if (event.seq <= head.seq && event.prev === (this.#events[event.seq - 2] ?? genesis).hash)
      this.#voids++;
    else
      this.#fault ??= `event ${event.seq} of the journal of rollbacks follows none that is there: events are missing`;
  }

  #accept(placed: PlacedEvent): void {
    this.#events.push(placed);
    const event = readEvent(placed);
    if (!event) {
      this.#fault ??= `event ${placed.seq} of the journal of rollbacks was written by a newer version: use that`;
      return;
    }
    const nowMs = this.#nowMs();
    this.book.apply({ ...event, timeMs: this.#ownTimeMs(event, nowMs) });
    this.#told(event, Math.max(0, event.timeMs - nowMs));
  }

  /**
   * When an event was, for those who count from then on. Clocks of others may be wrong: what they say is in the future is
   * now, when this process reads it first, and nothing is before the events before it, except for those.
   */
  #ownTimeMs({ timeMs }: PlacedEvent, nowMs: number): number {
    if (timeMs > nowMs) return nowMs;
    this.#latestMs = Math.max(this.#latestMs, timeMs);
    return Math.min(this.#latestMs, nowMs);
  }
}
