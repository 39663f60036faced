import { Failure } from '../../src/core/failure.ts';
import {
  OwnershipLost,
  type Claim,
  type Commit,
  type NewRecord,
  type PartitionBounds,
  type Position,
  type StreamRecord,
} from '../../src/core/stream.ts';
import { isBefore, PositionSet, type Stretch } from '../../src/store/place.ts';
import { InsertRejected, type Held, type Insert, type Table } from '../../src/store/table.ts';
import { LentRecords } from '../lent-records.ts';
import { rowsOf, type TestRow } from './json-rows.ts';
import { positionsAmong } from './memory-table.ts';
import type { World } from './world.ts';

/** What may go wrong, besides what always may. A planted fault breaks an assumption of the protocol. */
export interface Hazards {
  /** One process with its own table and nobody else: a crash kills every copy, and a power cut may take parts back. */
  readonly isEmbedded: boolean;
  readonly planted?:
    | 'the acknowledged token is believed'
    | 'the attempt is not in the intent'
    | 'commits are not fenced'
    | 'the owner stays after an unknown commit'
    | 'the table checks no deadline'
    | 'deadlines are counted from the clock of the store'
    | 'the table is not verified after a power cut'
    | undefined;
}

/** A process: what it awaits never comes once it is dead, and comes late when it is stopped for a while. */
export class Life {
  readonly #world: World;
  readonly #mayStall: boolean;
  isOver = false;

  constructor(world: World, hazards: Hazards) {
    this.#world = world;
    this.#mayStall = !hazards.isEmbedded;
  }

  /** Resolves as `outcome` does, unless the process is dead by then. */
  async outlive<T>(outcome: Promise<T>): Promise<T> {
    const settled = await outcome.then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error;
      },
    );
    if (this.#mayStall && this.#world.fault(0.01)) await this.#world.turn(this.#world.pick([100, 500, 1000]));
    return this.isOver ? new Promise<T>(() => undefined) : settled();
  }
}

/** One partition, its committed position and its fence. */
export class AdversarialPartition {
  readonly records: StreamRecord[] = [];
  readonly #world: World;
  readonly #hazards: Hazards;
  committed: Commit | undefined;
  epoch = 0;

  constructor(world: World, hazards: Hazards) {
    this.#world = world;
    this.#hazards = hazards;
  }

