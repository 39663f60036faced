import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Callers } from '../core/callers.ts';
import { Failure } from '../core/failure.ts';
import { bodyWithin } from '../core/http-body.ts';
import type { Answer, Resource } from '../core/http-endpoint.ts';
import type { Log } from '../core/log.ts';
import { readNotification } from './alert-payload.ts';
import { failed, json } from './json-answer.ts';
import { faultOf, parsedJson, tooLarge } from './json-body.ts';
import { reviewJson, statusJson, type ShownReview, type ShownStatus } from './rollback-status.ts';

/** What became of something that somebody asked for. */
type Answered =
  | { readonly kind: 'taken'; readonly id?: string; readonly changes?: ShownReview }
  | { readonly kind: 'unknown' | 'forbidden' | 'over'; readonly reason: string };

/** A rehearsal, as its record is kept; times in milliseconds since the epoch. */
interface Drill {
  readonly policy: string;
  readonly scenario: string;
  readonly environment: string;
  readonly passed: boolean;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** The executor, as far as the API needs it. What it rejects with is a Failure where the journal is out of reach. */
export interface RollbackDesk {
  request(request: {
    readonly cause: 'alert' | 'human';
    readonly agent: string;
    readonly environment: string;
    readonly release: string;
    readonly requestedBy: string;
    readonly reason: string;
    readonly evidence: Readonly<Record<string, unknown>>;
  }): Promise<
    | { readonly kind: 'accepted'; readonly id: string }
    | { readonly kind: 'joined'; readonly id: string; readonly state: string }
    | { readonly kind: 'ignored'; readonly reason: string }
  >;
  truncated(count: number): Promise<void>;
  readonly decisions: {
    approve(ticket: string, by: string): Promise<Answered>;
    refuse(ticket: string, by: string, reason: string): Promise<Answered>;
    review(id: string, by: string, review: 'right' | 'wrong', note: string): Promise<Answered>;
    stopAll(by: string, reason: string): Promise<Answered>;
    resume(by: string): Promise<{ readonly kind: 'taken'; readonly approved: number }>;
    closeBreaker(scope: string, by: string): Promise<Answered>;
    record(drill: Drill, by: string): Promise<Answered>;
  };
  status(viewer: string | undefined): ShownStatus;
}

const limitBytes = 1024 * 1024;
/** Of the evidence of a drill: the journal keeps it for good. */
const limitDrillBytes = 16 * 1024;
const noTicket = 'this ticket is not yours, was used, or has expired';

const ofNobody = failed(
  403,
  'this is for people with a token of their own, and the shared one says nothing of who you are: add yourself to extensions::api::users',
);

const statuses: Readonly<Record<Answered['kind'], number>> = {
  taken: 200,
  unknown: 404,
  forbidden: 403,
  over: 409,
};

const words = z.string().max(1000);
const name = z.string().min(1).max(256);
const asking = z.strictObject({
  agent: name,
  environment: name,
  release: name,
  reason: words.min(1),
});
const deciding = z.strictObject({
  decision: z.enum(['approve', 'refuse']),
  reason: words.prefault(''),
});
const reviewing = z.strictObject({ review: z.enum(['right', 'wrong']), note: words.prefault('') });
const stopping = z.strictObject({ reason: words.min(1) });
const nothing = z.strictObject({});
const closing = z.strictObject({ scope: name });
const drill = z
  .strictObject({
    policy: name,
    scenario: z
      .string()
      .regex(/^[A-Za-z0-9][\w.@:+/-]{0,99}$/, 'must be letters, digits and . _ @ : + / - without spaces'),
    environment: name,
    passed: z.boolean(),
    started: z.iso.datetime({ offset: true }),
    ended: z.iso.datetime({ offset: true }),
    evidence: z
      .record(z.string(), z.unknown())
      .refine(
        (said) => Buffer.byteLength(JSON.stringify(said)) <= limitDrillBytes,
        `must be no more than ${limitDrillBytes} bytes of JSON`,
      )
      .prefault({}),
  })
  .transform(({ started, ended, ...rest }) => ({
    ...rest,
    startedMs: Date.parse(started),
    endedMs: Date.parse(ended),
  }));

type Handler = Resource['GET'];
type Act<T> = (said: T, by: string, ofPath: string) => Promise<Answer>;

/**
 * The resources of rollbacks, by path: alerts of Alertmanager, what there is, requests and decisions of people, and
 * records of drills. Who asks is whoever the token says. What may be sent again is answered with 503, never with 4xx.
 */
export function rollbackResources(
  desk: RollbackDesk,
  callers: Pick<Callers, 'nameOf' | 'userOf'>,
  log: Log,
): Readonly<Record<string, Resource>> {
  const seenBy = (request: IncomingMessage) => {
    const viewer = callers.nameOf(request.headers.authorization);
    return { you: viewer ?? null, ...statusJson(desk.status(viewer)) };
  };
  const GET: Handler = async (request) => Promise.resolve(json(200, seenBy(request)));
  const posted = (act: Act<string>): Handler => posting(act, callers, log);
  const command = <T>(schema: z.ZodType<T>, act: Act<T>): Handler => posted(reading(schema, act));
  const ofUsers = <T>(schema: z.ZodType<T>, act: Act<T>): Handler => fromUsers(command(schema, act), callers);
  return {
    '/api/v1/alerts': { GET, POST: posted(async (body, by) => takeAlerts(desk, body, by, log)) },
    '/api/v1/rollbacks': { GET, POST: ofUsers(asking, async (said, by) => ask(desk, said, by)) },
    ...stopResources(desk, GET, { command, ofUsers }),
    '/api/v1/approvals/*': {
      GET: async (request, ticket) => {
        const found = seenBy(request).rollbacks.find((each) => each.ticket === ticket);
        return Promise.resolve(found ? json(200, found) : failed(404, noTicket));
      },
      POST: command(deciding, async (said, by, ticket) =>
        decided(desk, await decide(desk.decisions, said, by, ticket), by),
      ),
    },
    '/api/v1/reviews/*': {
      GET,
      POST: ofUsers(reviewing, async ({ review, note }, by, id) => {
        const answered = await desk.decisions.review(id, by, review, note);
        if (answered.kind !== 'taken') return answerOf(answered);
        return json(200, {
          ...answered,
          ...standingOf(desk, id, by),
          changes: reviewJson(answered.changes),
        });
      }),
    },
    '/api/v1/drills': { GET, POST: command(drill, async (said, by) => record(desk, said, by)) },
  };
}

type Commanding = <T>(schema: z.ZodType<T>, act: Act<T>) => Handler;

/** What keeps everything from being done, or lets it be done again: to stop is for all who may write, and the rest for users. */
function stopResources(
  desk: RollbackDesk,
  GET: Handler,
  { command, ofUsers }: { readonly command: Commanding; readonly ofUsers: Commanding },
): Readonly<Record<string, Resource>> {
  const { decisions } = desk;
  return {
    '/api/v1/rollbacks/stop': {
      GET,
      POST: command(stopping, async ({ reason }, by) => answerOf(await decisions.stopAll(by, reason))),
    },
    '/api/v1/rollbacks/resume': {
      GET,
      POST: ofUsers(nothing, async (_, by) => {
        const answered = await decisions.resume(by);
        return json(200, { ...answered, stopped: desk.status(by).stopReason ?? null });
      }),
    },
    '/api/v1/rollbacks/breaker': {
      GET,
      POST: ofUsers(closing, async ({ scope }, by) => answerOf(await decisions.closeBreaker(scope, by))),
    },
  };
}

/** `handler` for people with a token of their own: the shared one says nothing of who shows it. */
function fromUsers(handler: Handler, callers: Pick<Callers, 'nameOf' | 'userOf'>): Handler {
  return async (request, ofPath) => {
    const { authorization } = request.headers;
    const isShared =
      callers.nameOf(authorization) !== undefined && callers.userOf(authorization) === undefined;
    return isShared ? ofNobody : handler(request, ofPath);
  };
}

/** A handler that hears who sends a body, and what. */
function posting(act: Act<string>, callers: Pick<Callers, 'nameOf'>, log: Log): Handler {
  return async (request, ofPath) => {
    const by = callers.nameOf(request.headers.authorization);
    if (by === undefined) return failed(401, 'nobody knows who asks: send "authorization: Bearer <token>"');
    const body = await bodyWithin(request, limitBytes);
    if (body === undefined) return tooLarge(limitBytes);
    return act(body.toString('utf8'), by, ofPath).catch((error: unknown) => unavailable(error, log));
  };
}

/** An act of what a body says. */
function reading<T>(schema: z.ZodType<T>, act: Act<T>): Act<string> {
  return async (body, by, ofPath) => {
    const read = readAs(schema, body);
    return 'faults' in read ? failed(400, ...read.faults) : act(read.data, by, ofPath);
  };
}

async function ask(desk: RollbackDesk, said: z.output<typeof asking>, by: string): Promise<Answer> {
  const outcome = await desk.request({ ...said, cause: 'human', requestedBy: by, evidence: {} });
  if (outcome.kind === 'ignored') return failed(409, outcome.reason);
  const { kind, id } = outcome;
  return json(kind === 'accepted' ? 202 : 200, { kind, id, ...standingOf(desk, id, by) });
}

/** Where the attempt `id` stands, and what comes next. */
function standingOf(desk: RollbackDesk, id: string, by: string) {
  const attempt = desk.status(by).attempts.find((each) => each.id === id);
  return attempt && { state: attempt.state, outcome: attempt.outcome, next: attempt.next };
}

/** The answer to who decided on an attempt. */
function decided(desk: RollbackDesk, answered: Answered, by: string): Answer {
  if (answered.kind !== 'taken' || answered.id === undefined) return answerOf(answered);
  return json(200, { ...answered, ...standingOf(desk, answered.id, by) });
}

async function decide(
  decisions: RollbackDesk['decisions'],
  { decision, reason }: z.output<typeof deciding>,
  by: string,
  ticket: string,
): Promise<Answered> {
  if (decision === 'approve') return decisions.approve(ticket, by);
  return decisions.refuse(ticket, by, reason);
}

async function record(desk: RollbackDesk, said: Drill, by: string): Promise<Answer> {
  const answered = await desk.decisions.record(said, by);
  return answered.kind === 'taken' ? json(201, answered) : answerOf(answered);
}

/** Takes a notification of Alertmanager: an alert that cannot be read keeps no other one from being taken. */
async function takeAlerts(desk: RollbackDesk, body: string, by: string, log: Log): Promise<Answer> {
  const read = readNotification(body);
  if (!('asking' in read)) return failed(400, ...read.faults);
  const { asking: alerts, resolved, others, faults, truncated } = read;
  if (faults.length > 0) log.warn({ faults }, 'alerts that nobody can read are left out');
  const taken = [];
  for (const { agent, release, environment, reason, evidence } of alerts) {
    const request = { agent, release, environment, reason, evidence, requestedBy: by };
    taken.push({ agent, release, environment, ...(await desk.request({ ...request, cause: 'alert' })) });
  }
  if (truncated > 0) await desk.truncated(truncated);
  return json(200, { alerts: taken, resolved, others, errors: faults });
}

function answerOf(answered: Answered): Answer {
  const status = statuses[answered.kind];
  return 'reason' in answered ? failed(status, answered.reason) : json(status, answered);
}

function unavailable(error: unknown, log: Log): Answer {
  if (!(error instanceof Failure)) throw error;
  log.warn({ err: error }, 'a request about rollbacks was not taken');
  return failed(503, `${error.message}: send it again`);
}

function readAs<T>(
  schema: z.ZodType<T>,
  text: string,
): { readonly data: T } | { readonly faults: readonly string[] } {
  const value = text === '' ? {} : parsedJson(text);
  if (value === undefined) return { faults: ['the body is no JSON'] };
  const { data, error } = schema.safeParse(value, { reportInput: true });
  if (error) return { faults: error.issues.map((issue) => faultOf(issue)) };
  return { data };
}
