import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../src/core/log.ts';
import { Secret } from '../../src/core/secret.ts';
import type { TableRow } from '../../src/core/table-row.ts';
import { Executor, type ExecutorParts } from '../../src/rollback/executor.ts';
import type { Destination } from '../../src/rollback/next-step.ts';
import type { Figure } from '../../src/rollback/order-desk.ts';
import type { Page } from '../../src/rollback/page.ts';
import type { RollbackPlan, RollbackRequest } from '../../src/rollback/rollback-plan.ts';
import type {
  CurrentRelease,
  OrderOutcome,
  RollbackOrder,
  TargetAdapter,
} from '../../src/rollback/target-adapter.ts';
import { HandClock } from '../stream/embedded-place.ts';
import { MemoryJournal } from './memory-journal.ts';

export const noon = Date.UTC(2026, 10, 26, 12);
export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

/** A target that remembers its orders, and does what a test says. */
export class FakeTarget implements TargetAdapter {
  isRepeatable = false;
  /** What it runs; undefined: it cannot say. */
  release: string | undefined = 'v2';
  unreachable: string | undefined;
  readonly orders: RollbackOrder[] = [];
  /** How often it was asked what it runs. */
  looks = 0;
  /** What it answers; undefined: it does what it is told. */
  answer: ((order: RollbackOrder) => OrderOutcome | undefined) | undefined;
  /** Orders that were carried out, each once. */
  readonly done = new Set<string>();

  async current(): Promise<CurrentRelease> {
    this.looks++;
    await Promise.resolve();
    if (this.unreachable !== undefined) return { kind: 'unreachable', reason: this.unreachable };
    return this.release === undefined ? { kind: 'unknown' } : { kind: 'known', release: this.release };
  }

  async rollBack(order: RollbackOrder): Promise<OrderOutcome> {
    await Promise.resolve();
    this.orders.push(order);
    const answer = this.answer?.(order);
    if (answer) return answer;
    this.done.add(order.id);
    if (this.release !== undefined) this.release = order.to;
    return { kind: 'done', reason: '204' };
  }
}

/** What the policy of a test says, unless it says otherwise. */
export function planWith(changes: Partial<RollbackPlan> = {}): RollbackPlan {
  return {
    policy: 'refund-agent',
    revision: 'abc123',
    owner: 'team-payments',
    approvers: ['ana', 'bo'],
    mode: 'auto',
    target: 'refunds',
    cooldownMs: 30 * minuteMs,
    perDay: 3,
    approvalMs: hourMs,
    verify: { kpi: 'run_success', minEvents: 20, withinMs: 20 * minuteMs },
    ...changes,
  };
}

/** A request of the judge for the bad release v2, unless a test says otherwise. */
export function requestWith(changes: Partial<RollbackRequest> = {}): RollbackRequest {
  return {
    cause: 'judge',
    agent: 'refund',
    environment: 'production',
    release: 'v2',
    requestedBy: 'judge',
    reason: 'run_success is worse',
    evidence: { e: 130 },
    ...changes,
  };
}

/** Everything around an executor, which a test sets, and which several executors share. */
export class Site {
  readonly journal = new MemoryJournal();
  readonly clock = new HandClock(noon);
  readonly target = new FakeTarget();
  readonly pages: Page[] = [];
  /** The titles of those that are not over, by their keys: what survives a process. */
  readonly openPages = new Map<string, string>();
  readonly rows: TableRow[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'plimsoll-rollback-'));
  plan: RollbackPlan | undefined = planWith();
  destinations: readonly Destination[] = [{ release: 'v1', why: 'established' }];
  /** What a KPI of a release was. */
  figures = new Map<string, Figure>([['v1', { meets: true, events: 100 }]]);
  /** How many people have to approve what is done to the target. */
  approvals = 1;
  stopReason: string | undefined;
  isActing = true;
  pageFault: Error | undefined;
  #files = 0;

  /** One more process. */
  executor(changes: Partial<ExecutorParts> = {}): Executor {
    return new Executor({
      journal: this.journal,
      file: join(this.folder, `rollbacks-${this.#files++}.jsonl`),
      targets: new Map([['refunds', this.target]]),
      approvalsOf: () => this.approvals,
      perHour: 10,
      perDay: 20,
      approvalKey: new Secret('a key of sixteen characters'),
      stopReason: () => this.stopReason,
      planOf: () => this.plan,
      hasPolicy: (name) => name === this.plan?.policy,
      destinations: () => this.destinations,
      figureOf: (_, { release }) =>
        this.figures.get(release) ?? (this.figures.size > 0 ? { meets: false, events: 0 } : undefined),
      recentMs: 10 * minuteMs,
      isActing: () => this.isActing,
      people: {
        page: async (page) => {
          await Promise.resolve();
          if (this.pageFault) throw this.pageFault;
          this.pages.push(page);
          this.openPages.set(page.key, page.title);
        },
        endPages: async (isOver) => {
          await Promise.resolve();
          for (const key of this.openPages.keys()) if (isOver(key)) this.openPages.delete(key);
        },
      },
      rows: (row) => this.rows.push(row),
      clock: this.clock,
      log: createLog('silent'),
      ...changes,
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
