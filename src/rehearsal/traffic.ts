import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { sentenceOf, unknownKeys } from '../core/issue-sentence.ts';

const chance = z
  .number({ error: ({ input }) => (input === undefined ? undefined : 'must be a chance from 0 to 1') })
  .min(0)
  .max(1);
const minute = z.number().min(0).max(10_080);
const label = z.string().min(1).max(100);

/** How the runs of a release go. */
const behaviour = {
  runs_per_minute: z.number().positive().max(60_000).describe('On average: runs begin at random.'),
  seconds: z.number().positive().max(3600).describe('How long a run takes, give or take a half.'),
  tool_failure: chance.describe('That a tool call fails.'),
  gives_up: chance.describe('That a failed tool call ends the run, as a failure; else the run goes on.'),
  retry: chance.describe('That a failed tool call is made once more.'),
  run_failure: chance.describe('That a run fails, whatever its tools do.'),
  escalation: chance.describe('That a human must approve what a run is about to do.'),
  hang: chance.describe('That a run begins, and never says that it ended.'),
  cost_usd: z.number().min(0).max(1000).describe('What the models of a run cost, give or take a half.'),
} as const;

const changes = z.strictObject(behaviour).partial();

const releaseTraffic = z.strictObject({
  release: label,
  from: minute.optional().describe('When it gets its first run; 0 unless said.'),
  until: minute.optional().describe('When it gets no more; the end unless said.'),
  runs_per_minute: behaviour.runs_per_minute,
  seconds: behaviour.seconds.prefault(20),
  tool_failure: behaviour.tool_failure.prefault(0),
  gives_up: behaviour.gives_up.prefault(0.5),
  retry: behaviour.retry.prefault(0),
  run_failure: behaviour.run_failure.prefault(0),
  escalation: behaviour.escalation.prefault(0),
  hang: behaviour.hang.prefault(0),
  cost_usd: behaviour.cost_usd.prefault(0.002),
  after: z.array(changes.extend({ minute })).optional().describe('What is different from a minute on.'),
});

const trafficSchema = z
  .strictObject({
    agent: label,
    environment: label,
    minutes: z.number().positive().max(10_080).describe('For so long runs begin.'),
    seed: z.number().int().min(0).max(0xff_ff_ff_ff).describe('The same seed makes the same spans.'),
    tools: z.array(label).min(1).prefault(['get_order', 'check_policy', 'issue_refund']),
    runs_per_session: z.number().int().min(1).max(1000).prefault(1),
    export_seconds: z
      .number()
      .min(0.1)
      .max(60)
      .prefault(5)
      .describe('How often a process sends the spans that ended.'),
    releases: z.array(releaseTraffic).min(1).max(20),
    outage: changes
      .extend({ from: minute, until: minute })
      .optional()
      .describe('What is different for all releases for a while.'),
  })
  .superRefine(({ releases, outage, minutes }, context) => {
    const refuse = (path: readonly (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path: [...path], message });
    const names = new Set<string>();
    for (const [i, { release: name, from = 0, until = minutes, after = [] }] of releases.entries()) {
      if (names.has(name)) refuse(['releases', i, 'release'], `${name} stands here twice: join the two`);
      names.add(name);
      if (from >= until) refuse(['releases', i, 'until'], `must be after ${from}, when the release begins`);
      if (after.some((change, k) => k > 0 && change.minute <= after[k - 1]!.minute))
        refuse(['releases', i, 'after'], 'must be in order of its minutes: sort it');
    }
    if (outage && outage.from >= outage.until)
      refuse(['outage', 'until'], `must be after ${outage.from}, when it begins`);
  })
  .describe('What make-believe agents do, minute by minute.');

/** A description of traffic, checked; `trafficRequests` makes spans of it. Times are minutes from its beginning. */
export type Traffic = z.infer<typeof trafficSchema>;

/** One release in a description of traffic. */
export type ReleaseTraffic = Traffic['releases'][number];

/** How the runs of a release go at some moment. */
export type Behaviour = Pick<ReleaseTraffic, keyof typeof behaviour>;

/** Reads the text of a description of traffic. What is wrong is one sentence for each fault, with its path. */
export function readTraffic(
  text: string,
): { readonly traffic: Traffic } | { readonly faults: readonly string[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [fault] = document.errors;
  if (fault) {
    const { line, col } = lines.linePos(fault.pos[0]);
    return { faults: [`${line}:${col}: not valid YAML: ${fault.message}`] };
  }
  const parsed = trafficSchema.safeParse(document.toJS(), { reportInput: true });
  if (parsed.success) return { traffic: parsed.data };
  return {
    faults: parsed.error.issues.map((issue) => {
      const what = issue.code === 'unrecognized_keys' ? unknownKeys(issue, trafficSchema) : sentenceOf(issue);
      return `${issue.path.join('::') || 'the traffic'}: ${what}`;
    }),
  };
}

/** How runs of `release` that begin at `atMinute` go; undefined where it gets none. */
export function behaviourAt(traffic: Traffic, release: ReleaseTraffic, atMinute: number): Behaviour {
  const { outage } = traffic;
  let now: Behaviour = release;
  for (const { minute: since, ...changed } of release.after ?? [])
    if (since <= atMinute) now = { ...now, ...said(changed) };
  if (!outage || atMinute < outage.from || atMinute >= outage.until) return now;
  const { from: _, until: __, ...changed } = outage;
  return { ...now, ...said(changed) };
}

/** The minutes at which something changes for `release`, in order, between its first run and its last. */
export function changesOf({ minutes, outage }: Traffic, release: ReleaseTraffic): readonly number[] {
  const { from = 0, until = minutes, after = [] } = release;
  const end = Math.min(until, minutes);
  const all = [...after.map((change) => change.minute), ...(outage ? [outage.from, outage.until] : [])];
  return [...new Set(all)].filter((at) => at > from && at < end).toSorted((a, b) => a - b);
}

/** `changed` without what it leaves open. */
function said(changed: z.infer<typeof changes>): Partial<Behaviour> {
  return Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== undefined));
}
