import { messageOf } from '../core/failure.ts';

/** The header that shows `token`. */
export function bearer(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Why the API at `url` did not answer, as one sentence; `error` is what fetch rejected with. */
export function unreachable(url: string, error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return `cannot ask ${url}: ${messageOf(cause)}; name the API with --url`;
}