  append(record: Omit<StreamRecord, 'offset' | 'timeMs'>): void {
    this.records.push({ ...record, offset: this.records.length, timeMs: this.#world.nowMs });
  }

  /** A claim of a new member: what older ones still send is refused from now on. */
  claim(life: Life): { readonly claim: Claim; readonly lose: () => void } {
    const staysMember = this.#hazards.planted === 'the owner stays after an unknown commit';
    if (!staysMember || this.epoch === 0) this.epoch++;
    const epoch = this.epoch;
    const lost = new AbortController();
    const guard = async (): Promise<void> => {
      await this.#world.turn();
      if (lost.signal.aborted) throw new OwnershipLost('lost');
    };
    const lose = (): void => lost.abort(new OwnershipLost('lost'));
    const memory = new LentRecords();
    const claim: Claim = {
      partition: 0,
      isAtEnd: true,
      committed: this.committed,
      lost: lost.signal,
      bounds: () =>
        life.outlive(guard().then((): PartitionBounds => ({ start: 0, end: this.records.length }))),
      read: (offset, _, waitMs) =>
        life.outlive(guard().then(async () => memory.lend(await this.#read(offset, waitMs)))),
      commit: (commit) => life.outlive(guard().then(() => this.#commit(commit, epoch, lose))),
    };
    return { claim, lose };
  }

  async #read(offset: number, waitMs: number): Promise<readonly StreamRecord[]> {
    if (this.records.length <= offset) await this.#world.turn(waitMs);
    return this.records.slice(offset, offset + 1 + this.#world.below(3));
  }

  async #commit(commit: Commit, epoch: number, lose: () => void): Promise<void> {
    const { planted } = this.#hazards;
    const isAccepted = (): boolean => epoch === this.epoch || planted === 'commits are not fenced';
    const stored =
      planted === 'the attempt is not in the intent'
        ? { ...commit, metadata: withoutIntent(commit.metadata) }
        : commit;
    const apply = (): void => {
      if (isAccepted()) this.committed = stored;
    };
    if (!this.#hazards.isEmbedded && this.#world.fault(0.1)) {
      this.#world.later(apply, this.#world.pick([0, 0, 500])); // the answer is lost; the request may arrive much later
      lose();
      throw new OwnershipLost('the outcome of a commit is unknown');
    }
    if (!isAccepted()) {
      lose();
      throw new OwnershipLost('the commit was fenced off');
    }
    apply();
    await this.#world.turn();
  }
}

function withoutIntent(metadata: string): string {
  const ledger: Readonly<Record<string, unknown>> = JSON.parse(metadata);
  return JSON.stringify({ ...ledger, intent: undefined });
}

interface Part {
  readonly token: string;
  readonly rows: readonly TestRow[];
  readonly landedMs: number;
}

/** By how many virtual milliseconds the clock of a table elsewhere may differ. */
const largestSkewMs = 2000;

/**
 * A table with every fault a MergeTree has been seen to have. Parts land date by date, each beside its token, which is
 * forgotten after `rememberMs`: as soon as the protocol allows. Where it is elsewhere its clock is another one.
 */
export class AdversarialTable {
  readonly #world: World;
  readonly #hazards: Hazards;
  readonly #rememberMs: number;
  parts: Part[] = [];
  /** Whether rows with the poison `row` are taken: somebody dropped a constraint. */
  isMended = false;
  /** Attempts of a store that were refused: it relies on it that no copy of them is taken. */
  readonly #refused = new Set<string>();
  /** Tokens with their date, oldest first. A volatile one never reached the disk. */
  #tokens: { readonly name: string; readonly isVolatile: boolean; readonly atMs: number }[] = [];
  #believed = new Map<string, TestRow>();
  #lives = 0;
  readonly #skewMs: number;

  constructor(world: World, hazards: Hazards, rememberMs: number) {
    this.#world = world;
    this.#hazards = hazards;
    this.#rememberMs = rememberMs;
    // A store that counts from its own clock never gets a row into a table whose clock is ahead: that needs no finding.
    const mayBeAhead = hazards.planted !== 'deadlines are counted from the clock of the store';
    const skewMs = world.below(2 * largestSkewMs) - largestSkewMs;
    this.#skewMs = hazards.isEmbedded ? 0 : mayBeAhead ? skewMs : -Math.abs(skewMs);
  }

  /** What this table is to one process. */
  seenBy(life: Life): Table {
    return {
      nowMs: () => this.#saidMs(),
      insert: (insert) => life.outlive(this.#insert(insert)),
      held: (_, stretch) => life.outlive(this.#held(stretch)),
      positions: (_, stretch) => life.outlive(this.#positions(stretch)),
      rowsAt: (_, positions) => life.outlive(this.#rowsAt(positions)),
      highest: (_, from) => life.outlive(this.#highest(from)),
      rederive: () => life.outlive(this.#world.turn()),
    };
  }

  get rows(): readonly TestRow[] {
    return this.parts.flatMap((part) => part.rows);
  }

  /** The server dies: every insert under way ends where it is, and tokens that never reached the disk are gone. */
  crash(): void {
    this.#lives++;
    this.#tokens = this.#tokens.filter((token) => !token.isVolatile);
  }

  /** Parts that landed within the last `withinMs` may be gone; the log of tokens is not. */
  powerCut(withinMs: number): void {
    this.crash();
    const isSafe = (part: Part): boolean =>
      part.landedMs < this.#world.nowMs - withinMs || this.#world.random() < 0.5;
    this.parts = this.parts.filter(isSafe);
  }

  get #clockMs(): number {
    return this.#world.nowMs + this.#skewMs;
  }

  /** What a process takes the table's clock for: it was asked a while ago, and never runs ahead. */
  #saidMs(): number {
    if (this.#hazards.planted === 'deadlines are counted from the clock of the store')
      return this.#world.nowMs;
    return this.#clockMs - (this.#hazards.isEmbedded ? 0 : this.#world.below(50));
  }

  async #insert(insert: Insert): Promise<void> {
    const world = this.#world;
    const body = insert.body.map((chunk) => Uint8Array.from(chunk)); // sent: what becomes of the buffers no longer matters
    const life = this.#lives;
    await world.turn();
    if (this.#hazards.isEmbedded) this.#mustLive(life); // the process that would insert is the one that died
    const hasCopy = !this.#hazards.isEmbedded && world.fault(0.1);
    if (hasCopy && world.random() < 0.7) {
      this.#run({ ...insert, body }, world.pick([0, 50, 500])).catch(() => undefined);
      throw new Error('timed out; the server goes on');
    }
    await this.#run({ ...insert, body }, 0);
    if (hasCopy) this.#run({ ...insert, body }, world.pick([0, 50, 500])).catch(() => undefined);
    if (this.#hazards.planted === 'the acknowledged token is believed')
      for (const row of rowsOf(body)) this.#believed.set(`${row.offset}.${row.index}`, row);
    if (world.fault(0.05)) throw new Error('the answer was lost');
  }

  async #run(insert: Insert, delayMs: number): Promise<void> {
    const world = this.#world;
    const life = this.#lives;
    await world.turn(delayMs);
    const rows = rowsOf(insert.body);
    this.#mustLive(life);
    if (world.fault(0.05)) throw new Error('TOO_MANY_PARTS');
    if (this.#hazards.planted !== 'the table checks no deadline' && this.#clockMs > insert.deadlineMs)
      throw new Error('the deadline passed');
    if (rows.some((row) => row.poison === 'row')) this.#refuse(insert.token);
    for (const date of new Set(rows.map((row) => row.date))) {
      // The deadline is checked where the rows are read, so a slow insert may land a little later.
      this.#land(
        insert.token,
        date,
        rows.filter((row) => row.date === date),
      );
      if (world.fault(0.05)) throw new Error('disk full between two dates');
      await world.turn();
      this.#mustLive(life);
    }
    if (rows.some((row) => row.poison === 'view')) throw new InsertRejected('a view throws');
  }

  #refuse(token: string): void {
    if (this.isMended && !this.#refused.has(token)) return;
    if (!token.includes('/replay/')) this.#refused.add(token);
    throw new InsertRejected('VIOLATED_CONSTRAINT');
  }

  #mustLive(life: number): void {
    if (this.#lives !== life) throw new Error('the connection was reset');
  }

  #land(token: string, date: string, rows: readonly TestRow[]): void {
    const name = `${token}@${date}`;
    this.#tokens = this.#tokens.filter((known) => known.atMs + this.#rememberMs > this.#world.nowMs);
    if (this.#tokens.some((known) => known.name === name)) return;
    const part = { token, rows, landedMs: this.#world.nowMs };
    if (this.#hazards.isEmbedded && this.#world.fault(0.05)) {
      this.parts.push(part); // the token is not written: the disk was full, or a newer version dies between part and token
      this.#tokens.push({ name, isVolatile: true, atMs: this.#world.nowMs });
      return;
    }
    this.#tokens.push({ name, isVolatile: false, atMs: this.#world.nowMs });
    if (this.#world.fault(0.08)) {
      if (this.#world.random() < 0.5) this.crash();
      throw new Error('died, or EIO, between token and part');
    }
    this.parts.push(part);
  }

  async #answer(): Promise<void> {
    await this.#world.turn();
    if (this.#world.fault(0.05)) throw new Failure('unavailable', 'the table is down');
  }

  #in(stretch: Stretch): readonly TestRow[] {
    const rows = [...this.rows, ...this.#believed.values()];
    return rows.filter((row) => !isBefore(row, stretch.from) && isBefore(row, stretch.to));
  }

  async #held(stretch: Stretch): Promise<Held> {
    const { rows, present } = await this.#positions(stretch);
    return { rows, positions: present.size };
  }

  async #positions(stretch: Stretch): Promise<{ readonly rows: number; readonly present: PositionSet }> {
    await this.#answer();
    const present = new PositionSet();
    const rows = this.#in(stretch);
    for (const row of rows) present.add(row.offset, row.index);
    return { rows: rows.length, present };
  }

  async #rowsAt(positions: readonly Position[]): Promise<PositionSet> {
    await this.#answer();
    return positionsAmong([...this.rows, ...this.#believed.values()], positions);
  }

  async #highest(from: Position): Promise<Position | undefined> {
    await this.#answer();
    const rows = this.rows.filter((row) => !isBefore(row, from));
    return rows.reduce<Position | undefined>(
      (highest, { offset, index }) =>
        highest === undefined || isBefore(highest, { offset, index }) ? { offset, index } : highest,
      undefined,
    );
  }
}

/** Dead letters that may fail, or arrive though they seemed to fail. */
export class AdversarialLetters {
  readonly #world: World;
  readonly records: NewRecord[] = [];
  readonly #onArrival: (records: readonly NewRecord[]) => void;

  constructor(world: World, onArrival: (records: readonly NewRecord[]) => void = () => undefined) {
    this.#world = world;
    this.#onArrival = onArrival;
  }

  seenBy(life: Life): { consume: (records: readonly NewRecord[]) => Promise<void> } {
    return { consume: (records) => life.outlive(this.#consume(records)) };
  }

  async #consume(records: readonly NewRecord[]): Promise<void> {
    await this.#world.turn();
    if (this.#world.fault(0.1)) throw new Failure('unavailable', 'the dead letters are down');
    this.records.push(...records);
    this.#onArrival(records);
    if (this.#world.fault(0.1)) throw new Failure('unavailable', 'the answer was lost');
    await this.#world.turn();
  }
}
