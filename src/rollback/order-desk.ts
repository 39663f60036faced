import type { Clock } from '../core/clock.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import type { Attempt } from './attempt.ts';
import type { EventBody } from './rollback-event.ts';
import type { CurrentRelease, RollbackOrder, TargetAdapter } from './target-adapter.ts';

/** What a KPI of a release was, of so many events. */
export interface Figure {
  /** Whether its objective is met. */
  readonly meets: boolean;
  readonly events: number;
}

/** What orders are given with. */
export interface DeskParts {
  adapterOf(attempt: Pick<Attempt, 'environment' | 'plan'>): TargetAdapter | undefined;
  /** Whether this process is the one that acts. */
  isActing(): boolean;
  stopReason(): string | undefined;
  /** What a KPI was of the events since a moment; undefined when nobody can say. */
  figureOf(
    kpi: string,
    of: { readonly agent: string; readonly release: string; readonly environment: string },
    sinceMs: number,
  ): Figure | undefined;
  /** Figures of events since so long ago are there, unless nobody can say any. */
  readonly recentMs: number;
  readonly clock: Clock;
}

/** How an order of this process went so far. */
interface Sent {
  /** Whether the target may have it. */
  wasSent: boolean;
  tries: number;
  nextMs: number;
}

/** After this nobody tries again to reach a target. */
const reachMs = 120_000;
const retryMs = 1000;
const slowestRetryMs = 15_000;
const minuteMs = 60_000;

/**
 * Gives orders to targets and looks at how they went. An order is sent when the journal says that it is about to be, right
 * after a look at what the target runs; and again only to a target where that is the same as once.
 */
export class OrderDesk {
  readonly #parts: DeskParts;
  readonly #instance: string;
  readonly #sent = new Map<string, Sent>();

  /** `instance` names this process in the journal: what another began, it may have sent. */
  constructor(parts: DeskParts, instance: string) {
    this.#parts = parts;
    this.#instance = instance;
  }

  /** Forgets the orders of attempts that `isOver`. */
  forget(isOver: (id: string) => boolean): void {
    for (const id of this.#sent.keys()) if (isOver(id)) this.#sent.delete(id);
  }

  /** Sees to it that the target has the order of `attempt`. Resolves with what became of that; undefined while nobody knows. */
  async act(attempt: Attempt): Promise<EventBody | undefined> {
    const { id, plan, to, from } = attempt;
    const sent = this.#sent.get(id) ?? {
      wasSent: attempt.instance !== this.#instance,
      tries: 0,
      nextMs: 0,
    };
    this.#sent.set(id, sent);
    if (this.#parts.clock.nowMs() < sent.nextMs) return undefined;
    const adapter = this.#parts.adapterOf(attempt);
    if (!adapter)
      return { event: 'failed', id, reason: `the target ${plan.target} is not configured any more` };
    const current = await adapter.current(attempt);
    if (current.kind === 'unreachable') return this.#later(attempt, sent, current.reason);
    const elsewhere = current.kind === 'known' && current.release !== from ? current.release : undefined;
    if (elsewhere !== undefined) {
      const reason = `${plan.target} runs ${elsewhere}`;
      return elsewhere === to && sent.wasSent
        ? { event: 'acted', id, isConfirmed: true, reason }
        : { event: 'moved', id, isSent: sent.wasSent, reason };
    }
    const stop = isRehearsal(attempt.environment) ? undefined : this.#parts.stopReason();
    if (stop !== undefined) return this.#giveUp(attempt, sent, stop);
    if (current.kind === 'unknown' && !sent.wasSent) {
      const isRunning = this.#isRunning(attempt);
      if (isRunning === undefined)
        return this.#later(attempt, sent, `neither ${plan.target} nor any KPI can say whether ${from} runs`);
      if (!isRunning)
        return { event: 'moved', id, isSent: false, reason: `nothing was seen of ${from} lately` };
    }
    if (sent.wasSent && !adapter.isRepeatable)
      return this.#giveUp(
        attempt,
        sent,
        'nobody knows whether the target has the order, and twice is too often',
      );
    return this.#parts.isActing() ? this.#send(adapter, attempt, sent) : undefined;
  }

