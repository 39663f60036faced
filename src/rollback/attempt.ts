import type { AttemptBody, Cause, FrozenPlan, JournalEvent, Refusal, Review } from './rollback-event.ts';

/** Where an attempt stands. */
const attemptStates = [
  'requested',
  'awaiting_approval',
  'approved',
  'executing',
  'verifying',
  'done',
  'failed',
  'refused',
  'expired',
  'dry_run',
  'moved',
] as const;
export type AttemptState = (typeof attemptStates)[number];

/** Those from which more is to come by itself or by somebody's approval. */
export const openStates: readonly AttemptState[] = attemptStates.slice(0, 5);
const overStates: readonly AttemptState[] = attemptStates.slice(5);

/** One try to take a release back, as its events say. Times in milliseconds since the epoch. */
export interface Attempt {
  readonly id: string;
  /** The idempotency key. */
  readonly key: string;
  readonly cause: Cause;
  readonly agent: string;
  readonly environment: string;
  readonly from: string;
  readonly reason: string;
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly plan: FrozenPlan;
  readonly requestedMs: number;
  /** Everybody who asked, first the one who began it. */
  readonly askers: readonly string[];
  readonly state: AttemptState;
  /** When it came into its state. */
  readonly sinceMs: number;
  /** How often the journal says that somebody asked again. */
  readonly repeats: number;
  /** How often somebody asked, as far as the journal says; that the judge finds the same again is no asking. */
  readonly asks: number;
  /** The last time that somebody asked and the journal has it. */
  readonly askedMs: number;
  /** The release to go back to; '' until that is chosen. */
  readonly to: string;
  /** Until when it may be approved, and by how many people; the hash of the event that asked for that. */
  readonly approval:
    | { readonly expiresMs: number; readonly approvals: number; readonly hash: string }
    | undefined;
  /** Everybody who approved and had not asked for it before it was begun, the first one first. */
  readonly approvedBy: readonly string[];
  /** The process that began to act. */
  readonly instance: string;
  /** When the target got the order, as far as that is known. */
  readonly actedMs: number | undefined;
  /** Why it is where it is; '' where the state says it. */
  readonly outcome: string;
  readonly refusal: Refusal | undefined;
  /** What somebody said last of whether it was right. */
  readonly review: SaidReview | undefined;
  /** What people were told of it. */
  readonly paged: readonly string[];
}

/** What somebody said of an attempt that was over, and when. */
export interface SaidReview {
  readonly review: Review;
  readonly by: string;
  readonly note: string;
  readonly saidMs: number;
}

/** Whether more is to come of it. */
export function isOpen({ state }: Pick<Attempt, 'state'>): boolean {
  return openStates.includes(state);
}

/** The attempt that `event` begins. */
export function attemptOf({
  timeMs,
  body,
}: JournalEvent & { readonly body: Extract<AttemptBody, { event: 'requested' }> }): Attempt {
  const { event: _, by, ...said } = body;
  return {
    ...said,
    requestedMs: timeMs,
    askers: [by],
    state: 'requested',
    sinceMs: timeMs,
    askedMs: timeMs,
    repeats: 0,
    asks: 1,
    to: '',
    approval: undefined,
    approvedBy: [],
    instance: '',
    actedMs: undefined,
    outcome: '',
    refusal: undefined,
    review: undefined,
    paged: [],
  };
}

/** From which states an event moves an attempt; elsewhere it says nothing. */
const movesFrom: Readonly<Record<Exclude<AttemptBody['event'], 'requested'>, readonly AttemptState[]>> = {
  repeated: [...attemptStates],
  paged: [...attemptStates],
  reviewed: overStates,
  approval_asked: ['requested', 'approved'],
  approval_given: ['awaiting_approval'],
  approved: ['awaiting_approval'],
  refused: ['requested', 'awaiting_approval', 'approved'],
  expired: ['requested', 'awaiting_approval', 'approved'],
  dry_run: ['requested', 'approved'],
  executing: ['requested', 'approved'],
  acted: ['executing'],
  moved: ['executing'],
  failed: ['executing', 'verifying'],
  done: ['verifying'],
};

