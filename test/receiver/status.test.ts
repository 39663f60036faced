import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { answerTo, Refusal, type RefusalReason } from '../../src/receiver/status.ts';

/** OTLP 1.11: what a sender repeats. RESOURCE_EXHAUSTED only with RetryInfo. */
const retryable = { grpc: [1, 4, 10, 11, 14, 15], http: [429, 502, 503, 504] };

describe('the answer to a failure', () => {
  it.each(['overloaded', 'unavailable'] as const)(
    'tells the sender of an %s request to come back',
    (kind) => {
      const answer = answerTo(new Failure(kind, 'm', { retryAfterMs: 3000 }), 0.5);
      expect(retryable.grpc).toContain(answer.grpc);
      expect(retryable.http).toContain(answer.http);
      expect(answer).toMatchObject({ retryAfterMs: 4500, outcome: 'refused', bug: undefined });
    },
  );

  it('spreads the retries of senders refused together', () => {
    const delays = [0, 0.25, 0.999].map(
      (random) => answerTo(new Failure('overloaded', 'm'), random).retryAfterMs,
    );
    expect(delays).toEqual([1000, 1250, 1999]);
  });

  it('keeps a bug retryable, and does not show it', () => {
    const bug = new TypeError('undefined is not a function');
    const answer = answerTo(bug, 0);
    expect(answer).toMatchObject({ grpc: 14, http: 503, bug });
    expect(answer.message).not.toContain('undefined');
  });

  it.each<[RefusalReason, number, number]>([
    ['too_large', 8, 413],
    ['unauthenticated', 16, 401],
    ['unknown_path', 12, 404],
    ['wrong_method', 12, 405],
    ['wrong_media_type', 12, 415],
    ['wrong_encoding', 12, 415],
  ])('tells nobody to repeat what is %s', (reason, grpc, http) => {
    const answer = answerTo(new Refusal(reason, 'm'), 0);
    expect(answer).toMatchObject({ grpc, http, retryAfterMs: undefined, outcome: 'rejected' });
    expect(retryable.grpc).not.toContain(answer.grpc);
    expect(retryable.http).not.toContain(answer.http);
  });

  it('tells a sender that was too slow to come back, in both protocols', () => {
    const answer = answerTo(new Refusal('too_slow', 'm'), 0.5);
    expect(answer).toMatchObject({ grpc: 4, http: 503, retryAfterMs: 1500, outcome: 'refused' });
  });

  it('tells nobody to repeat what is invalid', () => {
    const answer = answerTo(new Failure('invalid', 'm', { retryAfterMs: 1 }), 0);
    expect(answer).toMatchObject({ grpc: 3, http: 400, retryAfterMs: undefined, badField: 'resource_spans' });
  });
});
