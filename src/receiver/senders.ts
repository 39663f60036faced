import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Secret } from '../core/secret.ts';
import { Tokens } from '../core/tokens.ts';
import { ByName } from '../enrich/by-name.ts';
import { unlimited, type Claims } from '../enrich/claims.ts';
import { Refusal } from './status.ts';

/** What a sender may show, and what may be claimed with it; everything without `claims`. */
export interface SenderOptions {
  /** A sender must show one of these; none means that it need not. */
  readonly tokens: readonly { readonly token: Secret; readonly claims?: Claims | undefined }[];
  /** Its certificate must be one of these by its common name, a name as of `ByName`; none means that it need not. */
  readonly certificates?:
    | readonly { readonly commonName: string; readonly claims?: Claims | undefined }[]
    | undefined;
}

/** Who may send, by what they show. Who must show a token and a certificate may claim what both allow. */
export class Senders {
  readonly #tokens: Tokens;
  readonly #byToken: readonly (readonly Claims[])[];
  readonly #byCommonName: ByName<readonly Claims[]> | undefined;
  /** Common names by connection: Node parses a certificate anew whenever it is asked for one, for 100 µs. */
  readonly #commonNames = new WeakMap<Socket, string | undefined>();

  constructor({ tokens, certificates = [] }: SenderOptions) {
    this.#tokens = new Tokens(tokens.map(({ token }) => token));
    this.#byToken = tokens.map(({ claims }) => listOf(claims));
    this.#byCommonName =
      certificates.length === 0
        ? undefined
        : new ByName(
            Object.fromEntries(certificates.map(({ commonName, claims }) => [commonName, listOf(claims)])),
          );
  }

  /**
   * Takes the `authorization` header of a request and the connection on which it came. Returns the claims within which
   * its spans must be; throws an `unauthenticated` Refusal when what it shows is not known here.
   */
  authenticate(authorization: string | undefined, connection: Socket | undefined): readonly Claims[] {
    const byToken = this.#tokens.size === 0 ? unlimited : this.#ofToken(authorization);
    if (!this.#byCommonName) return byToken;
    const name = connection && this.#commonNameOf(connection);
    const byName = name === undefined ? undefined : this.#byCommonName.get(name);
    if (byName) return byToken.length === 0 ? byName : [...byToken, ...byName];
    const what = name === undefined ? 'no common name' : `the common name ${JSON.stringify(name)}`;
    throw new Refusal(
      'unauthenticated',
      `the client certificate has ${what}: show one whose common name auth::client_certificates of this receiver lists`,
    );
  }

  #commonNameOf(connection: Socket): string | undefined {
    if (!this.#commonNames.has(connection)) this.#commonNames.set(connection, commonNameOf(connection));
    return this.#commonNames.get(connection);
  }

  #ofToken(authorization: string | undefined): readonly Claims[] {
    const claims = this.#byToken[this.#tokens.indexOfBearer(authorization)];
    if (claims) return claims;
    const what = authorization === undefined ? 'no token' : 'an unknown token';
    throw new Refusal('unauthenticated', `${what}: send the header "authorization: Bearer <token>"`);
  }
}

function listOf(claims: Claims | undefined): readonly Claims[] {
  return claims && claims.limits.length > 0 ? [claims] : unlimited;
}

/**
 * The common name of the certificate that was shown on `connection`, which TLS has verified; undefined when there is
 * none, or more than one. The common name, as Kubernetes and PostgreSQL do, because a certificate of a client has one: its
 * subject alternative names are a list of several, of which each could be allowed something else.
 */
function commonNameOf(connection: Socket): string | undefined {
  if (!(connection instanceof TLSSocket) || !connection.authorized) return undefined;
  const name: unknown = connection.getPeerCertificate()?.subject?.CN; // null once it is closed, {} without one
  return typeof name === 'string' ? name : undefined;
}
