import type { Family } from '../kpi/family.ts';
import { gauge } from '../kpi/gauges.ts';
import { openStates, type Attempt } from './attempt.ts';
import type { ChainHead } from './chain.ts';
import type { RollbackBook } from './rollback-book.ts';

/** What is known of rollbacks, to be shown as metrics. */
export interface RollbackFacts {
  readonly book: RollbackBook;
  readonly head: ChainHead;
  readonly voids: number;
  readonly requests: readonly { readonly cause: string; readonly outcome: string; readonly count: number }[];
  /** What the journal says is exported by the process that acts. */
  readonly isActing: boolean;
  readonly stopReason: string | undefined;
  readonly fault: string | undefined;
  readonly nowMs: number;
}

const dayMs = 86_400_000;
const humanStates = ['awaiting_approval', 'failed', 'expired', 'refused'] as const;

/** The metrics of rollbacks. */
export function rollbackFamilies(facts: RollbackFacts): readonly Family[] {
  const { requests, voids, fault, isActing } = facts;
  return [
    counter(
      'plimsoll_rollback_requests_total',
      'Requests to take a release back, by what became of them: accepted, joined to an attempt, or ignored.',
      requests.map(({ count, ...labels }) => sample(labels, count)),
    ),
    counter(
      'plimsoll_rollback_void_events_total',
      'Events that lost against another process at the same place of the journal.',
      [sample({}, voids)],
    ),
    gauge(
      'plimsoll_rollback_fault',
      '1 while nothing is decided, because the journal is out of reach or was tampered with.',
      [sample({}, Number(fault !== undefined))],
    ),
    ...(isActing ? journalFamilies(facts) : []),
  ];
}

function journalFamilies({ book, head, stopReason, nowMs }: RollbackFacts): readonly Family[] {
  const attention = book.attempts.filter((attempt) => needsHuman(attempt, book, nowMs));
  const waiting = humanStates.map((what) => sample({ what }, inState(what, attention)));
  return [
    counter(
      'plimsoll_rollback_attempts_total',
      'Attempts that came into a state, since the journal began.',
      [...book.counts].map(({ target, state, count }) => sample({ target, state }, count)),
    ),
    gauge(
      'plimsoll_rollback_attempts_open',
      'Attempts that are under way, by state.',
      openStates.map((state) => sample({ state }, inState(state, book.attempts))),
    ),
    gauge(
      'plimsoll_rollback_needs_human',
      'What waits for a person: approvals, open breakers, and attempts of the last day that failed, expired or were not possible.',
      [...waiting, sample({ what: 'breaker' }, book.breakers.length)],
    ),
    gauge(
      'plimsoll_rollback_breaker_open',
      '1 for each breaker that is open: nothing is done to its target until a person closes it.',
      book.breakers.map(({ scope }) => sample({ scope }, 1)),
    ),
    gauge(
      'plimsoll_rollback_stopped',
      '1 while all rollbacks are stopped, so that they only say what they would do; those that were approved wait, to be done when that ends.',
      [sample({}, Number(stopReason !== undefined))],
    ),
    gauge(
      'plimsoll_rollback_reviews',
      'How often a policy had a release taken back (done, failed) or would have (dry_run), by whether people found that right.',
      book.reviews.flatMap(({ policy, state, times, right, wrong }) =>
        Object.entries({ right, wrong, none: times - right - wrong }).map(([review, count]) =>
          sample({ policy, state, review }, count),
        ),
      ),
    ),
    gauge(
      'plimsoll_rollback_journal_head',
      'How many events the journal has; the label is the hash of the last one, which tells whether the file was rewritten.',
      [sample({ hash: head.hash }, head.seq)],
    ),
    gauge(
      'plimsoll_drill_last_success_timestamp_seconds',
      'When a drill last passed.',
      book.passedDrills.map(({ policy, scenario, endedMs }) => sample({ policy, scenario }, endedMs / 1000)),
    ),
  ];
}

/** Whether somebody should look at `attempt`, and nothing has made up for it since. */
function needsHuman(attempt: Attempt, book: RollbackBook, nowMs: number): boolean {
  if (attempt.state === 'awaiting_approval') return true;
  const isBad =
    attempt.state === 'failed' ||
    attempt.state === 'expired' ||
    (attempt.state === 'refused' && attempt.refusal !== 'human');
  return isBad && nowMs - attempt.sinceMs <= dayMs && book.latest(attempt.key)?.id === attempt.id;
}

function sample(labels: Readonly<Record<string, string>>, value: number): Family['samples'][number] {
  return { labels: Object.entries(labels), value };
}

function counter(name: string, help: string, samples: Family['samples']): Family {
  return { name, help, kind: 'counter', samples };
}

function inState(state: string, attempts: readonly Attempt[]): number {
  return attempts.filter((attempt) => attempt.state === state).length;
}
