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
    const own = digest(shown);
    let known = false;
    for (const expected of this.#digests) known = timingSafeEqual(expected, own) || known; // every token, so that time says nothing
    return known;
  }

  /** Whether an `authorization` header bears one of them. */
  hasBearer(authorization: string | undefined): boolean {
    const [, token] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
    return this.has(token ?? '') && token !== undefined;
  }
}
