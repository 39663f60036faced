import { setTimeout as sleep } from 'node:timers/promises';
import { delayMs, type Backoff } from '../core/backoff.ts';
import type { Clock } from '../core/clock.ts';
import { Failure, messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import { OwnershipLost, type Claim, type ClaimWorker, type StreamRecord } from '../core/stream.ts';
import type { Telemetry } from '../core/telemetry.ts';
import { runContent } from '../runs/run-row.ts';
import { currentBoot } from './boot.ts';
import { Checkpoints } from './checkpoints.ts';
import { RecordCursor } from './record-cursor.ts';
import { fromCommit, toCommit, type RunProgress } from './run-commit.ts';

/** Where runs are kept. */
export interface RunsTable {
  /**
   * Inserts rows of `agent_runs`, one a line, as JSON. Rejects when nobody knows what has landed, which may be all or a
   * part, also later; rejects at once when `signal` aborts.
   */
  insertRuns(body: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
}

/** What the store of runs works with. */
export interface RunStoreParts {
  readonly table: RunsTable;
  readonly telemetry: Telemetry;
  readonly log: Log;
  readonly clock: Clock;
  /** Names the time since the machine started; `currentBoot` if it is not given. */
  readonly boot?: () => string;
  readonly settings: {
    /** How long runs wait for company, in milliseconds. */
    readonly flushIntervalMs: number;
    /** What one insert holds, about. */
    readonly limits: { readonly rows: number; readonly bytes: number };
    readonly backoff: Backoff;
    /** For how long after its commit a power cut may take a row back, in milliseconds; 0 where another machine keeps the table. */
    readonly verifyMs: number;
  };
}

/** Rows on their way to the table, and the offset after them. */
interface Gathered {
  readonly body: readonly Uint8Array[];
  readonly rows: number;
  readonly end: number;
}

const newline = 0x0a;

/**
 * The consumer that puts every run of the stream of runs into its table: it inserts some, and then commits that it has.
 * There is nothing to announce and nobody to fence: of the rows of a run the one with the greatest version stands, so
 * what is inserted twice, or late by an owner that was, changes nothing. An insert that failed is repeated until it
 * succeeds; nothing is skipped. After the machine was started anew, what a power cut may have taken back is inserted again.
 */
export class RunStore {
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
  readonly #parts: RunStoreParts;
  #reason: string | undefined;

  constructor(parts: RunStoreParts) {
    this.#parts = parts;
  }

  /** What runs wait for; undefined while they flow. */
  get stall(): string | undefined {
    return this.#reason;
  }

  async #work(claim: Claim, halt: AbortSignal): Promise<void> {
    const { clock, settings, telemetry, boot: bootOf = currentBoot } = this.#parts;
    const boot = bootOf();
    const begun = await progressOf(claim, boot);
    const from = begun.boot === boot || settings.verifyMs === 0 ? begun.offset : begun.settled;
    const checkpoints = new Checkpoints(settings.verifyMs);
    const cursor = new RecordCursor(claim, { offset: from, index: 0 });
    for (let next = from; !halt.aborted;) {
      const { body, rows, end } = await this.#gather(cursor, next, halt);
      if (end === next) continue;
      if (rows > 0 && !(await this.#insert(body, halt))) return;
      telemetry.count('plimsoll_store_run_rows_total', rows, {});
      const settled = checkpoints.settled({ offset: end, index: 0 }, clock.nowMs())?.offset ?? begun.settled;
      await claim.commit(toCommit({ offset: end, settled, boot }));
      next = end;
    }
  }

  /** The next rows: as many as go into one insert, or what came until the first of them has waited long enough. */
  async #gather(cursor: RecordCursor, from: number, halt: AbortSignal): Promise<Gathered> {
    const { flushIntervalMs, limits } = this.#parts.settings;
    const body: Uint8Array[] = [];
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
      if (this.#isOurs(record)) {
        body.push(Buffer.from(record.payload)); // beyond the next read
        bytes += record.payload.length;
        rows += linesOf(record.payload);
      }
      cursor.advance();
    }
    return { body, rows, end };
  }

  #noteExpired(records: number): void {
    if (records === 0) return;
    this.#parts.telemetry.count('plimsoll_store_expired_records_total', records, {});
    this.#parts.log.error({ records }, 'retention removed records of runs before they were stored');
  }

  #isOurs({ offset, headers }: StreamRecord): boolean {
    const content = headers[runContent.header];
    if (content === runContent.value) return true;
    this.#parts.log.error({ offset, content }, 'a record among the runs is none of ours and is left out');
    return false;
  }

  /** Inserts `body`, however often that is to be tried. False when `halt` aborts before. */
  async #insert(body: readonly Uint8Array[], halt: AbortSignal): Promise<boolean> {
    const { table, log, settings } = this.#parts;
    for (let attempt = 0; !halt.aborted; attempt++) {
      try {
        await table.insertRuns(body, halt);
        this.#reason = undefined;
        return true;
      } catch (error) {
        if (halt.aborted) break;
        this.#reason = messageOf(error);
        const waitMs = delayMs(settings.backoff, attempt, Math.random());
        log.warn({ err: error, waitMs }, 'the store of runs waits for the table');
        await sleep(waitMs, undefined, { signal: halt }).catch(() => undefined); // an abort ends the wait
      }
    }
    return false;
  }
}

/** What the group has committed, in terms of what the stream still has; in this `boot` nothing yet where there is no commit. */
async function progressOf(claim: Claim, boot: string): Promise<RunProgress> {
  const { start, end } = await claim.bounds();
  const { committed } = claim;
  // A commit beyond the end is that of a stream which was created anew.
  if (committed === undefined || committed.position.offset > end)
    return { offset: start, settled: start, boot };
  const { offset, settled, ...rest } = fromCommit(committed);
  return { offset: Math.max(start, offset), settled: Math.max(start, settled), ...rest };
}

/** Whether a newer version wrote the record: it holds runs, and nobody here can read them. */
function isNewer({ headers }: StreamRecord): boolean {
  const content = headers[runContent.header] ?? '';
  return content !== runContent.value && content.startsWith('agent_runs/');
}

function newerVersion({ offset, headers }: StreamRecord): Failure {
  const content = headers[runContent.header];
  return new Failure(
    'invalid',
    `the record at offset ${offset} of the stream of runs is ${content} and this version reads ${runContent.value}: run the version that wrote it`,
  );
}

function linesOf(payload: Uint8Array): number {
  let lines = 0;
  for (let at = payload.indexOf(newline); at >= 0; at = payload.indexOf(newline, at + 1)) lines++;
  return lines;
}
