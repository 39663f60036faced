import { isRehearsal } from '../semconv/rehearsal.ts';

/** What the API says of a review. */
export interface ListedReview {
  readonly review: string;
  readonly by: string;
  readonly note: string;
  /** When, as RFC 3339 writes it. */
  readonly said: string;
}

/** What the API lists of rollbacks. */
export interface ListedRollbacks {
  /** Whose token was shown: `token` where several have it; null where nobody has it. */
  readonly you: string | null;
  readonly stopped: string | null;
  readonly fault: string | null;
  readonly breakers: readonly { readonly scope: string; readonly reason: string; readonly since: string }[];
  readonly rollbacks: readonly {
    readonly id: string;
    readonly state: string;
    readonly agent: string;
    readonly environment: string;
    readonly from_release: string;
    readonly to_release: string | null;
    readonly reason: string;
    readonly outcome: string;
    readonly since: string;
    readonly expires: string | null;
    readonly asks: number;
    readonly asked_by: readonly string[];
    readonly approvers: readonly string[];
    readonly approved_by: readonly string[];
    readonly ticket: string | null;
    readonly next: string;
    readonly review: ListedReview | null;
  }[];
  readonly reviews: readonly {
    readonly policy: string;
    readonly state: string;
    readonly times: number;
    readonly right: number;
    readonly wrong: number;
    readonly not_reviewed: number;
  }[];
}

type ListedTally = ListedRollbacks['reviews'][number];

/** `listed` as text for people, the latest first; what waits for somebody stands before all, what was right after all, and drills at the end. */
export function rollbackList({ stopped, fault, breakers, rollbacks, reviews }: ListedRollbacks): string {
  const lines = [
    ...(fault === null ? [] : [`Nothing is decided: ${fault}`]),
    ...(stopped === null ? [] : [`All rollbacks are stopped: ${stopped}`]),
    ...breakers.map(
      ({ scope, reason, since }) => `The breaker of ${scope} is open since ${since}: ${reason}`,
    ),
  ];
  const latest = rollbacks.toReversed();
  const drills = latest.filter(({ environment }) => isRehearsal(environment));
  lines.push(...latest.filter((each) => !drills.includes(each)).flatMap(rollbackLines));
  if (lines.length === 0 && drills.length === 0) lines.push('Nobody asked for a rollback yet.');
  lines.push(...reviews.map(reviewLine));
  if (drills.length > 0) lines.push('Drills:', ...drills.flatMap(rollbackLines));
  return `${lines.map(shown).join('\n')}\n`;
}

type ListedRollback = ListedRollbacks['rollbacks'][number];

function rollbackLines(each: ListedRollback): readonly string[] {
  const lines: string[] = [];
  const way = `${each.from_release} → ${each.to_release ?? '?'}`;
  lines.push(`${each.id}  ${each.state.padEnd(17)}  ${each.agent} in ${each.environment}: ${way}`);
  lines.push(
    `    since ${each.since}; asked ${times(each.asks)}, by ${each.asked_by.map(askerText).join(', ')}: ${each.reason}`,
  );
  if (each.approved_by.length > 0) lines.push(`    approved by ${each.approved_by.join(', ')}`);
  if (each.outcome !== '') lines.push(`    ${each.outcome}`);
  if (each.review)
    lines.push(
      `    ${each.review.by} found it ${each.review.review}${each.review.note && `: ${each.review.note}`}`,
    );
  else lines.push(`    ${each.next}`);
  return lines;
}

/** What whoever shows the shared token is called says nothing of who that is. */
function askerText(name: string): string {
  return name === 'token' ? 'somebody with the shared token' : name;
}

const didWhat: Readonly<Record<string, string>> = {
  dry_run: 'dry_run would have rolled back',
  done: 'rolled back',
  failed: 'failed to roll back',
};

function reviewLine({ policy, state, right, wrong, not_reviewed: not, ...all }: ListedTally): string {
  const said = [
    ...(right > 0 ? [`${right} right`] : []),
    ...(wrong > 0 ? [`${wrong} wrong`] : []),
    ...(not > 0 ? [`${not} not reviewed`] : []),
  ];
  return `${policy}: ${didWhat[state] ?? state} ${times(all.times)}: ${said.join(', ')}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** Names are what senders say: nothing in them may move a terminal's cursor. */
export function shown(line: string): string {
  return line.replaceAll(/\p{Cc}/gu, '�');
}
