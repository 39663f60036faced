import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLog } from '../../src/core/log.ts';
import { Failure } from '../../src/core/failure.ts';
import type { Executor } from '../../src/rollback/executor.ts';
import { runs } from '../property-runs.ts';
import { dayMs, minuteMs, planWith, requestWith, Site } from './site.ts';

/**
 * Two processes around one journal, each of which dies at any step: a process that died never answers again, whatever it
 * was waiting for. Another one may or may not take its place.
 */
class Processes {
  readonly site = new Site();
  readonly #alive: { executor: Executor; isDead: boolean }[] = [];
  /** How many more appends and orders the process that is at work survives; undefined: all. */
  fuse: number | undefined;

  constructor(isRepeatable: boolean, canTell: boolean) {
    this.site.target.isRepeatable = isRepeatable;
    if (!canTell) this.site.target.release = undefined;
    this.start();
    this.start();
  }

  start(): void {
    const process: { executor: Executor; isDead: boolean } = { executor: undefined!, isDead: false };
    const { site } = this;
    const step = async (): Promise<void> => {
      if (process.isDead) return hang();
      if (this.fuse === undefined || this.fuse-- > 0) return Promise.resolve();
      process.isDead = true;
      this.fuse = undefined;
      return hang();
    };
    const reader = site.journal.reader(0);
    process.executor = site.executor({
      journal: {
        consume: async (records) => {
          await step(); // dies before it is durable
          await site.journal.consume(records);
          await step(); // dies before it hears so
        },
        reader: () => ({
          ...reader,
          bounds: async () => (process.isDead ? hang() : reader.bounds()),
          read: async (...args) => (process.isDead ? hang() : reader.read(...args)),
        }),
      },
      targets: new Map([
        [
          'refunds',
          {
            isRepeatable: site.target.isRepeatable,
            current: async () => (process.isDead ? hang() : site.target.current()),
            rollBack: async (order) => {
              await step(); // dies before the target hears it
              const outcome = await site.target.rollBack(order);
              await step(); // dies before it hears of it
              return outcome;
            },
          },
        ],
      ]),
      figureOf: (_, { release }) =>
        release === 'v2' && site.target.done.size === 0
          ? { meets: false, events: 30 }
          : (site.figures.get(release) ?? { meets: false, events: 0 }),
      isActing: () => !process.isDead,
      log: createLog('silent'),
    });
    this.#alive.push(process);
  }

  get(index: number): { readonly executor: Executor; readonly isDead: boolean } {
    return this.#alive[index % this.#alive.length]!;
  }

  /** What `work` of a process resolves with, or nothing when it dies of it. */
  async ofOne(index: number, work: (executor: Executor) => Promise<unknown>): Promise<void> {
    const process = this.get(index);
    if (process.isDead) return;
    const progress = { isOver: false };
    const done = work(process.executor)
      .catch((error: unknown) => {
        if (!(error instanceof Failure)) throw error;
      })
      .finally(() => (progress.isOver = true));
    while (!progress.isOver && !process.isDead) await new Promise((resolve) => setImmediate(resolve));
    if (progress.isOver) await done;
    for (const [at, each] of this.#alive.entries()) if (each.isDead) this.#replace(at);
  }

  #replace(at: number): void {
    this.#alive.splice(at, 1);
    this.start();
  }
}

async function hang(): Promise<never> {
  return new Promise(() => undefined);
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ask' as const), who: fc.nat(1), fuse: fuse() }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('round' as const), who: fc.nat(1), fuse: fuse() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('both' as const), who: fc.nat(1), fuse: fuse() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), who: fc.nat(1), fuse: fuse() }) },
);
function fuse() {
  return fc.option(fc.nat(5), { nil: undefined });
}

