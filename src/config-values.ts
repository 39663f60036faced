import { z } from 'zod';
import { Secret } from './core/secret.ts';
import { canBeShown } from './core/tokens.ts';

/** A whole number, which an environment variable may say. */
export const count = (min: number, max: number) =>
  z
    .unknown()
    .transform((said, context) => {
      const value = typeof said === 'string' && /^\d+$/.test(said) ? Number(said) : said;
      if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
      context.addIssue(`must be a whole number from ${min} to ${max}, not ${JSON.stringify(said)}`);
      return z.NEVER;
    })
    .meta({ title: `whole number, ${min} to ${max}` });

/** Where to listen, as `{ host, port }`; without a host on every address. */
export const endpoint = z
  .string()
  .transform((text, context) => {
    const [, host, port] =
      /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text)?.filter((part) => part !== undefined) ?? [];
    if (host === undefined || port === undefined) {
      context.addIssue(`must be host:port such as 127.0.0.1:4317, not ${JSON.stringify(text)}`);
      return z.NEVER;
    }
    if (Number(port) > 65_535) {
      context.addIssue(`must have a port from 0 to 65535, not ${port}`);
      return z.NEVER;
    }
    return { host: host === '' ? '0.0.0.0' : host, port: Number(port) };
  })
  .meta({ title: 'host:port' });

const asSecret = (text: string): Secret => new Secret(text);

/** Text that is never shown. */
export function secret(leastCharacters = 1) {
  return z
    .string()
    .min(leastCharacters, `must have ${leastCharacters} characters or more`)
    .transform(asSecret)
    .meta({ title: 'secret' });
}

/** A secret that a request can show. */
export const token = z
  .string()
  .min(1, 'must have 1 characters or more')
  .refine(canBeShown, 'has spaces or line breaks, so no request can show it: remove them')
  .transform(asSecret)
  .meta({ title: 'secret' });

const path = z.string().meta({ title: 'path' });

/** TLS of what listens. */
export const tls = z.strictObject({
  cert_file: path.describe('The certificate, and those that lead to its authority, as PEM.'),
  key_file: path.describe('Its private key, as PEM.'),
  client_ca_file: path
    .optional()
    .describe('Whose client certificates are asked for (mTLS); without it none are.'),
});

/** TLS of a connection to somebody else. */
export const clientTls = z
  .strictObject({
    ca_file: path.optional().describe("Authorities that are trusted, as PEM; the system's without it."),
    cert_file: path.optional().describe('The certificate that is shown (mTLS), as PEM.'),
    key_file: path.optional().describe('Its private key, as PEM; both or none.'),
  })
  .describe("TLS; `{}` trusts the system's authorities.");

/** What `${env:NAME:-}` gives where NAME is not set is as if nothing had been said. */
export const orNothing = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());
