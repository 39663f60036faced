import type { TableRow } from '../../src/core/table-row.ts';
import { eventAfter, genesis, type ChainHead } from '../../src/rollback/chain.ts';
import { pageOf, type Page } from '../../src/rollback/page.ts';
import { RollbackBook } from '../../src/rollback/rollback-book.ts';
import type { EventBody, FrozenPlan } from '../../src/rollback/rollback-event.ts';
import { rollbackRow } from '../../src/rollback/rollback-row.ts';
import { rehearsalOf } from '../../src/semconv/rehearsal.ts';
import { at } from './days.ts';
import { policyAt } from './policies.ts';

type Requested = Extract<EventBody, { readonly event: 'requested' }>;

function planOf(agent: string, mode: FrozenPlan['mode'], timeMs: number): FrozenPlan {
  return {
    policy: agent,
    revision: policyAt(agent, 'production', timeMs)?.revision ?? '',
    owner: agent === 'refund-agent' ? 'team-payments' : 'team-support',
    approvers: ['risk@example.com'],
    mode,
    target: `${agent}-production`,
    cooldownMs: 1_800_000,
    perDay: 6,
    approvalMs: 3_600_000,
    verify: { kpi: 'run_success', minEvents: 20, withinMs: 1_200_000 },
  };
}

function requested(
  id: string,
  time: string,
  mode: FrozenPlan['mode'],
  said: Pick<Requested, 'agent' | 'from' | 'cause' | 'reason'> & Partial<Requested>,
): Requested {
  const by = said.cause === 'human' ? 'risk@example.com' : said.cause === 'alert' ? 'alertmanager' : 'judge';
  const plan = planOf(said.agent, mode, at(time));
  return { event: 'requested', id, key: id, environment: 'production', by, evidence: {}, plan, ...said };
}

function drilled(policy: string, scenario: string, started: string, passed: boolean): EventBody {
  const startedMs = at(started);
  return {
    event: 'drilled',
    by: 'ci',
    drill: {
      policy,
      scenario,
      environment: rehearsalOf('production', 'm1'),
      passed,
      startedMs,
      endedMs: startedMs + 1_500_000,
      evidence: { id: 'm1', kind: 'live', agent: policy, revision: '', links: [], checks: [] },
    },
  };
}

function approvalAsked(id: string, to: string, expires: string): EventBody {
  return { event: 'approval_asked', id, to, expiresMs: at(expires), approvals: 1, reason: '' };
}

function reviewed(id: string, review: 'right' | 'wrong', note: string): EventBody {
  return { event: 'reviewed', id, by: 'risk@example.com', review, note };
}

const scenario = 'tools-fail-30-percent';

