import { messageOf } from '../core/failure.ts';

/** The header that shows `token`. */
export function bearer(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Why fetch rejected, for people: it hides that in the cause of its error. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return messageOf(cause instanceof AggregateError ? cause.errors[0] : cause); // one for each address of a name
}

/** Why the API at `url` did not answer, as one sentence; `error` is what fetch rejected with. */
export function unreachable(url: string, error: unknown): string {
  return `cannot ask ${url}: ${reasonOf(error)}; name the API with --url`;
}
