import { hash, timingSafeEqual } from 'node:crypto';
import type { Secret } from './secret.ts';

function digest(text: string): Buffer {
  return Buffer.from(hash('sha256', text, 'hex'), 'latin1');
}

/** Whether a request can show `token` as a bearer does: white space in it would end it. */
export function canBeShown(token: string): boolean {
  return !/\s/.test(token);
}

/** Tokens that open a door. How long a comparison takes says nothing of them. */
export class Tokens {
  readonly #digests: readonly Buffer[];

  constructor(tokens: readonly Secret[]) {
    this.#digests = tokens.map((token) => digest(token.reveal()));
  }

  get size(): number {
    return this.#digests.length;
  }

  /** Whether `shown` is one of them. */
  has(shown: string): boolean {
    return this.#indexOf(shown) !== -1;
  }

  /** Whether an `authorization` header bears one of them. */
  hasBearer(authorization: string | undefined): boolean {
    return this.indexOfBearer(authorization) !== -1;
  }

  /** Which of them an `authorization` header bears: its place in the list they were given as; -1 when it bears none. */
  indexOfBearer(authorization: string | undefined): number {
    const [, token] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
    const index = this.#indexOf(token ?? '');
    return token === undefined ? -1 : index;
  }

  #indexOf(shown: string): number {
    const own = digest(shown);
    // Every token is compared, so that time says nothing.
    return this.#digests.map((expected) => timingSafeEqual(expected, own)).indexOf(true);
  }
}