  async #send(adapter: TargetAdapter, attempt: Attempt, sent: Sent): Promise<EventBody | undefined> {
    const { id } = attempt;
    const wasSent = sent.wasSent;
    sent.wasSent = true;
    const { kind, reason } = await adapter.rollBack(orderOf(attempt));
    switch (kind) {
      case 'done':
        return { event: 'acted', id, isConfirmed: true, reason };
      case 'moved':
        return { event: 'moved', id, isSent: wasSent, reason };
      case 'refused':
        return { event: 'failed', id, reason };
      case 'unreached':
        sent.wasSent = wasSent;
        return this.#later(attempt, sent, reason);
      case 'uncertain':
    }
    return adapter.isRepeatable ? this.#later(attempt, sent, reason) : this.#giveUp(attempt, sent, reason);
  }

  #later(attempt: Attempt, sent: Sent, reason: string): EventBody | undefined {
    const nowMs = this.#parts.clock.nowMs();
    if (nowMs - attempt.sinceMs >= reachMs) return this.#giveUp(attempt, sent, reason);
    sent.nextMs = nowMs + Math.min(slowestRetryMs, retryMs * 2 ** sent.tries++);
    return undefined;
  }

  /** Nothing more is sent. What may have happened is looked at; else it failed. */
  #giveUp({ id }: Attempt, { wasSent }: Sent, reason: string): EventBody {
    return wasSent
      ? { event: 'acted', id, isConfirmed: false, reason }
      : { event: 'failed', id, reason: `nothing was done: ${reason}` };
  }

  /** Whether the rollback of `attempt` helped; undefined while there is time to see. */
  async verify(attempt: Attempt): Promise<EventBody | undefined> {
    const { id, plan, agent, environment, to, actedMs = 0 } = attempt;
    const { kpi, minEvents, withinMs } = plan.verify;
    const current = await this.current(attempt);
    const figure = this.#parts.figureOf(kpi, { agent, release: to, environment }, actedMs);
    const isThere = current.kind === 'unknown' ? this.#isLeft(attempt) : isKnown(current, to);
    if (isThere && figure && figure.meets && figure.events >= minEvents) {
      const reason = `${to} meets the objective of ${kpi}, over ${figure.events} events`;
      return { event: 'done', id, reason, evidence: { kpi, events: figure.events } };
    }
    if (this.#parts.clock.nowMs() - actedMs < withinMs) return undefined;
    const seen =
      current.kind === 'known'
        ? `${plan.target} runs ${current.release}`
        : isThere
          ? ''
          : `nobody knows that ${attempt.from} is gone`;
    const helped =
      figure === undefined || figure.events < minEvents
        ? `there are ${figure?.events ?? 0} events of ${to}, of ${minEvents} needed to judge its ${kpi}`
        : `${to} ${figure.meets ? 'meets' : 'does not meet'} the objective of ${kpi}`;
    const order = attempt.outcome === '' ? '' : `; the target said: ${attempt.outcome}`;
    return {
      event: 'failed',
      id,
      reason: `${[seen, helped].filter((part) => part !== '').join('; ')}${order}`,
    };
  }

  /** Whether the bad release runs at a target that cannot say that; undefined while nobody can. The judge has just seen it. */
  #isRunning(attempt: Attempt): boolean | undefined {
    const { environment, askers, requestedMs } = attempt;
    const { clock, recentMs } = this.#parts;
    if (isRehearsal(environment)) return true;
    if (askers.includes('judge') && clock.nowMs() - requestedMs < recentMs) return true;
    return this.isSeen(attempt);
  }

  /** Whether anything was seen lately of the release that `attempt` is about; undefined when nobody can say. */
  isSeen(attempt: Attempt): boolean | undefined {
    const seen = this.#seenSince(attempt, 0);
    return seen && seen.events > 0;
  }

  /** Whether nothing was seen of the bad release lately; of a rehearsal the target itself is pretended. */
  #isLeft(attempt: Attempt): boolean {
    const { environment, actedMs = 0 } = attempt;
    return isRehearsal(environment) || this.#seenSince(attempt, actedMs)?.events === 0;
  }

  /** What was seen of the bad release lately, and since `sinceMs`. */
  #seenSince({ plan, agent, environment, from: release }: Attempt, sinceMs: number): Figure | undefined {
    const { clock, recentMs } = this.#parts;
    const lateMs = clock.nowMs() - recentMs;
    const fromMs = Math.max(sinceMs, lateMs - (lateMs % minuteMs));
    return this.#parts.figureOf(plan.verify.kpi, { agent, release, environment }, fromMs);
  }

  /** What the target of `attempt`, which may be one that does not begin, runs now. */
  async current(attempt: Pick<Attempt, 'id' | 'from' | 'environment' | 'plan'>): Promise<CurrentRelease> {
    const adapter = this.#parts.adapterOf(attempt);
    return adapter?.current(attempt) ?? { kind: 'unreachable', reason: 'the target is not configured' };
  }
}

function isKnown(current: CurrentRelease, release: string): boolean {
  return current.kind === 'known' && current.release === release;
}

function orderOf({ id, plan, askers, ...attempt }: Attempt): RollbackOrder {
  const { agent, environment, from, to, reason, approvedBy } = attempt;
  const { target, policy, revision } = plan;
  const who = { requestedBy: askers[0] ?? '', approvedBy: approvedBy.join(', ') };
  return { id, target, agent, environment, from, to, policy, revision, reason, ...who };
}
