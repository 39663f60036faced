import { z } from 'zod';
import { parsedJson } from '../api/json-body.ts';
import { fromEnvironment } from '../config.ts';
import { messageOf } from '../core/failure.ts';
import { UsageError } from './command.ts';

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
  const said = failed.safeParse(parsedJson(text));
  return `${status} ${said.success ? said.data.errors.join('; ') : text.trim().slice(0, 200)}`;
}

/** Why the API at `url` did not answer, as one sentence; `error` is what fetch rejected with. */
export function unreachable(url: string, error: unknown): string {
  return `cannot ask ${url}: ${reasonOf(error)}; start the pipeline with \`plimsoll run\`, or name the API with --url`;
}

const usualEndpoint = '127.0.0.1:8080';

/** What `--url` is when nobody says it, for help texts. */
export const usualUrl = `http://${usualEndpoint}, or where PLIMSOLL_API_ENDPOINT says`;

/**
 * Where the API is, without a slash at its end: what was `told`, or the endpoint that a pipeline of the shipped
 * configuration has in this environment. Throws a UsageError when that is no URL.
 */
export function apiUrl(told: string | undefined): string {
  const endpoint = fromEnvironment('PLIMSOLL_API_ENDPOINT') ?? usualEndpoint;
  const said =
    told ?? `http://${endpoint.replace(/^(?:0\.0\.0\.0)?(?=:\d)/, '127.0.0.1').replace(/^\[::\]/, '[::1]')}`;
  const url = URL.parse(said);
  if (url && /^https?:$/.test(url.protocol)) return said.replace(/\/$/, '');
  if (told === undefined)
    throw new UsageError(`PLIMSOLL_API_ENDPOINT is ${endpoint}, and no host:port such as ${usualEndpoint}`);
  throw new UsageError(`--url ${told} is no URL: write one such as http://${usualEndpoint}`);
}
