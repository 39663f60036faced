import { z } from 'zod';

/** Why a rollback is asked for: a verdict of the judge, an alert, or a person. */
const causes = ['judge', 'alert', 'human'] as const;
export type Cause = (typeof causes)[number];

/** What a policy may have an executor do, the strictest first. */
const modes = ['off', 'dry_run', 'approve', 'auto'] as const;
export type Mode = (typeof modes)[number];

/** The one of `a` and `b` by which less is done. */
export function stricterMode(a: Mode, b: Mode): Mode {
  return modes.indexOf(a) <= modes.indexOf(b) ? a : b;
}

/**
 * Why nothing was done: somebody said no, a cap was reached or a breaker is open, the target was acted on a moment ago,
 * there is no release to go back to, or the configuration does not know the target any more.
 */
const refusals = ['human', 'limit', 'cooldown', 'no_destination', 'no_target'] as const;
export type Refusal = (typeof refusals)[number];

/** What a person says afterwards of an attempt that is over: whether it was right to take the release back. */
const reviews = ['right', 'wrong'] as const;
export type Review = (typeof reviews)[number];

const text = z.string();
const timeMs = z.number().int();
const evidence = z.record(z.string(), z.unknown());

/** What the policy said when a rollback was asked for; it holds for that attempt to its end. Durations in milliseconds. */
const plan = z.object({
  policy: text,
  revision: text,
  owner: text,
  approvers: z.array(text).readonly(),
  mode: z.enum(['dry_run', 'approve', 'auto']),
  target: text,
  cooldownMs: z.number(),
  perDay: z.number(),
  approvalMs: z.number(),
  verify: z.object({ kpi: text, minEvents: z.number(), withinMs: z.number() }),
});

const drill = z.object({
  policy: text,
  scenario: text,
  environment: text,
  passed: z.boolean(),
  startedMs: timeMs,
  endedMs: timeMs,
  evidence,
});

/** A rehearsal of a rollback, and whether everything went as it should. Times in milliseconds since the epoch. */
export type DrillRecord = Readonly<z.infer<typeof drill>>;

/** The plan that an attempt was begun with. */
export type FrozenPlan = Readonly<z.infer<typeof plan>>;

const at = <Name extends string, Shape extends z.ZodRawShape>(event: Name, shape: Shape) =>
  z.object({ event: z.literal(event), id: text, ...shape });

const body = z.discriminatedUnion('event', [
  at('requested', {
    key: text,
    cause: z.enum(causes),
    agent: text,
    environment: text,
    from: text,
    by: text,
    reason: text,
    evidence,
    plan,
  }),
  at('repeated', { cause: z.enum(causes), by: text }),
  at('approval_asked', {
    to: text,
    expiresMs: timeMs,
    /** How many different people have to approve. */
    approvals: z.number().int().positive().default(1),
    /** Why it is asked for, where the mode of the policy does not say; else ''. */
    reason: text.default(''),
  }),
  /** Of several approvals each but the last, which is `approved`: an older version, which takes one for all, knows no such event. */
  at('approval_given', { by: text }),
  at('approved', { by: text }),
  at('refused', { by: text, why: z.enum(refusals), reason: text }),
  at('expired', {}),
  at('dry_run', { to: text, reason: text }),
  at('executing', { to: text, instance: text }),
  at('acted', { isConfirmed: z.boolean(), reason: text }),
  at('done', { reason: text, evidence }),
  at('failed', { reason: text }),
  at('moved', { isSent: z.boolean(), reason: text }),
  at('reviewed', { by: text, review: z.enum(reviews), note: text }),
  at('paged', { what: text }),
  z.object({ event: z.literal('breaker_opened'), scope: text, reason: text }),
  z.object({ event: z.literal('breaker_paged'), scope: text }),
  z.object({ event: z.literal('breaker_closed'), scope: text, by: text }),
  z.object({ event: z.literal('stopped'), by: text, reason: text }),
  z.object({ event: z.literal('resumed'), by: text }),
  z.object({ event: z.literal('drilled'), by: text, drill }),
]);

/** What happened, before it has a place in the chain. */
export type EventBody = Readonly<z.infer<typeof body>>;

/** A body that is about one attempt. */
export type AttemptBody = Extract<EventBody, { readonly id: string }>;

const placed = z.object({
  /** 1 is the first. */
  seq: z.number().int().positive(),
  /** When it was appended by the clock of whoever did, in milliseconds since the epoch. */
  timeMs,
  /** The hash of the event before it. */
  prev: z.string().regex(/^[0-9a-f]{64}$/),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  body: z.unknown(),
});

/** An event in its place, as JSON: whether its body makes sense to this version is not known. */
export type PlacedEvent = Readonly<z.infer<typeof placed>>;

/** An event of the journal. */
export type JournalEvent = PlacedEvent & { readonly body: EventBody };

/** The event that `json` is; undefined when it is none. */
export function placedEvent(json: string): PlacedEvent | undefined {
  try {
    return placed.strict().parse(JSON.parse(json));
  } catch {
    return undefined;
  }
}

/** `event` with its body read; undefined when this version does not know such a body. */
export function readEvent(event: PlacedEvent): JournalEvent | undefined {
  const { data } = body.safeParse(event.body);
  return data && { ...event, body: data };
}
