import type { Secret } from './secret.ts';
import { Tokens } from './tokens.ts';

/** Somebody who may write, by a token of his own. */
export interface Caller {
  readonly name: string;
  readonly token: Secret;
}

/** What whoever shows the shared token is called: it says nothing of who that is. No user has this name. */
const sharedName = 'token';

/** Who calls is whoever the bearer token says. */
export class Callers {
  readonly #known: readonly { readonly name: string; readonly tokens: Tokens }[];

  /** `shared` is a token that several have. Where two have the same token, it is the first one's; the shared one is last. */
  constructor(users: readonly Caller[], shared?: Secret) {
    const callers = shared ? [...users, { name: sharedName, token: shared }] : users;
    this.#known = callers.map(({ name, token }) => ({ name, tokens: new Tokens([token]) }));
  }

  /** How many may call. */
  get size(): number {
    return this.#known.length;
  }

  /**
   * Who shows the token in an `authorization` header, as a bearer or as the password of any user, which is how callers show
   * it that only know a URL; undefined when nobody does.
   */
  nameOf(authorization: string | undefined): string | undefined {
    const shown = asBearer(authorization);
    const bearers = this.#known.filter(({ tokens }) => tokens.hasBearer(shown)); // every one, so that time says nothing
    return bearers[0]?.name;
  }

  /** The same, of those who have a token of their own: who shows the shared one could be anybody. */
  userOf(authorization: string | undefined): string | undefined {
    const name = this.nameOf(authorization);
    return name === sharedName ? undefined : name;
  }
}

/** Whether an `authorization` header is one that browsers add by themselves, also to what pages of other origins send. */
export function isAddedByBrowsers(authorization: string | undefined): boolean {
  return /^Basic /i.test(authorization ?? '');
}

/** What RFC 7617 calls Basic, as what RFC 6750 calls Bearer. */
function asBearer(authorization: string | undefined): string | undefined {
  const [, credentials] = /^Basic +([\w+/=-]+) *$/i.exec(authorization ?? '') ?? [];
  if (credentials === undefined) return authorization;
  const pair = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon === -1 ? authorization : `Bearer ${pair.slice(colon + 1)}`;
}
