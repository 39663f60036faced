import { instant } from '../core/instant.ts';
import type { Attempt } from './attempt.ts';
import { openBreaker } from './next-step.ts';
import { everyTarget, type OpenBreaker, type RollbackBook } from './rollback-book.ts';

/** What somebody has to be told of: it becomes an incident. */
export interface Page {
  /** The same thing has the same key. */
  readonly key: string;
  readonly severity: 'sev1' | 'sev2' | 'sev3' | 'sev4';
  readonly title: string;
  readonly summary: string;
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly owner: string;
}

const ofRollbacks = 'rollback/';
const ofBreakers = `${ofRollbacks}breaker/`;
const ofJournal = `${ofRollbacks}journal`;

/** So much of a hash tells the askings of one attempt apart. */
const hashLength = 16;

/** What people are to be told of `attempt` as it is now, under a name of its own; undefined when nothing. */
export function pageOf(attempt: Attempt): { readonly what: string; readonly page: Page } | undefined {
  const text = textOf(attempt);
  if (!text) return undefined;
  const { id, agent, environment, from, plan, state, approval } = attempt;
  // An approval may be asked for again, and that is news.
  const what =
    state === 'awaiting_approval' && approval ? `${state}/${approval.hash.slice(0, hashLength)}` : state;
  const page: Page = {
    key: `${ofRollbacks}${id}/${what}`,
    severity: 'sev2',
    ...text,
    agent,
    release: from,
    environment,
    owner: plan.owner,
  };
  return { what, page };
}

/**
 * Whether what people were told under `key` is over, by a journal that can be relied on: somebody decided, or the breaker
 * is closed, or it was asked for again and that is what is to be told now. What failed is over when a person says so.
 */
export function isOver(key: string, book: RollbackBook): boolean {
  if (key === ofJournal) return true;
  if (key.startsWith(ofBreakers)) {
    const scope = key.slice(ofBreakers.length, key.lastIndexOf('/'));
    return !book.breakers.some((breaker) => breaker.scope === scope);
  }
  const [, id = '', state] = key.split('/');
  const attempt = key.startsWith(ofRollbacks) ? book.attempt(id) : undefined;
  if (!attempt) return false;
  if (state === 'awaiting_approval') return pageOf(attempt)?.page.key !== key;
  if (state !== 'refused' && state !== 'expired') return false;
  return book.latest(attempt.key)?.id !== id || isBreakerClosed(attempt, book);
}

/** Whether a breaker kept `attempt` from being done, and none would now. */
function isBreakerClosed({ refusal, plan, sinceMs }: Attempt, book: RollbackBook): boolean {
  if (refusal !== 'limit' || openBreaker(plan.target, book)) return false;
  return [plan.target, everyTarget].some((scope) => book.isClosedSince(scope, sinceMs));
}

function textOf(attempt: Attempt): Pick<Page, 'title' | 'summary'> | undefined {
  const { id, agent, environment, from, to, state, outcome, refusal, approval, reason } = attempt;
  const subject = `${agent} ${from} in ${environment}`;
  if (state === 'awaiting_approval' && approval)
    return {
      title: 'RollbackNeedsApproval',
      summary: `${subject} is to go back to ${to} (${reason}). ${deciders(attempt, approval.approvals)} until ${instant(approval.expiresMs)}: plimsoll rollback approve ${id}`,
    };
  if (state === 'expired') return { title: 'RollbackExpired', summary: `${subject} still runs: ${outcome}.` };
  if (state === 'failed') return { title: 'RollbackFailed', summary: `${subject} to ${to}: ${outcome}.` };
  if (state === 'refused' && refusal !== 'human')
    return { title: 'RollbackNotPossible', summary: `${subject} still runs: ${outcome}.` };
  return undefined;
}

function deciders({ plan, approvedBy }: Attempt, approvals: number): string {
  const names = plan.approvers.join(', ');
  if (approvals === 1) return `One of ${names} decides`;
  const done = approvedBy.length === 0 ? '' : `, of whom ${approvedBy.join(', ')} did,`;
  return `${approvals} of ${names} have to approve${done}`;
}

/** What people are to be told of an open breaker. */
export function breakerPage({ scope, reason, sinceMs }: OpenBreaker): Page {
  return ofNobody(
    `${ofBreakers}${scope}/${sinceMs}`,
    'RollbackBreakerOpen',
    `Nothing more is rolled back (${scope}): ${reason}. When the cause is known: plimsoll rollback close-breaker ${scope}`,
  );
}

/** What people are to be told of a journal that nobody can rely on. */
export function journalPage(fault: string): Page {
  return ofNobody(ofJournal, 'RollbackJournalBroken', `Nothing is rolled back: ${fault}.`);
}

/** What people are to be told of a notification that was not whole. */
export function truncatedPage(count: number): Page {
  return ofNobody(
    'rollback/truncated-alerts',
    'AlertsTruncated',
    `Alertmanager left out ${count} alerts of a notification, so that some releases may not be taken back: remove max_alerts from the receiver.`,
  );
}

function ofNobody(key: string, title: string, summary: string): Page {
  return { key, severity: 'sev2', title, summary, agent: '', release: '', environment: '', owner: '' };
}
