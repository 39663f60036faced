import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from '@platformatic/kafka';
import { z } from 'zod';
import type { SaslOptions } from './kafka-options.ts';

/** How a connection shows who it is, for the client. */
export function saslOf(sasl: SaslOptions | undefined): ConnectionOptions {
  if (!sasl) return {};
  if (sasl.mechanism !== 'OAUTHBEARER') {
    const { mechanism, username, password } = sasl;
    return { sasl: { mechanism, username, password: () => password.reveal() } };
  }
  const { mechanism, tokenFile } = sasl;
  let token = '';
  return {
    sasl: {
      mechanism,
      token: () => (token = readFileSync(tokenFile, 'utf8').trim()),
      authBytesValidator: (said, callback) => {
        // A broker that takes the token says nothing (RFC 7628); what it refuses, it refuses once more to what comes next.
        if (said.length === 0) callback(null, said);
        else callback(new Error(`the token in ${tokenFile} ${whyRefused(token, String(said))}`));
      },
    },
  };
}

const claims = z.object({ exp: z.number() });

function whyRefused(token: string, said: string): string {
  const expiresMs = expiryMs(token);
  if (expiresMs !== undefined && expiresMs <= Date.now())
    return `expired at ${new Date(expiresMs).toISOString()}: renew the file; it is read anew at every connection`;
  return `was refused (${said.slice(0, 200)}): put one that the brokers take into the file; it is read anew at every connection`;
}

/** When a JSON Web Token ends; undefined when it is none, or does not say. */
function expiryMs(token: string): number | undefined {
  try {
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
    return claims.parse(JSON.parse(payload)).exp * 1000;
  } catch {
    return undefined; // an opaque token
  }
}
