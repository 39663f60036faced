import { z } from 'zod';
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

const failed = z.object({ errors: z.array(z.string()) });

/** What an answer with a status that is no success says, in one line: `text` is its body. */
export function refusalOf(status: number, text: string): string {
  const said = failed.safeParse(parsed(text));
  return `${status} ${said.success ? said.data.errors.join('; ') : text.trim().slice(0, 200)}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Why the API at `url` did not answer, as one sentence; `error` is what fetch rejected with. */
export function unreachable(url: string, error: unknown): string {
  return `cannot ask ${url}: ${reasonOf(error)}; name the API with --url`;
}
