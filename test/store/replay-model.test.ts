import * as fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { Claim, NewRecord, PartitionReader } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import type { RowEncoder } from '../../src/store/block.ts';
import { readLetters, rowless, type Selection } from '../../src/store/dead-letter-log.ts';
import { DeadLetters, letterKey } from '../../src/store/dead-letters.ts';
import { fromCommit } from '../../src/store/intent.ts';
import { PositionSet } from '../../src/store/place.ts';
import { defaultReplaySettings, Replay } from '../../src/store/replay.ts';
import { Store } from '../../src/store/store.ts';
import type { Table } from '../../src/store/table.ts';
import { runs } from '../property-runs.ts';
import {
  AdversarialLetters,
  AdversarialPartition,
  AdversarialTable,
  Life,
  type Hazards,
} from './adversary.ts';
import { jsonEncoder, payloadOf, undecodablePayload, type TestSpan } from './json-rows.ts';
import { recount } from './recount.ts';
import { World } from './world.ts';

/** In virtual milliseconds: an action takes 0 to 9. */
const insertDeadlineMs = 200;
const verifyMs = 400;
const rememberMs = 20 * insertDeadlineMs;
const origin = { streamId: 'stream', partition: 0 };
const silent = pino({ level: 'silent' });
const everything: Selection = { key: undefined, reason: '' };

/** An assumption of the replay, broken. */
type Planted =
  | 'an acknowledgement is believed'
  | 'tokens are made anew by each replay'
  | 'the table is not asked first'
  | 'the store is not waited for'
  | 'a replay commits what is still dead';

interface Verdict {
  /** Spans that have no row and are in no letter that is listed. */
  readonly lost: number;
  /** Spans with more than one row, or with a row and in a letter that is listed for them. */
  readonly duplicated: number;
  readonly miscounted: string;
}

/** A store that buries what the table refuses, replays of its dead letters, and an operator who may mend the table at any time. */
class Model {
  readonly #world: World;
  readonly #hazards: Hazards;
  readonly #planted: Planted | undefined;
  readonly #spans: AdversarialPartition;
  readonly #dead: AdversarialPartition;
  readonly #table: AdversarialTable;
  readonly #letters: AdversarialLetters;
  readonly #records: number;
  readonly #replays: number;
  #replaysBegun = 0;
  #store: { life: Life; lose: () => void; stop: AbortController; health: Store } | undefined;
  #replay: { life: Life; lose: () => void } | undefined;
  #isFinished = false;
  #nextId = 0;
  #boots = 0;

