import { z } from 'zod';
import { token } from './config-values.ts';
import { nameFault } from './enrich/by-name.ts';
import type { ClaimLimits } from './enrich/claims.ts';

const kinds = ['agents', 'environments', 'releases'] as const;

const name = z.string().min(1, 'must be a name, or what names begin with and *');
const names = z.array(name).min(1).optional();
const limits = {
  agents: names.describe(
    'Whose spans it may send; all without it. Exact names, or beginnings and `*`. A span that names no agent is its `service.name`, else `unknown`.',
  ),
  environments: names.describe('Where they may come from, likewise; `unknown` where a span does not say.'),
  releases: names.describe('Of which releases they may be, likewise.'),
};

const bearer = z.strictObject(
  {
    token: token.describe('What is shown; a token alone stands for a mapping with nothing else.'),
    name: z
      .string()
      .min(1, 'must be a name')
      .optional()
      .describe('Who shows it, as senders of rejected spans are told; its place in the list without it.'),
    ...limits,
  },
  {
    error: ({ code }) =>
      code === 'invalid_type' ? 'must be a token, or a mapping with one and what may be claimed' : undefined,
  },
);

const certificate = z.strictObject({
  common_name: name.describe('That of its subject: an exact name, or a beginning and `*`.'),
  ...limits,
});

/** `auth` of the otlp receiver: who may send, and spans of what. */
export const senders = z
  .strictObject({
    bearer_tokens: z
      .array(z.preprocess((said) => (typeof said === 'string' ? { token: said } : said), bearer))
      .min(1)
      .optional()
      .describe('A sender must show one of these, and may send what it allows; everything without limits.'),
    client_certificates: z
      .array(certificate)
      .min(1)
      .optional()
      .describe(
        'The certificate of a sender must be one of these (mTLS: `tls::client_ca_file`), and limits it likewise; where tokens are listed, too, both must be shown and both limit.',
      ),
  })
  .refine(
    ({ bearer_tokens, client_certificates }) => (bearer_tokens ?? client_certificates) !== undefined,
    'says of nobody that he may send: list bearer_tokens or client_certificates, or remove it',
  );

type SenderConfig = z.output<typeof senders>;
type Limited = Readonly<Partial<Record<keyof typeof limits, readonly string[] | undefined>>>;

/** What the spans of a sender with these limits must be of. */
export function limitsOf({ agents, environments, releases }: Limited): ClaimLimits {
  return { agent: agents, environment: environments, release: releases };
}

/** The token of the first bearer without limits, else of the first; undefined where none is asked for. */
export function widestTokenOf(auth: SenderConfig | undefined): string | undefined {
  const bearers = auth?.bearer_tokens ?? [];
  const widest = bearers.find((each) => kinds.every((kind) => each[kind] === undefined)) ?? bearers[0];
  return widest?.token.reveal();
}

/** What is wrong with `auth`, which stands at `at`; `unverified` are the protocols that ask for no client certificate. */
export function* senderFaults(
  at: string,
  { bearer_tokens: tokens = [], client_certificates: certificates = [] }: SenderConfig,
  unverified: readonly string[],
): Generator<string> {
  for (const [key, listed] of Object.entries({ bearer_tokens: tokens, client_certificates: certificates }))
    for (const [i, limited] of listed.entries()) yield* patternFaults(`${at}::${key}::${i}`, limited);
  for (const [i, { token: own, ...rest }] of tokens.entries()) {
    const first = tokens.findIndex((other) => other.token.reveal() === own.reveal());
    if (wordOf(tokens[first]!) !== wordOf(rest))
      yield `${at}::bearer_tokens::${i}: is the token of ${first}, with another name or other limits: give each bearer a token of its own`;
    const namesake = tokens.findIndex((other) => other.name !== undefined && other.name === rest.name);
    if (namesake !== -1 && wordOf(tokens[namesake]!) !== wordOf(rest))
      yield `${at}::bearer_tokens::${i}::name: is that of ${namesake}, which has other limits: give it another`;
  }
  for (const [i, { common_name: own }] of certificates.entries()) {
    const fault = nameFault(own);
    if (fault !== undefined) yield `${at}::client_certificates::${i}::common_name: ${fault}`;
    const first = certificates.findIndex((other) => other.common_name === own);
    if (first < i) yield `${at}::client_certificates::${i}: is the common name of ${first}: list it once`;
  }
  if (certificates.length > 0 && unverified.length > 0)
    yield `${at}::client_certificates: without tls::client_ca_file nobody shows a certificate over ${unverified.join(' and ')}: set it, or give that protocol a receiver of its own`;
}

function* patternFaults(at: string, limited: Limited): Generator<string> {
  for (const kind of kinds)
    for (const [i, pattern] of (limited[kind] ?? []).entries()) {
      const fault = nameFault(pattern);
      if (fault !== undefined) yield `${at}::${kind}::${i}: ${fault}`;
    }
}

/** Equal for entries that say the same of the same bearer. */
function wordOf({ name: called, ...limited }: Limited & { readonly name?: string | undefined }): string {
  return JSON.stringify([called, Object.values(limitsOf(limited)).map((listed) => listed?.toSorted())]);
}
