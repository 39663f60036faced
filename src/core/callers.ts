import type { Secret } from './secret.ts';
import { Tokens } from './tokens.ts';

/** Somebody who may write, by a token of his own. */
export interface Caller {
  readonly name: string;
  readonly token: Secret;
}

/** Who calls is whoever the bearer token says. */
export class Callers {
  readonly #known: readonly { readonly name: string; readonly tokens: Tokens }[];

  /** Where two have the same token, it is the first one's. */
  constructor(callers: readonly Caller[]) {
    this.#known = callers.map(({ name, token }) => ({ name, tokens: new Tokens([token]) }));
  }

  /** How many may call. */
  get size(): number {
    return this.#known.length;
  }

  /** Who bears the token in an `authorization` header; undefined when nobody does. */
  nameOf(authorization: string | undefined): string | undefined {
    const bearers = this.#known.filter(({ tokens }) => tokens.hasBearer(authorization)); // every one, so that time says nothing
    return bearers[0]?.name;
  }
}
