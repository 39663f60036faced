import { createHmac } from 'node:crypto';
import { AttributeKey, type Attributes } from '../otlp/attributes.ts';
import { TextMemo } from '../otlp/text-memo.ts';
import { fields as canonicalFields } from '../semconv/fields.ts';
import { ownKeys } from '../semconv/plimsoll.ts';
import type { ContentRules } from './content-rules.ts';
import type { OwnView } from './own-view.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const fields = canonicalFields;

const userId = new AttributeKey('plimsoll.user.id');

/** The ranks of our own key, on the span and on the resource, among the sources of a user's id come first. */
const ownSources = ownKeys.find(({ field }) => field === 'userId')!.places.length;

/** Hex digits of a user's hash: 128 bits, which no two users share. */
const digits = 32;

/** Writes whose span it is as a keyed hash, where the ids of users are hashed: users can be told apart and not named. */
export class UserIds {
  readonly #hashOf: TextMemo<string> | undefined;

  constructor({ hashesUsers, hashKey }: ContentRules) {
    this.#hashOf =
      hashesUsers && hashKey
        ? new TextMemo((id) => createHmac('sha256', hashKey).update(id).digest('hex').slice(0, digits))
        : undefined;
  }

  /** Appends the hash of the user of the span or its resource, unless our own key is there. */
  append(view: OwnView, attributes: Attributes): void {
    if (!this.#hashOf || view.source(fields.userId) < ownSources) return;
    const id = view.string(fields.userId);
    if (id !== undefined) attributes.string(userId, this.#hashOf.get(id));
  }
}
