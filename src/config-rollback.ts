import { z } from 'zod';
import { duration } from './config-quantities.ts';
import { count, orNothing, secret } from './config-values.ts';
import { isLoopback } from './core/foreign-request.ts';
import { Secret } from './core/secret.ts';

const text = z.string().min(1, 'is empty: say it, or remove the key');
const longSecret = secret(16);
const token = text
  .regex(/^[\x21-\x7e]+$/, 'has spaces, line breaks or letters that no request can show: correct it')
  .transform((value) => new Secret(value))
  .meta({ title: 'secret' });
const path = text.meta({ title: 'path' });

const mustBeEncrypted = 'must be https, for the token goes there';

function isEncrypted(said: string): boolean {
  const { protocol, hostname } = new URL(said);
  return protocol === 'https:' || isLoopback(hostname);
}

/** A URL to which requests go; those that bear a token go there encrypted, or do not leave the machine. */
function target(needsTls: boolean) {
  return z
    .string()
    .transform((said, context) => {
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
    })
    .meta({ title: 'URL' });
}

/** Orders and looks end in this time, and whoever waits for them waits no longer. */
const timeout = duration
  .refine((ms) => ms >= 1 && ms <= 30_000, 'must be from 1ms to 30s')
  .prefault('10s')
  .describe('1ms to 30s: how long an answer is waited for.');
/**
 * How many different people have to approve what is done to a target, none of whom asked for it. More than 1 is for what
 * cannot be taken back, such as a release that migrates data. That is a property of the target, which those know who
 * connect it: a policy, which others write and which is read again while the program runs, can ask for more care, and
 * never for less, so where more than 1 are needed `auto` is met as `approve` is.
 */
const approvals = count(1, 5)
  .prefault(1)
  .describe(
    'How many people must approve; more than 1 for what cannot be taken back: then auto is as approve.',
  );
const usual = {
  timeout,
  approvals,
  ca_file: path.optional().describe("Authorities that are trusted, as PEM; the system's without it."),
};

const repeatable = z
  .boolean()
  .prefault(false)
  .describe('true: two orders with one Idempotency-Key are one, so it may be asked again.');

const webhook = z
  .strictObject({
    type: z.literal('webhook').describe('A webhook of yours.'),
    url: target(false).describe('An order is a POST there.'),
    current_url: target(false)
      .optional()
      .describe('A GET there says `{"release": "…"}`: what the target runs now.'),
    secret: longSecret.describe('Orders are signed with it; 16 characters or more.'),
    token: orNothing(token).describe('A bearer token that is shown; then the URLs must be https.'),
    repeatable,
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
  type: z.literal('argo_rollouts').describe('The abort of an Argo Rollout.'),
  server: target(true).prefault('https://kubernetes.default.svc').describe('The API server of Kubernetes.'),
  namespace: text.describe('Where the Rollout is.'),
  rollout: text.describe('Its name.'),
  release_label: text
    .prefault('app.kubernetes.io/version')
    .describe('The label of its pods that says their release.'),
  token_file: path
    .prefault('/var/run/secrets/kubernetes.io/serviceaccount/token')
    .describe('The token of the service account that may abort it.'),
  ...usual,
  ca_file: path
    .prefault('/var/run/secrets/kubernetes.io/serviceaccount/ca.crt')
    .describe('Authorities that are trusted, as PEM.'),
});

const github = z
  .strictObject({
    type: z.literal('github').describe('A workflow of GitHub.'),
    server: target(true).prefault('https://api.github.com').describe('The API of GitHub.'),
    repository: z
      .string()
      .regex(/^[\w.-]+\/[\w.-]+$/, 'must be owner/name')
      .describe('As owner/name.'),
    workflow: text.optional().describe('The file of the workflow that is dispatched; or `event_type`.'),
    ref: text.optional().describe('Which branch or tag has the workflow.'),
    event_type: text.optional().describe('Of a repository_dispatch; or `workflow` and `ref`.'),
    release_variable: text
      .optional()
      .describe('A variable of the repository that says what the target runs now.'),
    token: token.describe('May do that, and read the variable.'),
    repeatable,
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
export const rollbackExtension = z
  .strictObject({
    targets: z
      .record(
        targetName,
        z.discriminatedUnion('type', [webhook, argoRollouts, github], {
          error: ({ code }) =>
            code === 'invalid_union' ? 'must be one of webhook, argo_rollouts, github' : undefined,
        }),
      )
      .prefault({})
      .describe('What can be rolled back, by the names that policies have for it.'),
    per_hour: count(1, 1000)
      .prefault(4)
      .describe(
        'Rollbacks of all targets together; what goes beyond opens a breaker that somebody has to close.',
      ),
    per_day: count(1, 10_000).prefault(12).describe('The same of a day.'),
    stop: z
      .boolean()
      .prefault(false)
      .describe('true: nothing is done to any target, it is only said what would be.'),
    stop_file: orNothing(path).describe('While there is a file of this name, it is as with `stop`.'),
    approval_key: orNothing(longSecret).describe(
      'Signs what approvers are shown; 16 characters or more. Without it, anew in each process.',
    ),
  })
  .describe('Takes bad releases back, as far as policies say so.');

/** A target of the configuration, with every default filled in. */
export type TargetOptions = z.output<typeof rollbackExtension>['targets'][string];
