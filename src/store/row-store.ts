import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { delayMs, type Backoff } from '../core/backoff.ts';
import type { Clock } from '../core/clock.ts';
import { Failure, messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import { OwnershipLost, type Claim, type ClaimWorker, type StreamRecord } from '../core/stream.ts';
import type { Telemetry } from '../core/telemetry.ts';
import { contentOf } from '../core/table-row.ts';
import { currentBoot } from './boot.ts';
import { Checkpoints } from './checkpoints.ts';
import { loggable } from './clickhouse-fault.ts';
import { RecordCursor } from './record-cursor.ts';
import { readRow } from './read-row.ts';
import { fromCommit, toCommit, type RowProgress } from './row-commit.ts';
import { rowTables, type RowShape } from './row-tables.ts';

/** Where rows are kept. */
export interface RowsTarget {
  /**
   * Inserts rows of `table`, one of `rowTables`, one a line, as JSON. Rejects when nobody knows what has landed, which may
   * be all or a part, also later. `signal` ends the wait for a server's answer, but neither an engine in this process nor
   * the opening of the tables.
   */
  insertRows(table: string, body: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
}

/** What the store of rows works with. */
export interface RowStoreParts {
  readonly tables: RowsTarget;
  readonly telemetry: Telemetry;
  readonly log: Log;
  readonly clock: Clock;
  /** Names the time since the machine started; `currentBoot` if it is not given. */
  readonly boot?: () => string;
  readonly settings: {
    /** How long rows wait for company, in milliseconds. */
    readonly flushIntervalMs: number;
    /** What one insert holds, about. */
    readonly limits: { readonly rows: number; readonly bytes: number };
    readonly backoff: Backoff;
    /** For how long after its commit a power cut may take a row back, in milliseconds; 0 where another machine keeps the table. */
    readonly verifyMs: number;
  };
}

/** What a record of rows holds. */
interface RecordLines {
  readonly offset: number;
  readonly table: string;
  readonly lines: Uint8Array;
}

/** The rows that come next, and the offset after them. */
interface Gathered {
  readonly records: readonly RecordLines[];
  readonly end: number;
}

const newline = 0x0a;

/**
 * The consumer that puts every row of the stream of rows into its table: it inserts some, and then commits that it has.
 * There is nothing to announce and nobody to fence: of the rows of one key the one with the greatest version stands, so
 * what is inserted twice, or late by an owner that was, changes nothing. An insert that failed is repeated until it
 * succeeds, without the lines that are no rows, which nobody can ever insert. After the machine was started anew, what a
 * power cut may have taken back is inserted again.
 */
export class RowStore {
  /** Works on one claim until it is lost or the process stops. */
  readonly worker: ClaimWorker = async (claim, stopping) => {
    const halt = AbortSignal.any([claim.lost, stopping]);
    try {
      await this.#work(claim, halt);
    } catch (error) {
      if (!(error instanceof OwnershipLost)) throw error;
    } finally {
      this.#reason = undefined;
    }
  };
  readonly #parts: RowStoreParts;
  #reason: string | undefined;

  constructor(parts: RowStoreParts) {
    this.#parts = parts;
  }

  /** What rows wait for; undefined while they flow. */
  get stall(): string | undefined {
    return this.#reason;
  }

  async #work(claim: Claim, halt: AbortSignal): Promise<void> {
    const { clock, settings, telemetry, boot: bootOf = currentBoot } = this.#parts;
    const boot = bootOf();
    const { expired, ...begun } = await progressOf(claim, boot);
    if (expired > 0) {
      await claim.commit(toCommit(begun)); // the next owner does not count them again
      this.#noteExpired(expired);
    }
    const from = begun.boot === boot || settings.verifyMs === 0 ? begun.offset : begun.settled;
    const checkpoints = new Checkpoints(settings.verifyMs);
    const cursor = new RecordCursor(claim, { offset: from, index: 0 });
    for (let next = from; !halt.aborted;) {
      const gathered = await this.#gather(cursor, next, halt);
      const { end } = gathered;
      if (end === next) continue;
      const rows = await this.#insertAll(gathered.records, halt);
      if (rows === undefined) return;
      telemetry.count('plimsoll_store_run_rows_total', rows, {});
      const settled = checkpoints.settled({ offset: end, index: 0 }, clock.nowMs())?.offset ?? begun.settled;
      await claim.commit(toCommit({ offset: end, settled, boot }));
      next = end;
    }
  }

  /** The next rows: as many as go into one insert, or what came until the first of them has waited long enough. */
  async #gather(cursor: RecordCursor, from: number, halt: AbortSignal): Promise<Gathered> {
    const { flushIntervalMs, limits } = this.#parts.settings;
    const records: RecordLines[] = [];
    let [rows, bytes, end] = [0, 0, from];
    let sinceMs = performance.now();
    while (!halt.aborted && rows < limits.rows && bytes < limits.bytes) {
      const leftMs = flushIntervalMs - (performance.now() - sinceMs);
      if (leftMs <= 0) break;
      const record = await cursor.peek(leftMs);
      if (record === undefined) continue;
      if (isNewer(record)) {
        if (end > from) break; // what came before it is stored first
        throw newerVersion(record);
      }
      if (end === from) sinceMs = performance.now();
      this.#noteExpired(record.offset - end);
      end = record.offset + 1;
      const table = this.#tableOf(record);
      if (table !== undefined) {
        records.push({ offset: record.offset, table, lines: Buffer.from(record.payload) }); // beyond the next read
        bytes += record.payload.length;
        rows += linesOf(record.payload);
      }
      cursor.advance();
    }
    return { records, end };
  }

  #noteExpired(records: number): void {
    if (records === 0) return;
    this.#parts.telemetry.count('plimsoll_store_expired_records_total', records, {});
    this.#parts.log.error({ records }, 'retention removed records of rows before they were stored');
  }

  /** The table of the rows in `record`; undefined when none of this version is theirs, so that they are left out. */
  #tableOf({ offset, headers, payload }: StreamRecord): string | undefined {
    const content = contentOf(headers);
    if (content !== undefined && rowTables.has(content.table)) return content.table;
    this.#noteUnreadable(offset, linesOf(payload), content?.text);
    return undefined;
  }

  /** Inserts the rows of `records`, those of each table at once. Returns how many it was; undefined when `halt` aborts before. */
  async #insertAll(records: readonly RecordLines[], halt: AbortSignal): Promise<number | undefined> {
    let rows = 0;
    for (const [table, shape] of rowTables) {
      const inserted = await this.#insert(table, shape, records, halt);
      if (inserted === undefined) return undefined;
      rows += inserted;
    }
    return rows;
  }

  /** Inserts those of `records` that are of `table`, however often that is to be tried. */
  async #insert(
    table: string,
    shape: RowShape,
    records: readonly RecordLines[],
    halt: AbortSignal,
  ): Promise<number | undefined> {
    const { tables, log, settings } = this.#parts;
    let lines = records.filter((record) => record.table === table);
    let rows = rowsOf(lines);
    for (let attempt = 0; rows > 0; attempt++) {
      if (halt.aborted) return undefined;
      try {
        await tables.insertRows(
          table,
          lines.map((record) => record.lines),
          halt,
        );
        break;
      } catch (error) {
        if (halt.aborted) return undefined;
        this.#reason = messageOf(error);
        const waitMs = delayMs(settings.backoff, attempt, Math.random());
        log.warn({ ...loggable(error), table, waitMs }, 'the store of rows waits for the table');
        if (attempt === 0) lines = await this.#readable(shape, lines); // only now: it costs more than an insert does
        rows = rowsOf(lines);
        await sleep(waitMs, undefined, { signal: halt }).catch(() => undefined); // an abort ends the wait
      }
    }
    this.#reason = undefined;
    return rows;
  }

  /** `records` of a table of `shape` without the lines that are no rows of it, whose insert fails whenever it is tried. */
  async #readable(shape: RowShape, records: readonly RecordLines[]): Promise<RecordLines[]> {
    const readable: RecordLines[] = [];
    for (const { offset, table, lines } of records) {
      const said = Buffer.from(lines).toString().split('\n').filter(Boolean);
      const read = said.map((line) => readRow(line, shape)).filter((row) => row !== undefined);
      this.#noteUnreadable(offset, said.length - read.length, table);
      readable.push({ offset, table, lines: Buffer.from(read.map((row) => `${row}\n`).join('')) });
      await immediate(); // others have a turn between two records
    }
    return readable;
  }

  #noteUnreadable(offset: number, lines: number, content: string | undefined): void {
    if (lines === 0) return;
    this.#parts.telemetry.count('plimsoll_store_unreadable_run_rows_total', lines, {});
    this.#parts.log.error(
      { offset, lines, content },
      'lines of a record of rows are no rows of a table of this version and are left out',
    );
  }
}