/** What happened, in order. */
const history: readonly (readonly [time: string, body: EventBody])[] = [
  ['05-02 10:30', drilled('support-agent', scenario, '05-02 10:00', true)],
  ['07-20 10:30', drilled('refund-agent', scenario, '07-20 10:00', true)],
  [
    '08-19 11:00',
    requested('ask-1', '08-19 11:00', 'approve', {
      agent: 'refund-agent',
      from: '1.4.0',
      cause: 'human',
      reason: 'it costs twice as much',
    }),
  ],
  ['08-19 11:00', approvalAsked('ask-1', '1.3.0', '08-19 12:00')],
  [
    '08-19 11:20',
    { event: 'refused', id: 'ask-1', by: 'lead@example.com', why: 'human', reason: 'it is the input' },
  ],
  [
    '10-06 10:41',
    requested('bad-1', '10-06 10:41', 'auto', {
      agent: 'refund-agent',
      from: '1.5.0',
      cause: 'judge',
      reason: 'run_success fails: evidence 131 now, 100 is enough to roll back',
    }),
  ],
  ['10-06 10:41', { event: 'repeated', id: 'bad-1', cause: 'alert', by: 'alertmanager' }],
  ['10-06 10:41', { event: 'executing', id: 'bad-1', to: '1.4.1', instance: 'a' }],
  ['10-06 10:42', { event: 'acted', id: 'bad-1', isConfirmed: true, reason: 'the target took the order' }],
  [
    '10-06 11:03',
    {
      event: 'done',
      id: 'bad-1',
      reason: '1.4.1 meets run_success',
      evidence: { kpi: 'run_success', events: 22 },
    },
  ],
  ['10-07 09:00', reviewed('bad-1', 'right', '')],
  [
    '10-13 18:55',
    requested('would-1', '10-13 18:55', 'dry_run', {
      agent: 'support-agent',
      from: '9',
      cause: 'judge',
      reason: 'run_success fails: evidence 112 now, 100 is enough to roll back',
    }),
  ],
  ['10-13 18:55', { event: 'dry_run', id: 'would-1', to: '8', reason: 'the policy says dry_run' }],
  ['10-14 08:30', reviewed('would-1', 'wrong', 'the tickets of that day were odd')],
  ['10-14 11:00', reviewed('would-1', 'right', 'it was the new prompt')],
  ['10-15 10:30', drilled('refund-agent', scenario, '10-15 10:00', true)],
  [
    '10-15 10:12',
    requested('drill-1', '10-15 10:12', 'auto', {
      agent: 'refund-agent',
      from: 'drill-bad',
      cause: 'judge',
      reason: 'run_success fails',
      environment: rehearsalOf('production', 'm1'),
    }),
  ],
  ['10-15 10:12', { event: 'executing', id: 'drill-1', to: 'drill-good', instance: 'a' }],
  ['10-15 10:12', { event: 'acted', id: 'drill-1', isConfirmed: true, reason: '' }],
  ['10-15 10:20', { event: 'done', id: 'drill-1', reason: '', evidence: {} }],
  ['10-16 09:40', drilled('support-agent', scenario, '10-16 09:00', false)],
  [
    '10-19 14:00',
    requested('ask-2', '10-19 14:00', 'approve', {
      agent: 'refund-agent',
      from: '1.5.1',
      cause: 'judge',
      reason: 'run_success fails: evidence 104 now, 100 is enough to roll back',
    }),
  ],
  ['10-19 14:00', approvalAsked('ask-2', '1.4.1', '10-19 15:00')],
  [
    '10-19 14:12',
    { event: 'refused', id: 'ask-2', by: 'risk@example.com', why: 'human', reason: 'a test of the shop' },
  ],
  ['10-19 16:00', reviewed('ask-2', 'wrong', 'nobody was harmed')],
  [
    '10-23 11:10',
    requested('would-2', '10-23 11:10', 'dry_run', {
      agent: 'support-agent',
      from: '10',
      cause: 'alert',
      reason: 'PlimsollReleaseFails',
    }),
  ],
  ['10-23 11:10', { event: 'dry_run', id: 'would-2', to: '8', reason: 'the policy says dry_run' }],
  [
    '10-27 02:00',
    requested('ask-3', '10-27 02:00', 'approve', {
      agent: 'refund-agent',
      from: '1.5.1',
      cause: 'alert',
      reason: 'PlimsollReleaseFails',
    }),
  ],
  ['10-27 02:00', approvalAsked('ask-3', '1.4.1', '10-27 03:00')],
  ['10-27 03:00', { event: 'expired', id: 'ask-3' }],
  ['11-02 09:00', reviewed('would-2', 'wrong', 'an outage of the search')],
];

/** What people were told of, and when. */
interface Told {
  readonly page: Page;
  readonly atMs: number;
}

function told(): { readonly rows: readonly TableRow[]; readonly pages: readonly Told[] } {
  const book = new RollbackBook();
  let head: ChainHead = genesis;
  const pages = new Map<string, Told>();
  const rows = history.map(([time, body]) => {
    const event = eventAfter(head, body, at(time));
    head = event;
    book.apply(event);
    for (const attempt of book.attempts) {
      const page = pageOf(attempt)?.page;
      if (page && !pages.has(page.key)) pages.set(page.key, { page, atMs: at(time) });
    }
    return rollbackRow(event, book);
  });
  return { rows, pages: [...pages.values()] };
}

/**
 * Rows of `rollbacks`: one that was done, two that a dry run would have done, two that were refused, one that nobody
 * approved in time, drills, and reviews.
 */
export function rollbackRows(): readonly TableRow[] {
  return told().rows;
}

/** What people were told of these, which became incidents. */
export function rollbackPages(): readonly Told[] {
  return told().pages;
}
