import { Failure } from '../core/failure.ts';
import { instant } from '../core/instant.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import { isAsking, type Attempt } from './attempt.ts';
import type { AttemptBody } from './rollback-event.ts';
import type { Journal } from './journal.ts';
import { cooldownEndMs, joiningOf, restsUntilMs, type StepFacts } from './next-step.ts';
import type { DeskParts, OrderDesk } from './order-desk.ts';
import type { CurrentRelease } from './target-adapter.ts';
import {
  keyOf,
  sandboxOf,
  type RequestOutcome,
  type RollbackPlan,
  type RollbackRequest,
} from './rollback-plan.ts';

/** What requests are answered with. */
export interface RequestParts {
  readonly journal: Journal;
  readonly desk: Pick<OrderDesk, 'current'>;
  readonly figureOf: DeskParts['figureOf'];
  /** What the policies in use say; undefined where they say nothing of rollbacks. */
  readonly planOf: (agent: string, environment: string) => RollbackPlan | undefined;
  readonly facts: () => StepFacts;
}

/** A plan by which something is to be done or said. */
type LivePlan = RollbackPlan & { readonly mode: Exclude<RollbackPlan['mode'], 'off'> };

type Repeat = Extract<AttemptBody, { event: 'repeated' }>;

/** So many names of those who asked are kept of an attempt, beside those of its approvers: these may not approve it then. */
const limitAskers = 20;
/** So long a look at what a target runs answers all who ask. */
const lookMs = 5000;
/** Others may be faster so often. */
const limitTries = 20;
/** What a release is called that stands for several, or when nobody knows which it is. */
const noReleases: readonly string[] = ['', 'unknown', 'overflow'];

/**
 * Makes attempts of requests. One attempt is open for each idempotency key, and the answer to a request stands for a
 * while: what is asked again is counted, and the journal hears of the first time and of everybody new who asks.
 */
export class Requests {
  readonly #parts: RequestParts;
  /** By the id of the attempt; how often it was asked for, as far as this process knows. */
  readonly #asks = new Map<string, { count: number; lastMs: number }>();
  /** What was seen of targets some seconds ago, by idempotency key. */
  readonly #looks = new Map<string, { readonly atMs: number; readonly current: Promise<CurrentRelease> }>();
  readonly #counts = new Map<string, { readonly cause: string; readonly outcome: string; count: number }>();

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /** How many requests had which outcome. */
  get counts(): readonly { readonly cause: string; readonly outcome: string; readonly count: number }[] {
    return [...this.#counts.values()];
  }

  /** How often `attempt` was asked for. */
  asksFor({ id, asks }: Attempt): number {
    return this.#asks.get(id)?.count ?? asks;
  }

  /** Resolves when the journal, which was read just before, has `request` durably. Rejects with a Failure when it may not. */
  async take(request: RollbackRequest): Promise<RequestOutcome> {
    const outcome = await this.#taken(request);
    const place = `${request.cause}/${outcome.kind}`;
    const known = this.#counts.get(place) ?? { cause: request.cause, outcome: outcome.kind, count: 0 };
    known.count++;
    this.#counts.set(place, known);
    return outcome;
  }

  async #taken(request: RollbackRequest): Promise<RequestOutcome> {
    const { agent, environment, release } = request;
    if (noReleases.includes(release)) return ignored(`"${release}" is no release that could be taken back`);
    const plan = this.#parts.planOf(agent, environment);
    if (!plan) return ignored(`no policy says how ${agent} in ${environment} is taken back`);
    if (plan.mode === 'off') return ignored(`the policy ${plan.policy} says off`);
    const live: LivePlan = isRehearsal(environment)
      ? { ...plan, mode: 'auto', target: sandboxOf(agent, environment) }
      : { ...plan, mode: plan.mode };
    for (let tries = 0; tries < limitTries; tries++) {
      const outcome = await this.#join(request, live);
      if (outcome) return outcome;
    }
    throw new Failure('unavailable', 'others ask for the same rollback all the time');
  }

