import * as fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { Telemetry } from '../../src/core/telemetry.ts';
import { deadLetterHeaders, DeadLetters } from '../../src/store/dead-letters.ts';
import { fromCommit } from '../../src/store/intent.ts';
import { Store } from '../../src/store/store.ts';
import { runs } from '../property-runs.ts';
import {
  AdversarialLetters,
  AdversarialPartition,
  AdversarialTable,
  Life,
  type Hazards,
} from './adversary.ts';
import { jsonEncoder, payloadOf, undecodablePayload, type TestSpan } from './json-rows.ts';
import { World } from './world.ts';
import { recount } from './recount.ts';

/** Every claim is in virtual milliseconds: an action takes 0 to 9. */
const insertDeadlineMs = 200;
const verifyMs = 400;

interface Verdict {
  readonly lost: number;
  readonly duplicated: number;
  /** What the ledger says of the stream that is not so. */
  readonly miscounted: string;
}

class Model {
  readonly #world: World;
  readonly #hazards: Hazards;
  readonly #partition: AdversarialPartition;
  readonly #table: AdversarialTable;
  readonly #letters: AdversarialLetters;
  readonly #telemetry = new Telemetry();
  readonly #limits: { rows: number; bytes: number; dates: number };
  readonly #records: number;
  #life: Life;
  #stop = new AbortController();
  #lose: () => void = () => undefined;
  #ended: Promise<void> = Promise.resolve();
  #store: Store | undefined;
  #isRunning = false;
  #isFinished = false;
  #nextId = 0;
  #boots = 0;

  constructor(seed: number, hazards: Hazards) {
    const world = new World(seed, 12);
    this.#world = world;
    this.#hazards = hazards;
    this.#life = new Life(world, hazards);
    this.#partition = new AdversarialPartition(world, hazards);
    this.#table = new AdversarialTable(world, hazards, 2 * insertDeadlineMs);
    this.#letters = new AdversarialLetters(world);
    this.#limits = { rows: 1 + world.below(6), bytes: 300 + world.below(600), dates: 1 + world.below(3) };
    this.#records = 3 + world.below(10);
  }

