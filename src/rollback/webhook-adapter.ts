import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import type { Secret } from '../core/secret.ts';
import { canonicalJson } from './canonical-json.ts';
import { answerOf } from './guarded-request.ts';
import { outcomeOf, releaseIn } from './target-answers.ts';
import type { CurrentRelease, OrderOutcome, RollbackOrder, TargetAdapter } from './target-adapter.ts';

/** What a webhook target is told. */
export interface WebhookOptions {
  readonly url: string;
  /** Where `{"release": "…"}` says what runs; undefined: nobody can say. */
  readonly currentUrl: string | undefined;
  readonly secret: Secret;
  readonly token: Secret | undefined;
  readonly isRepeatable: boolean;
  readonly timeoutMs: number;
  readonly ca: string | undefined;
}

const answered = z.object({ release: z.string() });

/**
 * A target behind a webhook of its owner. The order is a POST of JSON with `Idempotency-Key` and
 * `X-Plimsoll-Signature: t=<seconds>,v1=<hex>`, HMAC-SHA256 of `<seconds>.<body>`. 2xx: it was done; 409: the target does
 * not run the release to leave; other 4xx: it will not. Of the answer's JSON only `message` is kept, for people.
 */
export class WebhookAdapter implements TargetAdapter {
  readonly isRepeatable: boolean;
  readonly #options: WebhookOptions;
  readonly #clock: Clock;

  constructor(options: WebhookOptions, clock: Clock) {
    this.isRepeatable = options.isRepeatable;
    this.#options = options;
    this.#clock = clock;
  }

  async current(): Promise<CurrentRelease> {
    const { currentUrl: url } = this.#options;
    if (url === undefined) return { kind: 'unknown' };
    const answer = await answerOf({ ...this.#usual, method: 'GET', url, headers: this.#bearer, body: '' });
    return releaseIn(answer, (body) => answered.parse(body).release);
  }

  async rollBack(order: RollbackOrder): Promise<OrderOutcome> {
    const { url, secret } = this.#options;
    const { id, from, to, requestedBy, approvedBy, ...rest } = order;
    const body = canonicalJson({
      ...rest,
      action: 'rollback',
      id,
      from_release: from,
      to_release: to,
      requested_by: requestedBy,
      approved_by: approvedBy,
    });
    const seconds = Math.floor(this.#clock.nowMs() / 1000);
    const signature = createHmac('sha256', secret.reveal()).update(`${seconds}.${body}`).digest('hex');
    const answer = await answerOf({
      ...this.#usual,
      method: 'POST',
      url,
      headers: {
        ...this.#bearer,
        'content-type': 'application/json',
        'idempotency-key': id,
        'x-plimsoll-signature': `t=${seconds},v1=${signature}`,
      },
      body,
    });
    return outcomeOf(answer, { movedBy: [409] });
  }

  get #usual() {
    const { timeoutMs, ca } = this.#options;
    return { timeoutMs, ca };
  }

  get #bearer(): Readonly<Record<string, string>> {
    const { token } = this.#options;
    return token ? { authorization: `Bearer ${token.reveal()}` } : {};
  }
}
