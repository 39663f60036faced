/** What the API lists of rollbacks. */
export interface ListedRollbacks {
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
    readonly ticket: string | null;
  }[];
}

/** `listed` as text for people, the latest first; what waits for somebody stands before all. */
export function rollbackList({ stopped, fault, breakers, rollbacks }: ListedRollbacks): string {
  const lines = [
    ...(fault === null ? [] : [`Nothing is decided: ${fault}`]),
    ...(stopped === null ? [] : [`All rollbacks are stopped: ${stopped}`]),
    ...breakers.map(
      ({ scope, reason, since }) => `The breaker of ${scope} is open since ${since}: ${reason}`,
    ),
  ];
  for (const each of rollbacks.toReversed()) {
    const way = `${each.from_release} → ${each.to_release ?? '?'}`;
    lines.push(`${each.id}  ${each.state.padEnd(17)}  ${each.agent} in ${each.environment}: ${way}`);
    lines.push(
      `    since ${each.since}; asked ${each.asks} times, by ${each.asked_by.join(', ')}: ${each.reason}`,
    );
    if (each.outcome !== '') lines.push(`    ${each.outcome}`);
    if (each.expires !== null) {
      const yours = each.ticket === null ? each.approvers.join(', ') : 'you';
      lines.push(`    waits until ${each.expires} for ${yours}: plimsoll rollback approve ${each.id}`);
    }
  }
  if (lines.length === 0) lines.push('Nobody asked for a rollback yet.');
  return `${lines.map(shown).join('\n')}\n`;
}

/** Names are what senders say: nothing in them may move a terminal's cursor. */
function shown(line: string): string {
  return line.replaceAll(/\p{Cc}/gu, '�');
}
