import type { Answers, ReleaseRow, RollbackRow } from './answers.ts';
import { monthAt, type Month } from './month.ts';
import { rateOf, type Rate } from './rate.ts';
import { statedPolicies } from './stated-policy.ts';

/**
 * What became of a release: it was taken back, and nobody found that wrong; a dry run would have taken it back, and a person found that right, or wrong,
 * or nobody has said; it had an incident of severity 1 to 3, other than of its rollback; it was taken back,
 * and people found that wrong; or nothing of that, though it was judged, or while no policy had it judged.
 */
export type Fate =
  | 'rolled_back'
  | 'rolled_back_wrongly'
  | 'would_have_been_right'
  | 'would_have_been_wrong'
  | 'would_have_been'
  | 'incident'
  | 'kept'
  | 'not_judged';

/** A change: a release that an agent got after it had another. */
export interface ShippedRelease {
  readonly agent: string;
  readonly release: string;
  /** When its first run ended. */
  readonly first: string;
  readonly runs: number;
  readonly success: Rate;
  readonly fate: Fate;
}

/** What people said of attempts that are over. */
export interface Reviews {
  readonly times: number;
  readonly right: number;
  readonly wrong: number;
  readonly notReviewed: number;
}

/** Attempts of a month to take releases back. */
export interface RollbackFigures {
  readonly asked: number;
  /** Done by itself, after somebody approved it, and because a person asked for it. */
  readonly automatic: number;
  readonly approved: number;
  readonly manual: number;
  /** Reviews of those that were done; the wrong ones took a good release back. */
  readonly done: Reviews;
  /** Those that a dry run would have done. */
  readonly dryRun: Reviews;
  readonly failed: number;
  /** Refused, expired, moved on by somebody else, or without a release to go back to. */
  readonly notDone: number;
  readonly underWay: number;
}

/** Releases of the month and of those before. */
export interface ReleaseFigures {
  readonly shipped: readonly ShippedRelease[];
  readonly shippedBefore: number;
  readonly rollbacks: RollbackFigures;
  readonly rollbacksBefore: RollbackFigures;
  /** Releases that were taken back and not wrongly, or rightly would have been, or had an incident of severity 1 to 3, of those that were shipped in the same month. */
  readonly changeFail: Rate;
  readonly changeFailBefore: Rate;
  /** From the decision to take a release back to the verified rollback; null where there was none. */
  readonly recoveryMedianSeconds: number | null;
  readonly recoveryMedianSecondsBefore: number | null;
}

const failing: readonly Fate[] = ['rolled_back', 'would_have_been_right', 'incident'];
const graver = ['sev1', 'sev2', 'sev3'];

/** The releases of `month` and of the months before it. */
export function releaseFigures(
  answers: Pick<Answers, 'releases' | 'rollbacks' | 'incidents' | 'policies'>,
  month: Month,
): ReleaseFigures {
  const judging = new Set(
    statedPolicies(answers.policies)
      .filter(({ gates, isCut }) => isCut || gates?.canary !== undefined)
      .map(({ revision }) => revision),
  );
  const all = answers.releases.map((row) => shippedOf(row, answers, judging));
  const isNow = (time: number | string): boolean => monthAt(new Date(time).getTime()) === month;
  const [shipped, shippedBefore] = parted(all, ({ first }) => isNow(first));
  const [attempts, attemptsBefore] = parted(answers.rollbacks, ({ requestedMs }) => isNow(requestedMs));
  return {
    shipped,
    shippedBefore: shippedBefore.length,
    rollbacks: rollbackFigures(attempts),
    rollbacksBefore: rollbackFigures(attemptsBefore),
    changeFail: changeFail(shipped),
    changeFailBefore: changeFail(shippedBefore),
    recoveryMedianSeconds: recovery(attempts),
    recoveryMedianSecondsBefore: recovery(attemptsBefore),
  };
}

/** `judging` are the revisions of policies that have releases judged. */
function shippedOf(
  row: ReleaseRow,
  answers: Pick<Answers, 'rollbacks' | 'incidents'>,
  judging: ReadonlySet<string>,
): ShippedRelease {
  const { agent, release, firstMs, runs, good, revisions } = row;
  const fate = fateOf(row, answers);
  return {
    agent,
    release,
    first: new Date(firstMs).toISOString(),
    runs,
    success: rateOf(good, runs),
    fate: fate === 'kept' && !revisions.some((one) => judging.has(one)) ? 'not_judged' : fate,
  };
}

function fateOf(
  { agent, release }: ReleaseRow,
  { rollbacks, incidents }: Pick<Answers, 'rollbacks' | 'incidents'>,
): Fate {
  const attempts = rollbacks.filter((one) => one.agent === agent && one.release === release);
  const done = attempts.filter(({ state }) => state === 'done');
  if (done.some(({ review }) => review !== 'wrong')) return 'rolled_back';
  const dry = attempts.filter(wouldHave);
  if (dry.some(({ review }) => review === 'right')) return 'would_have_been_right';
  const hadIncident = incidents.some(
    (one) =>
      one.agent === agent && one.release === release && one.ofRelease > 0 && graver.includes(one.severity),
  );
  if (hadIncident) return 'incident';
  if (done.length > 0) return 'rolled_back_wrongly';
  if (dry.length === 0) return 'kept';
  return dry.some(({ review }) => review === '') ? 'would_have_been' : 'would_have_been_wrong';
}

/** Without a release to go back to nothing would have been done. */
function wouldHave({ state, destination }: RollbackRow): boolean {
  return state === 'dry_run' && destination !== '';
}

function isNotDone({ state, destination }: RollbackRow): boolean {
  return ['refused', 'expired', 'moved'].includes(state) || (state === 'dry_run' && destination === '');
}

function rollbackFigures(attempts: readonly RollbackRow[]): RollbackFigures {
  const done = attempts.filter(({ state }) => state === 'done');
  const dry = attempts.filter(wouldHave);
  const manual = done.filter(({ cause }) => cause === 'human').length;
  const approved = done.filter(({ cause, isApproved }) => cause !== 'human' && isApproved).length;
  const failed = attempts.filter(({ state }) => state === 'failed').length;
  const notDone = attempts.filter(isNotDone).length;
  return {
    asked: attempts.length,
    automatic: done.length - manual - approved,
    approved,
    manual,
    done: reviewsOf(done),
    dryRun: reviewsOf(dry),
    failed,
    notDone,
    underWay: attempts.length - done.length - dry.length - failed - notDone,
  };
}

function reviewsOf(attempts: readonly RollbackRow[]): Reviews {
  const right = attempts.filter(({ review }) => review === 'right').length;
  const wrong = attempts.filter(({ review }) => review === 'wrong').length;
  return { times: attempts.length, right, wrong, notReviewed: attempts.length - right - wrong };
}

function changeFail(shipped: readonly ShippedRelease[]): Rate {
  return rateOf(shipped.filter(({ fate }) => failing.includes(fate)).length, shipped.length);
}

function recovery(attempts: readonly RollbackRow[]): number | null {
  const done = attempts.filter(({ state }) => state === 'done');
  const seconds = done
    .map(({ requestedMs, doneMs }) => (doneMs - requestedMs) / 1000)
    .toSorted((a, b) => a - b);
  const [low, high] = [seconds[Math.ceil(seconds.length / 2) - 1], seconds[Math.floor(seconds.length / 2)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

function parted<T>(
  all: readonly T[],
  isFirst: (one: T) => boolean,
): [first: readonly T[], rest: readonly T[]] {
  return [all.filter((one) => isFirst(one)), all.filter((one) => !isFirst(one))];
}
