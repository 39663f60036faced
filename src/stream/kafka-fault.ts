import { GenericError, MultipleErrors, ResponseError } from '@platformatic/kafka';
import { z } from 'zod';

const named = z.object({ apiId: z.string() });
const unknown = 'UNKNOWN_SERVER_ERROR';

/**
 * The name of the first error code in a broker's answer, such as `NOT_LEADER_OR_FOLLOWER`; undefined when there was no
 * answer, so that nobody knows whether the request was carried out.
 */
export function faultCode(error: unknown): string | undefined {
  if (!(error instanceof ResponseError)) return undefined;
  const names = error.errors.map((each) => named.safeParse(each).data?.apiId ?? unknown);
  return names.find((name) => name !== unknown) ?? unknown; // a record's fault stands before its partition's, without a code
}

/** What went wrong and why, in few words. */
export function faultText(error: unknown): string {
  const code = faultCode(error);
  if (code !== undefined) return `the broker answered ${code}`;
  if (!(error instanceof Error)) return String(error);
  const said = error.message.replace(/\.$/, '');
  if (!(error.cause instanceof Error)) return said;
  const why = faultText(error.cause);
  return said.endsWith(why) ? said : `${said}: ${why}`; // ours say themselves why
}

/** Whether `error` is the client's own, whose words do not say what was wanted. */
export function isClientFault(error: unknown): boolean {
  return error instanceof GenericError || error instanceof MultipleErrors;
}