  /** Joins the latest attempt of the key or begins one; undefined when that attempt changed meanwhile. */
  async #join(request: RollbackRequest, plan: LivePlan): Promise<RequestOutcome | undefined> {
    const { release: from, requestedBy: by, cause, agent, environment, reason, evidence } = request;
    const { journal } = this.#parts;
    const key = keyOf(request, plan.target);
    const prior = journal.book.latest(key);
    const cooling = await this.#cooling(request, prior, plan);
    if (cooling !== undefined) return ignored(cooling);
    const joins = prior !== undefined && (await this.#joins(prior, plan));
    const elsewhere = joins ? undefined : await this.#elsewhere(request, key, plan);
    if (elsewhere !== undefined) return ignored(elsewhere);
    let changed = false;
    const before = prior === undefined ? 0 : this.asksFor(prior);
    const event = await journal.append((book) => {
      const latest = book.latest(key);
      changed = latest?.id !== prior?.id || latest?.state !== prior?.state;
      if (changed) return undefined;
      if (joins) return repeatOf(latest ?? prior, { cause, by });
      const id = `${key.slice(0, 16)}-${journal.head.seq + 1}`;
      return { event: 'requested', id, key, cause, agent, environment, from, by, reason, evidence, plan };
    });
    if (changed) return undefined;
    if (joins) {
      this.#asked(prior.id, before + Number(isAsking(prior, { cause, by })));
      return { kind: 'joined', id: prior.id, state: prior.state };
    }
    const id = event?.body.event === 'requested' ? event.body.id : '';
    this.#asked(id, 1);
    return { kind: 'accepted', id };
  }

  #asked(id: string, count: number): void {
    const { book } = this.#parts.journal;
    this.#asks.set(id, { count, lastMs: this.#parts.facts().nowMs });
    for (const known of this.#asks.keys()) if (!book.attempt(known)) this.#asks.delete(known);
  }

  /** What the target that requests with `key` are of ran some seconds ago, at most, and after `sinceMs`. */
  async #look(
    key: string,
    of: Parameters<OrderDesk['current']>[0],
    sinceMs = Number.NEGATIVE_INFINITY,
  ): Promise<CurrentRelease> {
    const { nowMs } = this.#parts.facts();
    for (const [place, { atMs }] of this.#looks) if (nowMs - atMs >= lookMs) this.#looks.delete(place);
    const known = this.#looks.get(key);
    if (known && known.atMs > sinceMs) return known.current;
    const current = this.#parts.desk.current(of);
    this.#looks.set(key, { atMs: nowMs, current });
    return current;
  }

  /** Why what a person asks for begins nothing: the target says that it runs another release. */
  async #elsewhere(request: RollbackRequest, key: string, plan: LivePlan): Promise<string | undefined> {
    const { cause, environment, release: from } = request;
    if (cause !== 'human') return undefined;
    const current = await this.#look(key, { id: '', environment, from, plan });
    if (current.kind !== 'known' || current.release === from) return undefined;
    return `${plan.target} runs ${current.release}, and not ${from}: name the release that is to go`;
  }

  /** Why what a person asks for has to wait: the target runs again what was taken back a while ago. Others are told by a page. */
  async #cooling(
    { cause, release: from }: RollbackRequest,
    prior: Attempt | undefined,
    plan: LivePlan,
  ): Promise<string | undefined> {
    const isAgain = prior?.state === 'done' || prior?.refusal === 'cooldown';
    if (cause !== 'human' || !isAgain || isRehearsal(prior.environment)) return undefined;
    const untilMs = cooldownEndMs({ plan }, this.#parts.journal.book);
    if (this.#parts.facts().nowMs >= untilMs) return undefined;
    const current = await this.#look(prior.key, prior, prior.sinceMs);
    if (current.kind !== 'known' || current.release !== from) return undefined;
    return `${plan.target} runs ${from} again; the cooldown of ${plan.target} ends at ${instant(untilMs)}`;
  }

  async #joins(prior: Attempt, plan: LivePlan): Promise<boolean> {
    const { journal, figureOf } = this.#parts;
    const facts = this.#parts.facts();
    const lastAskedMs = Math.max(prior.askedMs, this.#asks.get(prior.id)?.lastMs ?? 0);
    const isEarnest = plan.mode !== 'dry_run' && facts.stopReason === undefined;
    const joining = joiningOf(prior, journal.book, { ...facts, lastAskedMs, isEarnest, plan });
    if (joining !== 'ask') return joining === 'join';
    const current = await this.#look(prior.key, prior, prior.sinceMs);
    if (current.kind === 'known') return current.release !== prior.from;
    if (current.kind === 'unreachable') return true;
    if (facts.nowMs < restsUntilMs(prior, journal.book)) return true;
    const { agent, environment, from: release, sinceMs } = prior;
    const figure = figureOf(plan.verify.kpi, { agent, release, environment }, sinceMs);
    return figure === undefined || figure.events === 0; // only its traffic tells that it runs again
  }
}

function ignored(reason: string): RequestOutcome {
  return { kind: 'ignored', reason };
}

/** What the journal is to hear of one more request; undefined when that is only counted. */
function repeatOf(
  { id, askers, repeats, plan }: Attempt,
  said: Pick<Repeat, 'cause' | 'by'>,
): Repeat | undefined {
  const isKept = askers.length < limitAskers || plan.approvers.includes(said.by);
  const isNews = repeats === 0 || (!askers.includes(said.by) && isKept);
  return isNews ? { event: 'repeated', id, ...said } : undefined;
}