  constructor(seed: number, isEmbedded: boolean, planted?: Planted) {
    const world = new World(seed, 14);
    this.#world = world;
    this.#planted = planted;
    this.#hazards = {
      isEmbedded,
      planted:
        planted === 'an acknowledgement is believed' ? 'the acknowledged token is believed' : undefined,
    };
    this.#spans = new AdversarialPartition(world, this.#hazards);
    this.#dead = new AdversarialPartition(world, { isEmbedded });
    this.#table = new AdversarialTable(world, this.#hazards, rememberMs);
    this.#letters = new AdversarialLetters(world, (records) => this.#append(records));
    this.#records = 2 + world.below(6);
    this.#replays = 2 + world.below(4);
  }

  async run(): Promise<Verdict> {
    this.#produce();
    this.#beginStore();
    if (!this.#hazards.isEmbedded) this.#beginReplay();
    if (this.#world.random() < 0.9)
      this.#world.later(() => (this.#table.isMended = true), this.#world.below(2000));
    for (let steps = 0; !this.#isDone(); steps++) {
      if (steps > 50_000) throw new Error('the model does not come to an end');
      if (this.#world.fault(0.02)) this.#disturb();
      if (!(await this.#world.step())) throw new Error('everybody waits for everybody');
    }
    this.#isFinished = true;
    this.#store?.stop.abort();
    while (await this.#world.step()); // late copies of everything, and what is still running
    return this.#judge();
  }

  #produce(): void {
    if (this.#spans.records.length === this.#records) return;
    const spans = this.#newSpans();
    const kind = this.#world.random();
    if (kind < 0.1) this.#spans.append({ spans: 2, headers: {}, payload: undecodablePayload });
    else
      this.#spans.append({
        spans: spans.length,
        headers: {},
        payload: kind < 0.25 ? sealed(payloadOf(spans)) : payloadOf(spans),
      });
    this.#world.later(() => this.#produce(), this.#world.below(40));
  }

  #newSpans(): readonly TestSpan[] {
    return Array.from({ length: 1 + this.#world.below(3) }, () => ({
      id: this.#nextId++,
      date: this.#world.pick(['2026-01-01', '2026-01-02']),
      poison: this.#world.random() < 0.3 ? 'row' : undefined,
    }));
  }

  /** What is sent to the dead letters may be there more than once. */
  #append(records: readonly NewRecord[]): void {
    for (const { spans, headers, payload } of records) this.#dead.append({ spans, headers, payload });
    const { records: all } = this.#dead;
    if (this.#world.random() < 0.2) this.#dead.append(this.#world.pick(all));
  }

  #beginStore(): void {
    const life = new Life(this.#world, this.#hazards);
    const stop = new AbortController();
    const { claim, lose } = this.#spans.claim(life);
    const store = new Store(
      { id: origin.streamId },
      {
        table: this.#table.seenBy(life),
        encoder: jsonEncoder,
        deadLetters: new DeadLetters(this.#letters.seenBy(life)),
        telemetry: new Telemetry(),
        log: silent,
        clock: { nowMs: () => this.#world.nowMs },
        pause: (ms) => life.outlive(this.#world.turn(ms)),
        boot: () => String(this.#boots),
        settings: {
          limits: { rows: 3, bytes: 600, dates: 2 },
          flushIntervalMs: 20,
          insertDeadlineMs,
          verifyMs: this.#hazards.isEmbedded ? verifyMs : 0,
          backoff: { initialMs: 0, maxMs: 0 },
        },
      },
    );
    const mine = (this.#store = { life, lose, stop, health: store });
    const again = (): void => {
      if (this.#store !== mine || life.isOver || this.#isFinished) return;
      if (this.#hazards.isEmbedded) this.#beginReplay();
      else this.#beginStore();
    };
    store.worker(claim, stop.signal).then(again, again);
    if (this.#hazards.isEmbedded && this.#replaysBegun <= this.#replays)
      this.#world.later(() => stop.abort(), this.#world.below(1000)); // only then can a replay have the folder
  }

  /** Replays one after another; each ends by itself, by a fault, or with its process. In one folder they take turns with the store. */
  #beginReplay(): void {
    const life = new Life(this.#world, this.#hazards);
    const { claim, lose } = this.#dead.claim(life);
    const mine = (this.#replay = { life, lose });
    const work = this.#newReplay(life, claim).run(this.#selection());
    const again = (): void => {
      if (this.#replay !== mine || life.isOver || this.#isFinished) return;
      if (this.#hazards.isEmbedded) this.#beginStore();
      else this.#world.later(() => this.#beginReplay(), this.#world.below(200));
    };
    this.#replaysBegun++;
    work.then(again, again);
  }

  #newReplay(life: Life, claim: Claim): Replay {
    const committed = this.#planted === 'a replay commits what is still dead' ? greedy(claim) : claim;
    return new Replay(
      {
        table: this.#tableOfReplay(this.#table.seenBy(life)),
        encoder: laterEncoder,
        deadLetters: new DeadLetters(this.#letters.seenBy(life)),
        streamId: 'dead',
        storeIsPast: async () => life.outlive(this.#storeIsPast()),
        clock: { nowMs: () => this.#world.nowMs },
        pause: (ms) => life.outlive(this.#world.turn(ms)),
        log: silent,
        settings: {
          ...defaultReplaySettings,
          insertDeadlineMs,
          backoff: { initialMs: 0, maxMs: 0 },
          letters: 1 + this.#world.below(3),
        },
      },
      committed,
    );
  }

  async #storeIsPast() {
    await this.#world.turn();
    if (this.#planted === 'the store is not waited for') return { offset: Infinity, index: 0 };
    return this.#spans.committed?.position ?? { offset: 0, index: 0 };
  }

  #tableOfReplay(table: Table): Table {
    let isFirst = true;
    return {
      ...table,
      insert: (insert) =>
        table.insert(
          this.#planted === 'tokens are made anew by each replay'
            ? { ...insert, token: `${insert.token} of ${this.#replaysBegun}` }
            : insert,
        ),
      rowsAt: async (place, positions) => {
        const found = await table.rowsAt(place, positions);
        const isBlind = isFirst && this.#planted === 'the table is not asked first';
        isFirst = false;
        return isBlind ? new PositionSet() : found;
      },
    };
  }

  #selection(): Selection {
    const kind = this.#world.below(4);
    if (kind === 0) return { key: undefined, reason: this.#world.pick(['VIOLATED', 'protobuf']) };
    const { records } = this.#spans;
    if (kind > 1 || records.length === 0) return everything;
    return { key: letterKey(origin, { offset: this.#world.below(records.length), index: 0 }), reason: '' };
  }

  /** A crash, an orderly restart, or a rebalance that the old owner does not see. */
  #disturb(): void {
    const { isEmbedded } = this.#hazards;
    if (isEmbedded) return this.#crashAll();
    const what = this.#world.pick(['store', 'replay', 'replay', 'table', 'restart'] as const);
    if (what === 'table') return this.#table.crash();
    if (what === 'restart') return this.#store?.stop.abort();
    const old = what === 'store' ? this.#store : this.#replay;
    if (old && this.#world.random() < 0.5) this.#world.later(old.lose, this.#world.pick([0, 50, 500]));
    else if (old) old.life.isOver = true;
    if (what === 'store') this.#beginStore();
    else this.#beginReplay();
  }

  #crashAll(): void {
    for (const old of [this.#store, this.#replay]) if (old) old.life.isOver = true;
    this.#table.crash();
    if (this.#world.random() < 0.3) this.#boots++;
    if (this.#world.random() < 0.5) this.#beginStore();
    else this.#beginReplay();
  }

  /** Whether the store is past everything and enough replays have run. Faults that found nothing to disturb are let go then. */
  #isDone(): boolean {
    const { committed, records } = this.#spans;
    const isThrough =
      records.length === this.#records &&
      committed?.position.offset === records.length &&
      !committed.metadata.includes('"intent"') &&
      this.#store?.health.health()[0]?.state === 'flowing' &&
      this.#replaysBegun > this.#replays;
    if (isThrough && this.#world.random() < 0.02) this.#world.faults = 0;
    return isThrough && this.#world.faults === 0;
  }

  async #judge(): Promise<Verdict> {
    this.#world.faults = 0;
    const listed = await this.#listed();
    const rows = Map.groupBy(this.#table.rows, ({ offset, index }) => `${offset}.${index}`);
    let [lost, duplicated] = [0, 0];
    let listedSpans = 0;
    for (const { offset, payload, spans } of this.#spans.records) {
      const isReadable = payload !== undecodablePayload;
      const count = isReadable ? spans : 1;
      for (let index = 0; index < count; index++) {
        const isListed = listed.has(`${offset}.${index}`);
        const times = (rows.get(`${offset}.${index}`)?.length ?? 0) + (isListed ? 1 : 0);
        if (times === 0) lost++;
        if (times > 1) duplicated++;
        if (isListed) listedSpans += isReadable ? 1 : spans;
      }
    }
    return { lost, duplicated, miscounted: await this.#miscounted(listedSpans) };
  }

  /** The spans in letters that are listed now, by their place. */
  async #listed(): Promise<ReadonlySet<string>> {
    const from = this.#dead.committed?.position.offset ?? 0;
    const table = this.#table.seenBy(new Life(this.#world, { isEmbedded: true }));
    const reader: PartitionReader = this.#dead.claim(new Life(this.#world, { isEmbedded: true })).claim;
    const list = async () => {
      const { letters } = await readLetters(reader, from, laterEncoder);
      return rowless(table, [...letters.values()]);
    };
    const missing = await this.#driven(list());
    return new Set(
      [...missing].flatMap(([{ position }, indexes]) =>
        indexes.map((index) => `${position.offset}.${index}`),
      ),
    );
  }

  async #miscounted(listedSpans: number): Promise<string> {
    const ledger = fromCommit(this.#spans.committed, origin, 1, { offset: 0, index: 0 });
    const counted = { ...ledger, committedSpans: ledger.passedSpans };
    const table = this.#table.seenBy(new Life(this.#world, { isEmbedded: true }));
    const { missingRows, duplicateRows } = await this.#driven(recount(table, origin, counted, listedSpans));
    return missingRows === 0 && duplicateRows === 0 ? '' : `missing ${missingRows}, twice ${duplicateRows}`;
  }

  /** What `work` resolves with; the world goes on until then. */
  async #driven<T>(work: Promise<T>): Promise<T> {
    while (await this.#world.step());
    return work;
  }
}

const seal = 'for a later version: ';

/** What no store can read yet, and replays can. */
function sealed(payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(seal), payload]);
}

const laterEncoder: RowEncoder = {
  ...jsonEncoder,
  rows: (place) => {
    const rows = jsonEncoder.rows(place);
    const read = rows.read.bind(rows);
    rows.read = (record) => {
      const text = Buffer.from(record.payload).toString();
      return read({ ...record, payload: Buffer.from(text.replace(seal, '')) });
    };
    return rows;
  },
};

/** A claim that always commits to the end. */
function greedy(claim: Claim): Claim {
  return {
    ...claim,
    commit: async (commit) => {
      const { end } = await claim.bounds();
      await claim.commit({ ...commit, position: { offset: end, index: 0 } });
    },
  };
}

const enough = 3000;
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe('however often and however far replays run, every span has one row or is in a letter that is listed', () => {
  test.each([
    ['beside a store and a server, with zombies and late copies', false],
    ['in one process, through crashes', true],
  ])('%s', async (_, isEmbedded) => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        expect(await new Model(seed, isEmbedded).run()).toEqual({ lost: 0, duplicated: 0, miscounted: '' });
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });
});

describe('the model sees each assumption of a replay break', () => {
  test.each([
    ['an acknowledgement is believed', 'lost'],
    ['tokens are made anew by each replay', 'duplicated'],
    ['the table is not asked first', 'duplicated'],
    ['the store is not waited for', 'duplicated'],
    ['a replay commits what is still dead', 'lost'],
  ] as const)('%s: spans are %s', async (planted, what) => {
    for (let seed = 1; seed <= enough; seed++)
      if ((await new Model(seed, false, planted).run())[what] > 0) return;
    expect.fail(`no span was ${what} in ${enough} runs`);
  });
});
