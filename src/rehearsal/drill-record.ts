/** Something that a drill wants to be so, and what was found. */
export interface DrillCheck {
  readonly what: string;
  readonly isMet: boolean;
  readonly found: string;
}

/** A link of the way from a bad span to a verified rollback, and when it held, in milliseconds since the epoch. */
export interface LinkTime {
  readonly link: string;
  readonly timeMs: number;
}

/** What a drill was, and what it showed. Times in milliseconds since the epoch. */
export interface DrillRecord {
  readonly policy: string;
  readonly scenario: string;
  readonly environment: string;
  readonly passed: boolean;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly evidence: {
    readonly id: string;
    readonly kind: 'in-process' | 'live';
    readonly revision: string;
    readonly agent: string;
    readonly links: readonly LinkTime[];
    readonly checks: readonly DrillCheck[];
  };
}

/** The record of a drill; it is passed when every check is met. */
export function drillRecord(
  of: Pick<DrillRecord, 'policy' | 'scenario' | 'environment' | 'startedMs' | 'endedMs'>,
  evidence: DrillRecord['evidence'],
): DrillRecord {
  return { ...of, passed: evidence.checks.every(({ isMet }) => isMet), evidence };
}

/** The record for people: a line for each link with its time from the first one and the one before it, and one for each check. */
export function drillLines({ passed, scenario, policy, evidence }: DrillRecord): readonly string[] {
  const { links, checks } = evidence;
  return [
    ...(links.length > 0 ? [...linkLines(links), ''] : []),
    ...checks.map(({ what, isMet, found }) => `${isMet ? 'ok    ' : 'failed'} ${what}: ${found}`),
    `drill ${evidence.id}: ${scenario} under ${policy} ${passed ? 'passed' : 'failed'}`,
  ];
}

/** A table with a line for each of `links`: how long after the first one that was, and after the one before it. */
export function linkLines(links: readonly LinkTime[]): readonly string[] {
  const inOrder = links.toSorted((a, b) => a.timeMs - b.timeMs);
  const firstMs = inOrder[0]?.timeMs ?? 0;
  const rows = inOrder.map(({ link, timeMs }, i) => [
    link,
    seconds(timeMs - firstMs),
    seconds(timeMs - (inOrder[i - 1]?.timeMs ?? firstMs)),
  ]);
  const table = [['what happened', 'since the first', 'since the one before'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('   '),
  );
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