  async run(): Promise<Verdict> {
    this.#produce();
    this.#begin();
    for (let steps = 0; !this.#isDone(); steps++) {
      if (steps > 50_000) throw new Error('the store does not come to an end');
      if (this.#world.fault(0.01)) this.#disturb();
      if (!(await this.#world.step())) throw new Error('everybody waits for everybody');
    }
    this.#isFinished = true;
    this.#stop.abort();
    while (this.#isRunning) await this.#world.step();
    await this.#ended;
    while (await this.#world.step()); // late copies of everything
    return this.#judge();
  }

  #produce(): void {
    if (this.#partition.records.length === this.#records) return;
    const payload = this.#world.random() < 0.08 ? undecodablePayload : payloadOf(this.#spans());
    const spans = payload === undecodablePayload ? 2 : JSON.parse(Buffer.from(payload).toString()).length;
    const isForeign = this.#world.random() < 0.2; // then nobody says how many spans there are
    this.#partition.append({ spans: isForeign ? 0 : spans, headers: {}, payload });
    this.#world.later(() => this.#produce(), this.#world.below(40));
  }

  #spans(): readonly TestSpan[] {
    return Array.from({ length: 1 + this.#world.below(4) }, () => ({
      id: this.#nextId++,
      date: this.#world.pick(['2026-01-01', '2026-01-02', '2026-01-03']),
      poison: this.#world.random() < 0.04 ? this.#world.pick<'row' | 'view'>(['row', 'view']) : undefined,
      isInvalid: this.#world.random() < 0.04 || undefined,
    }));
  }

  /** A process begins to work: a new member with a new claim. */
  #begin(): void {
    const life = (this.#life = new Life(this.#world, this.#hazards));
    const stop = (this.#stop = new AbortController());
    const { claim, lose } = this.#partition.claim(life);
    this.#lose = lose;
    const isVerified =
      this.#hazards.isEmbedded && this.#hazards.planted !== 'the table is not verified after a power cut';
    const store = (this.#store = new Store(
      { id: 'stream' },
      {
        table: this.#table.seenBy(life),
        encoder: jsonEncoder,
        deadLetters: new DeadLetters(this.#letters.seenBy(life)),
        telemetry: this.#telemetry,
        log: pino({ level: 'silent' }),
        clock: { nowMs: () => this.#world.nowMs },
        pause: (ms) => life.outlive(this.#world.turn(ms)),
        boot: () => String(this.#boots),
        settings: {
          limits: this.#limits,
          flushIntervalMs: 20,
          insertDeadlineMs,
          verifyMs: isVerified ? verifyMs : 0,
          backoff: { initialMs: 0, maxMs: 0 },
        },
      },
    ));
    this.#isRunning = true;
    this.#ended = this.#work(store.worker(claim, stop.signal), life);
    this.#ended.catch(() => undefined); // run() awaits it
  }

  async #work(work: Promise<void>, life: Life): Promise<void> {
    await work;
    if (this.#life !== life) return;
    this.#isRunning = false;
    if (!this.#isFinished) this.#begin(); // it lost its claim, or was restarted: it joins again
  }

  /** A crash, a power cut, an orderly restart, or a rebalance that the old owner does not see. */
  #disturb(): void {
    const { isEmbedded } = this.#hazards;
    const old = this.#life;
    const what = this.#world.pick(
      isEmbedded ? ['crash', 'power cut', 'restart'] : ['crash', 'table', 'zombie', 'restart'],
    );
    if (what === 'table') return this.#table.crash();
    if (what === 'restart') return this.#stop.abort();
    const lose = this.#lose;
    if (what === 'zombie') this.#world.later(lose, this.#world.pick([0, 50, 500]));
    else old.isOver = true;
    if (isEmbedded && what === 'crash') this.#table.crash();
    if (what === 'power cut') {
      this.#boots++;
      this.#table.powerCut(verifyMs / 2);
    }
    this.#begin();
  }

  /** Whether the last owner has recovered and gone past everything. Faults that found nothing to disturb are let go then. */
  #isDone(): boolean {
    const { committed, records } = this.#partition;
    const isThrough =
      records.length === this.#records &&
      committed?.position.offset === records.length &&
      !committed.metadata.includes('"intent"') &&
      this.#store?.health()[0]?.state === 'flowing';
    if (isThrough && this.#world.random() < 0.02) this.#world.faults = 0;
    return isThrough && this.#world.faults === 0;
  }

  async #judge(): Promise<Verdict> {
    const dead = new Set(this.#letters.records.map((record) => record.headers[deadLetterHeaders.key]));
    const rows = new Map<string, number>();
    for (const { offset, index } of this.#table.rows)
      rows.set(`stream/0/${offset}/${index}`, (rows.get(`stream/0/${offset}/${index}`) ?? 0) + 1);
    let [lost, duplicated, stored, buried] = [0, 0, 0, 0];
    for (const { offset, payload, spans } of this.#partition.records) {
      const all: readonly TestSpan[] =
        payload === undecodablePayload ? [] : JSON.parse(Buffer.from(payload).toString());
      if (payload === undecodablePayload) {
        buried += Math.max(1, spans);
        if (!dead.has(`stream/0/${offset}/0`)) lost++;
      }
      const valid = all.filter(({ isInvalid }) => !isInvalid);
      if (valid.length < all.length && !dead.has(`stream/0/${offset}/${valid.length}`)) lost++;
      buried += all.length - valid.length;
      for (const [index, span] of valid.entries()) {
        const key = `stream/0/${offset}/${index}`;
        const count = (rows.get(key) ?? 0) + (span.poison === 'row' && dead.has(key) ? 1 : 0);
        if (count === 0) lost++;
        if (count > 1) duplicated++;
        if (span.poison === 'row') buried++;
        else stored++;
      }
    }
    return { lost, duplicated, miscounted: await this.#miscounted(stored, buried) };
  }

  async #miscounted(stored: number, buried: number): Promise<string> {
    const ledger = fromCommit(this.#partition.committed, { streamId: 'stream', partition: 0 }, 1, {
      offset: 0,
      index: 0,
    });
    const counted = { ...ledger, committedSpans: ledger.passedSpans };
    const table = recount(this.#table.seenBy(this.#life), { streamId: 'stream', partition: 0 }, counted);
    while (await this.#world.step());
    const { missingRows, duplicateRows } = await table;
    const facts: readonly (readonly [string, number, number])[] = [
      ['passed', ledger.passedSpans, stored + buried],
      ['stored', ledger.storedSpans, stored],
      ['dead', ledger.deadSpans, buried],
      ['expired', ledger.expiredSpans, 0],
      ['missing', missingRows, 0],
      ['duplicate', duplicateRows, 0],
    ];
    return facts
      .filter(([, said, is]) => said !== is)
      .map(([what, said, is]) => `${what}: ${said}, not ${is}`)
      .join('; ');
  }
}

/** Runs within which a broken assumption must show; most show within ten. */
const enough = 5000;
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe('whatever fails and in whatever order, every span has its row exactly once', () => {
  test.each([
    ['with a broker and a server, zombies and late copies', false],
    ['in one process, through crashes and power cuts', true],
  ])('%s', async (_, isEmbedded) => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        expect(await new Model(seed, { isEmbedded }).run()).toEqual({
          lost: 0,
          duplicated: 0,
          miscounted: '',
        });
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });
});

describe('the model sees each assumption break', () => {
  test.each([
    ['the acknowledged token is believed', false, 'lost'],
    ['the acknowledged token is believed', true, 'lost'],
    ['the attempt is not in the intent', false, 'duplicated'],
    ['commits are not fenced', false, 'duplicated'],
    ['the owner stays after an unknown commit', false, 'duplicated'],
    ['the table checks no deadline', false, 'duplicated'],
    ['deadlines are counted from the clock of the store', false, 'duplicated'],
    ['the table is not verified after a power cut', true, 'lost'],
  ] as const)('%s (embedded: %s): spans are %s', async (planted, isEmbedded, what) => {
    for (let seed = 1; seed <= enough; seed++)
      if ((await new Model(seed, { isEmbedded, planted }).run())[what] > 0) return;
    expect.fail(`no span was ${what} in ${enough} runs`);
  });
});