test.each([
  { isRepeatable: true, canTell: true },
  { isRepeatable: true, canTell: false },
  { isRepeatable: false, canTell: true },
  { isRepeatable: false, canTell: false },
])(
  'whoever dies when, a bad release is taken back at most once, and once where the target knows an order again: $isRepeatable, tells what it runs: $canTell',
  async ({ isRepeatable, canTell }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const processes = new Processes(isRepeatable, canTell);
        const { site } = processes;
        try {
          for (const { kind, who, fuse: left } of steps) {
            processes.fuse = left;
            if (kind === 'ask') await processes.ofOne(who, async (each) => each.request(requestWith()));
            if (kind === 'round') await processes.ofOne(who, async (each) => each.round());
            if (kind === 'both') {
              processes.fuse = undefined;
              await Promise.all(
                [0, 1].map(async (index) => processes.ofOne(index, async (each) => each.round())),
              );
            }
            if (kind === 'wait') site.clock.advance(5000);
            processes.fuse = undefined;
          }
          await processes.ofOne(0, async (each) => each.request(requestWith()));
          for (let rounds = 0; rounds < 8; rounds++) {
            await processes.ofOne(rounds, async (each) => each.round());
            site.clock.advance(5 * minuteMs);
          }
          const { target, journal } = site;
          const ids = new Set(target.orders.map(({ id }) => id));
          expect(ids.size).toBeLessThanOrEqual(1); // one episode, one key
          expect(target.done.size).toBeLessThanOrEqual(1);
          if (!isRepeatable) expect(target.orders.length).toBeLessThanOrEqual(1);
          if (isRepeatable) expect(target.done.size).toBe(1);
          const last = processes.get(0).executor.status(undefined);
          expect(last.fault).toBeUndefined();
          expect(last.attempts).toHaveLength(1);
          if (target.done.size === 1) expect(last.attempts[0]!.state).toBe('done');
          else expect(site.pages.length).toBeGreaterThan(0); // somebody knows
          expect(journal.events.filter((event) => event === 'requested').length).toBeGreaterThan(0);
        } finally {
          site.remove();
        }
      }),
      { numRuns: Math.ceil(runs / 25) },
    );
  },
);

const approvalStep = fc.record({
  kind: fc.constantFrom(
    'ask' as const,
    'round' as const,
    'round' as const,
    'approve' as const,
    'approve' as const,
  ),
  who: fc.nat(1),
  by: fc.constantFrom('ana', 'bo', 'cy', 'dee', 'eve'),
  fuse: fuse(),
});

const approvers = ['ana', 'bo', 'cy', 'dee'];

test.each([true, false])(
  'whoever dies when, what needs two approvals is done after those of two different approvers who did not ask, and once: mode auto is %s',
  async (isAuto) => {
    await fc.assert(
      fc.asyncProperty(fc.array(approvalStep, { maxLength: 16 }), async (steps) => {
        const processes = new Processes(true, true);
        const { site } = processes;
        site.approvals = 2;
        site.plan = planWith({
          mode: isAuto ? 'auto' : 'approve',
          approvers,
          approvalMs: dayMs,
        });
        const namesIn = (...events: readonly string[]): readonly string[] => {
          const begun = site.journal.events.indexOf('executing'); // who asks after that asks for what is done already
          return site.journal.bodies
            .slice(0, begun === -1 ? undefined : begun)
            .flatMap((body) => (events.includes(body.event) && 'by' in body ? [String(body.by)] : []));
        };
        const faults: string[] = [];
        const carryOut = site.target.rollBack.bind(site.target);
        site.target.rollBack = async (order) => {
          const said = namesIn('approval_given', 'approved');
          const asked = namesIn('requested', 'repeated');
          const fit = new Set(said.filter((name) => name !== 'eve' && !asked.includes(name)));
          if (fit.size < 2) faults.push(`approved by ${said.join()}, asked by ${asked.join()}`);
          return carryOut(order);
        };
        const approve = async (who: number, by: string): Promise<void> =>
          processes.ofOne(who, async (each) => {
            const ticket = each.status(by).attempts.at(-1)?.ticket ?? '';
            await each.decisions.approve(ticket, by);
          });
        const ask = async (who: number, requestedBy: string): Promise<void> =>
          processes.ofOne(who, async (each) => each.request(requestWith({ cause: 'human', requestedBy })));
        try {
          for (const { kind, who, by, fuse: left } of steps) {
            processes.fuse = left;
            if (kind === 'ask') await ask(who, by);
            if (kind === 'round') await processes.ofOne(who, async (each) => each.round());
            if (kind === 'approve') await approve(who, by);
            processes.fuse = undefined;
          }
          await ask(0, 'eve');
          for (const by of ['eve', ...approvers]) {
            await processes.ofOne(0, async (each) => each.round());
            await approve(0, by);
          }
          for (let rounds = 0; rounds < 8; rounds++) {
            await processes.ofOne(rounds, async (each) => each.round());
            site.clock.advance(minuteMs);
          }
          expect(faults).toEqual([]);
          const asked = namesIn('requested', 'repeated');
          const isAgreed = approvers.filter((name) => !asked.includes(name)).length >= 2;
          expect(site.target.done.size).toBe(isAgreed ? 1 : 0);
          const [attempt, ...more] = processes.get(0).executor.status(undefined).attempts;
          expect(more).toEqual([]);
          expect(attempt).toMatchObject({ state: isAgreed ? 'done' : 'awaiting_approval' });
          expect(attempt!.approvedBy.filter((name) => asked.includes(name))).toEqual([]);
        } finally {
          site.remove();
        }
      }),
      { numRuns: Math.ceil(runs / 10) },
    );
  },
);
