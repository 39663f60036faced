import { z } from 'zod';
import { duration } from './config-quantities.ts';
import { isLoopback } from './core/foreign-request.ts';
import { Secret } from './core/secret.ts';

const nothingWhenEmpty = (value: unknown): unknown => (value === '' ? undefined : value);
const text = z.string().min(1, 'is empty: say it, or remove the key');
const asSecret = (value: string): Secret => new Secret(value);
const secret = z.string().min(16, 'must have 16 characters or more').transform(asSecret);
const token = text
  .regex(/^[\x21-\x7e]+$/, 'has spaces, line breaks or letters that no request can show: correct it')
  .transform(asSecret);
const count = (most: number) =>
  z
    .union([z.string().regex(/^\d+$/), z.number()])
    .transform(Number)
    .pipe(z.number().int().min(1).max(most));

const mustBeEncrypted = 'must be https, for the token goes there';

function isEncrypted(said: string): boolean {
  const { protocol, hostname } = new URL(said);
  return protocol === 'https:' || isLoopback(hostname);
}

/** A URL to which requests go; those that bear a token go there encrypted, or do not leave the machine. */
function target(needsTls: boolean) {
  return z.string().transform((said, context) => {
    const url = URL.parse(said);
    if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
      context.addIssue('must be a URL of http or https, without a user or a password in it'); // it may hold one
      return z.NEVER;
    }
    if (needsTls && !isEncrypted(said)) {
      context.addIssue(mustBeEncrypted);
      return z.NEVER;
    }
    return url.href.replace(/\/$/, '');
  });
}

/** Orders and looks end in this time, and whoever waits for them waits no longer. */
const timeout = duration.refine((ms) => ms >= 1 && ms <= 30_000, 'must be from 1ms to 30s').prefault('10s');
/**
 * How many different people have to approve what is done to a target, none of whom asked for it. More than 1 is for what
 * cannot be taken back, such as a release that migrates data. That is a property of the target, which those know who
 * connect it: a policy, which others write and which is read again while the program runs, can ask for more care, and
 * never for less, so where more than 1 are needed `auto` is met as `approve` is.
 */
const approvals = count(5).prefault(1);
const usual = { timeout, approvals, ca_file: text.optional() };

const webhook = z
  .strictObject({
    type: z.literal('webhook'),
    url: target(false),
    current_url: target(false).optional(),
    secret,
    token: z.preprocess(nothingWhenEmpty, token.optional()),
    repeatable: z.boolean().prefault(false),
    ...usual,
  })
  .superRefine(({ url, current_url, token: shown }, context) => {
    if (shown === undefined) return;
    for (const [key, each] of Object.entries({ url, current_url })) {
      if (each !== undefined && !isEncrypted(each))
        context.addIssue({ code: 'custom', path: [key], message: mustBeEncrypted });
    }
  });

const argoRollouts = z.strictObject({
  type: z.literal('argo_rollouts'),
  server: target(true).prefault('https://kubernetes.default.svc'),
  namespace: text,
  rollout: text,
  release_label: text.prefault('app.kubernetes.io/version'),
  token_file: text.prefault('/var/run/secrets/kubernetes.io/serviceaccount/token'),
  ...usual,
  ca_file: text.prefault('/var/run/secrets/kubernetes.io/serviceaccount/ca.crt'),
});

const github = z
  .strictObject({
    type: z.literal('github'),
    server: target(true).prefault('https://api.github.com'),
    repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/, 'must be owner/name'),
    workflow: text.optional(),
    ref: text.optional(),
    event_type: text.optional(),
    release_variable: text.optional(),
    token,
    repeatable: z.boolean().prefault(false),
    ...usual,
  })
  .superRefine(({ workflow, ref, event_type }, context) => {
    if ((workflow === undefined) === (event_type === undefined))
      context.addIssue('needs either workflow and ref, or event_type');
    if (workflow !== undefined && ref === undefined)
      context.addIssue({
        code: 'custom',
        path: ['ref'],
        message: 'is missing: say which branch or tag has the workflow',
      });
  });

const targetName = z
  .string()
  .regex(
    /^(?!sandbox\/|global$)[A-Za-z0-9][\w.@:+/-]{0,99}$/,
    'must be a name of letters, digits and . _ @ : + / - which is not global and does not begin with sandbox/',
  );

/**
 * `extensions::rollback`: how releases are taken back, and how often they may be. Who may be asked to do it, and with
 * which credentials, is said here and in no policy.
 */
export const rollbackExtension = z.strictObject({
  targets: z
    .record(
      targetName,
      z.discriminatedUnion('type', [webhook, argoRollouts, github], {
        error: ({ code }) =>
          code === 'invalid_union' ? 'must be one of webhook, argo_rollouts, github' : undefined,
      }),
    )
    .prefault({}),
  per_hour: count(1000).prefault(4),
  per_day: count(10_000).prefault(12),
  stop: z.boolean().prefault(false),
  stop_file: z.preprocess(nothingWhenEmpty, text.optional()),
  approval_key: z.preprocess(nothingWhenEmpty, secret.optional()),
});

/** A target of the configuration, with every default filled in. */
export type TargetOptions = z.output<typeof rollbackExtension>['targets'][string];
