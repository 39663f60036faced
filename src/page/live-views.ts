import type { Clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import type { Log } from '../core/log.ts';
import type { Incident } from '../incidents/incident.ts';
import type { Standing } from '../judge/standing.ts';
import type { Family } from '../kpi/family.ts';
import { eventOf, heartbeat, type EventFrame } from './event-frame.ts';
import { figuresIn } from './figures.ts';
import type { FlowMeter } from './flow-meter.ts';
import type { LiveView } from './live-view.ts';
import type { Assessed, Choice, Moment, Rollbacks } from './moment.ts';
import { amounts } from './tile-table.ts';
import { amountSeries, evidenceSeries } from './trend-series.ts';
import { Trends } from './trends.ts';
import { viewOf } from './view.ts';

/** What the live page is made of. */
export interface LiveParts {
  readonly version: string;
  /** The labels of the rolling windows. */
  readonly windows: readonly string[];
  /** Undefined in a process that stands by, or is not sure that it does not. */
  readonly standings: () => readonly Standing[] | undefined;
  /** Whether this process assesses, though perhaps it is not sure of it now. */
  readonly isAssessing: () => boolean;
  /** The KPIs as of now. */
  readonly kpis: () => readonly Family[];
  readonly incidents: () => Iterable<Incident>;
  readonly rollbacks: () => Rollbacks;
  readonly objectiveOf: Assessed['objectiveOf'];
  readonly hasPolicies: () => boolean;
  readonly flow: FlowMeter;
  readonly clock: Clock;
  readonly log: Log;
}

const viewEveryMs = 2000;
const pointEveryMs = 10_000;
const heartbeatMs = 15_000;
/** What was looked at so recently is now, or longer where looking costs more than its share. */
const freshMs = 1000;
/** Looking takes no more than this share of the time where there is much to see, unless nobody would look for too long. */
const cpuShare = 1 / 20;
const viewAtLeastEveryMs = 10_000;
/** Of agents in environments, and all of them together. */
const limitSeries = 1001;
const limitTests = 2000;

/** Readers of one choice. They share each view. */
interface Feed {
  readonly choice: Choice;
  /** What the last view says beside its time. */
  said: string;
  frame: EventFrame | undefined;
  readonly wakers: Set<() => void>;
  readers: number;
}

/**
 * Looks at the process every 10 s for the trends, and every 2 s while somebody follows, less often where looking costs
 * more than its share: each look is made into a view once for all who follow the same, and sent where that changed.
 */
export class LiveViews implements Component {
  readonly name = 'live views';
  readonly #parts: LiveParts;
  readonly #trends: Trends;
  readonly #evidence = new Trends({ width: 1, limit: limitTests });
  readonly #feeds = new Map<string, Feed>();
  #readers = 0;
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #pointMs = Number.NEGATIVE_INFINITY;
  #last: { readonly atMs: number; readonly moment: Promise<Moment> } | undefined;
  /** What was seen last is shown for so long. */
  #freshMs = freshMs;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    this.#trends = new Trends({ width: parts.windows.length * amounts.length, limit: limitSeries });
  }

  /** The labels of the windows that may be chosen. */
  get windows(): readonly string[] {
    return this.#parts.windows;
  }

  /** How many readers were admitted and have not gone. */
  get readers(): number {
    return this.#readers;
  }

  /** Bytes that the trends fill. */
  get trendBytes(): number {
    return this.#trends.bytes + this.#evidence.bytes;
  }

  async start(): Promise<void> {
    this.#isRunning = true;
    this.#wait(0);
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  /** What is shown of `choice` now. */
  async view(choice: Choice): Promise<LiveView> {
    return viewOf(await this.#moment(), choice);
  }

  /** Counts a reader, until it calls what this returns, once. */
  admit(): () => void {
    this.#readers++;
    return () => void this.#readers--;
  }

  /** The views of `choice`, the first at once, the others as they change, and heartbeats between, until `over` aborts. */
  async *follow(choice: Choice, over: AbortSignal): AsyncGenerator<EventFrame> {
    const feed = this.#enter(choice);
    try {
      if (!feed.frame) await this.#showFirst(feed);
      let shown: EventFrame | undefined;
      while (!over.aborted) {
        const { frame } = feed;
        if (frame && frame !== shown) yield (shown = frame);
        else if (!(await isChanged(feed, over)) && !over.aborted) yield heartbeat;
      }
    } finally {
      this.#leave(feed);
    }
  }

  #enter(choice: Choice): Feed {
    const key = keyOf(choice);
    const feed = this.#feeds.get(key) ?? {
      choice,
      said: '',
      frame: undefined,
      wakers: new Set(),
      readers: 0,
    };
    this.#feeds.set(key, feed);
    feed.readers++;
    return feed;
  }

  #leave(feed: Feed): void {
    if (--feed.readers === 0) this.#feeds.delete(keyOf(feed.choice));
  }

  #wait(delayMs: number): void {
    if (!this.#isRunning) return;
    this.#timer = setTimeout(() => void this.#look(), delayMs).unref();
  }

  async #look(): Promise<void> {
    const before = process.threadCpuUsage();
    try {
      const nowMs = this.#parts.clock.nowMs();
      const isDue = !(Math.abs(nowMs - this.#pointMs) < pointEveryMs);
      if (isDue || this.#feeds.size > 0) {
        const moment = await this.#moment();
        if (isDue) this.#addPoint(moment);
        for (const feed of this.#feeds.values()) this.#show(feed, moment);
      }
    } catch (error) {
      this.#parts.log.error({ err: error }, 'cannot make the views of the live page');
    }
    this.#wait(restMs(before, viewEveryMs));
  }

  #addPoint({ atMs, assessed }: Moment): void {
    this.#pointMs = atMs;
    if (!assessed && !this.#parts.isAssessing()) {
      this.#trends.clear();
      this.#evidence.clear();
      return;
    }
    this.#trends.add(atMs, assessed ? amountSeries(assessed.figures, this.windows) : new Map());
    this.#evidence.add(atMs, assessed ? evidenceSeries(assessed.standings) : new Map());
  }

  async #showFirst(feed: Feed): Promise<void> {
    const moment = await this.#moment();
    if (!feed.frame) this.#show(feed, moment); // else somebody else's came first
  }

  #show(feed: Feed, moment: Moment): void {
    const { atMs, ...view } = viewOf(moment, feed.choice);
    const said = JSON.stringify(view);
    if (said === feed.said) return;
    feed.said = said;
    feed.frame = eventOf('view', `{"atMs":${atMs},${said.slice(1)}`);
    for (const wake of feed.wakers) wake();
  }

  /** What there is to see now; those that ask soon after one another see the same. */
  async #moment(): Promise<Moment> {
    const nowMs = this.#parts.clock.nowMs();
    if (this.#last && Math.abs(nowMs - this.#last.atMs) < this.#freshMs) return this.#last.moment;
    const moment = this.#observe(nowMs);
    this.#last = { atMs: nowMs, moment };
    moment.catch(() => (this.#last = undefined));
    return moment;
  }

  async #observe(atMs: number): Promise<Moment> {
    const { version, windows, flow } = this.#parts;
    const stages = await flow.read(atMs);
    const before = process.threadCpuUsage();
    const assessed = this.#assessed();
    this.#freshMs = restMs(before, freshMs);
    return { atMs, version, windows, flow: stages, assessed };
  }

  #assessed(): Assessed | undefined {
    const { standings, kpis, incidents, rollbacks, objectiveOf, hasPolicies } = this.#parts;
    const judged = standings();
    if (!judged) return undefined;
    return {
      figures: figuresIn(kpis()),
      standings: judged,
      incidents: [...incidents()],
      rollbacks: rollbacks(),
      trends: this.#trends,
      evidence: this.#evidence,
      objectiveOf,
      hasPolicies: hasPolicies(),
    };
  }
}

/** How long to rest from what began at `before`, so that it keeps to its share of the time; `leastMs` at least. */
function restMs(before: NodeJS.CpuUsage, leastMs: number): number {
  const { user, system } = process.threadCpuUsage(before);
  return Math.min(Math.max(leastMs, (user + system) / 1000 / cpuShare), viewAtLeastEveryMs);
}

function keyOf({ window, place }: Choice): string {
  return JSON.stringify([window, place?.agent, place?.environment]);
}

/** Whether the view changed before it was time for a heartbeat, or `over` aborted. */
async function isChanged({ wakers }: Feed, over: AbortSignal): Promise<boolean> {
  if (over.aborted) return false;
  return new Promise((resolve) => {
    const settle = (changed: boolean): void => {
      wakers.delete(wake);
      clearTimeout(timer);
      over.removeEventListener('abort', cancel);
      resolve(changed);
    };
    const wake = (): void => settle(true);
    const cancel = (): void => settle(false);
    const timer = setTimeout(cancel, heartbeatMs).unref();
    wakers.add(wake);
    over.addEventListener('abort', cancel, { once: true });
  });
}
