import type { TargetAnswer } from './guarded-request.ts';
import type { CurrentRelease, OrderOutcome } from './target-adapter.ts';

/** Answers that say for sure that nothing happened, and that it may be asked again: RFC 9110 and RFC 6585. */
const notNow: readonly number[] = [408, 425, 429];

/**
 * What an answer to an order says of it. `movedBy` are the statuses with which the target says that it does not run the
 * release to leave.
 */
export function outcomeOf(answer: TargetAnswer, { movedBy = [] as readonly number[] } = {}): OrderOutcome {
  if (answer.kind !== 'answered') return answer;
  const { status } = answer;
  const reason = sentenceOf(answer);
  if (status >= 200 && status < 300) return { kind: 'done', reason };
  if (movedBy.includes(status)) return { kind: 'moved', reason };
  if (notNow.includes(status) || isRateLimit(answer)) return { kind: 'unreached', reason };
  if (status >= 300 && status < 400)
    return { kind: 'refused', reason: `${reason}; redirects are not followed` };
  return { kind: status >= 500 ? 'uncertain' : 'refused', reason };
}

/** The release that an answer says is running, by `read`, which throws where the JSON is another. */
export function releaseIn(answer: TargetAnswer, read: (json: unknown) => string): CurrentRelease {
  if (answer.kind !== 'answered') return { kind: 'unreachable', reason: answer.reason };
  if (answer.status !== 200) return { kind: 'unreachable', reason: sentenceOf(answer) };
  try {
    return { kind: 'known', release: read(JSON.parse(answer.body)) };
  } catch {
    return { kind: 'unreachable', reason: `${sentenceOf(answer)}, and not which release runs` };
  }
}

/** A GitHub token that was used too often is told so by a 403. */
function isRateLimit({ status, headers }: Extract<TargetAnswer, { kind: 'answered' }>): boolean {
  return status === 403 && (headers['retry-after'] !== undefined || headers['x-ratelimit-remaining'] === '0');
}

function sentenceOf({ status, message }: Extract<TargetAnswer, { kind: 'answered' }>): string {
  return `it answered ${status}${message && `: ${message}`}`;
}