/**
 * What the group has committed, in terms of what the stream still has, and how many records beyond it have expired; in this
 * `boot` nothing yet where there is no commit.
 */
async function progressOf(claim: Claim, boot: string): Promise<RowProgress & { readonly expired: number }> {
  const { start, end } = await claim.bounds();
  const { committed } = claim;
  // A commit beyond the end is that of a stream which was created anew.
  if (committed === undefined || committed.position.offset > end)
    return { offset: start, settled: start, boot, expired: 0 };
  const { offset, settled, ...rest } = fromCommit(committed);
  return {
    offset: Math.max(start, offset),
    settled: Math.max(start, settled),
    expired: Math.max(0, start - offset),
    ...rest,
  };
}

/** Whether a newer version wrote the record: it holds rows of a table that nobody here knows, or in a form that nobody can read. */
function isNewer({ headers }: StreamRecord): boolean {
  const content = contentOf(headers);
  return content !== undefined && (content.isNewer || !rowTables.has(content.table));
}

function newerVersion({ offset, headers }: StreamRecord): Failure {
  return new Failure(
    'invalid',
    `the record at offset ${offset} of the stream of rows is ${contentOf(headers)?.text}, which this version cannot read: run the version that wrote it, and upgrade store before assess`,
  );
}

function rowsOf(records: readonly RecordLines[]): number {
  return records.reduce((rows, { lines }) => rows + linesOf(lines), 0);
}

/** Also a last one that does not end. */
function linesOf(payload: Uint8Array): number {
  let lines = 0;
  for (let at = payload.indexOf(newline); at >= 0; at = payload.indexOf(newline, at + 1)) lines++;
  return payload.length > 0 && payload.at(-1) !== newline ? lines + 1 : lines;
}