/** `attempt` after `body`, which is about it and was appended at `timeMs` with `hash`. */
export function attemptAfter(
  attempt: Attempt,
  body: Exclude<AttemptBody, { event: 'requested' }>,
  at: Pick<JournalEvent, 'timeMs' | 'hash'>,
): Attempt {
  if (!movesFrom[body.event].includes(attempt.state)) return attempt;
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all others move it, which the compiler checks
  switch (body.event) {
    case 'repeated':
      return {
        ...attempt,
        askers: [...new Set([...attempt.askers, body.by])],
        approvedBy: approvedWithout(attempt, body.by),
        repeats: attempt.repeats + 1,
        asks: attempt.asks + Number(isAsking(attempt, body)),
        askedMs: at.timeMs,
      };
    case 'paged':
      return { ...attempt, paged: [...attempt.paged, body.what] };
    case 'approval_given':
      return { ...attempt, approvedBy: approvedBy(attempt, body.by) };
    case 'reviewed':
      return { ...attempt, review: { review: body.review, by: body.by, note: body.note, saidMs: at.timeMs } };
    default:
      return { ...attempt, ...moveOf(attempt, body, at), sinceMs: at.timeMs };
  }
}

type Move = Exclude<
  AttemptBody,
  { event: 'requested' | 'repeated' | 'paged' | 'approval_given' | 'reviewed' }
>;

/** Into which state `body` brings `attempt`, and what changes with that. */
function moveOf(
  attempt: Attempt,
  body: Move,
  { timeMs, hash }: Pick<JournalEvent, 'timeMs' | 'hash'>,
): Partial<Attempt> & Pick<Attempt, 'state'> {
  switch (body.event) {
    case 'approval_asked': {
      const { to, approvals, reason: outcome } = body;
      const expiresMs = Math.min(body.expiresMs, timeMs + attempt.plan.approvalMs);
      return { state: 'awaiting_approval', to, approval: { expiresMs, approvals, hash }, outcome };
    }
    case 'approved':
      return { state: 'approved', approvedBy: approvedBy(attempt, body.by), outcome: '' };
    case 'refused':
      return { state: 'refused', outcome: refusalOf(body), refusal: body.why };
    case 'expired':
      return { state: 'expired', outcome: expiryOf(attempt) };
    case 'dry_run':
      return { state: 'dry_run', to: body.to, outcome: body.reason };
    case 'executing':
      return { state: 'executing', to: body.to, instance: body.instance };
    case 'acted':
      return { state: 'verifying', actedMs: timeMs, outcome: body.reason };
    case 'moved':
    case 'failed':
    case 'done':
  }
  return { state: body.event, outcome: body.reason };
}

/** Whether one more request for `attempt` is news of somebody: the judge says the same as long as the release runs. */
export function isAsking(
  { askers }: Attempt,
  { cause, by }: Pick<Extract<AttemptBody, { event: 'repeated' }>, 'cause' | 'by'>,
): boolean {
  return cause !== 'judge' || !askers.includes(by);
}

function refusalOf({ by, why, reason }: Extract<AttemptBody, { event: 'refused' }>): string {
  if (why !== 'human') return reason;
  return reason === '' ? `refused by ${by}` : `refused by ${by}: ${reason}`;
}

function approvedBy({ approvedBy: before }: Attempt, by: string): readonly string[] {
  return [...new Set([...before, by])];
}

/** Who asks for what waits or is to begin approves it no more; what is begun was approved. */
function approvedWithout({ state, approvedBy: before }: Attempt, asker: string): readonly string[] {
  const isWaiting = state === 'awaiting_approval' || state === 'approved';
  return isWaiting ? before.filter((name) => name !== asker) : before;
}

function expiryOf({ state, approvedBy: approvers, approval }: Attempt): string {
  if (state !== 'awaiting_approval')
    return 'it waited too long for its turn, so that nobody knows whether it is still wanted';
  if (approvers.length === 0) return 'nobody approved it in time';
  return `${approvers.join(', ')} approved it in time, and ${approval?.approvals ?? 1} people had to`;
}
