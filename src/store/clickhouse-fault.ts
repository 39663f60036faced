import { messageOf } from '../core/failure.ts';
/**
 * What helps against a fault: other `rows` (these wrote nothing and always fail), `time` (the same again, later), or an
 * `operator`, who mends what the message names. The same again succeeds then, too.
 */
type Remedy = 'rows' | 'time' | 'operator';

/** An error that ClickHouse is known to raise, or that kept it from answering, as one sentence. */
export class ClickHouseFault extends Error {
  override readonly name = 'ClickHouseFault';
  readonly remedy: Remedy;
  /** ClickHouse's code in digits; undefined when it did not answer. */
  readonly code: string | undefined;

  constructor(
    remedy: Remedy,
    message: string,
    options: { readonly code?: number; readonly cause?: unknown },
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.remedy = remedy;
    this.code = options.code?.toString();
  }
}

/** The code of an error that ClickHouse raised, such as 252 TOO_MANY_PARTS; undefined for any other error. */
export function clickHouseErrorCode(error: unknown): number | undefined {
  // By shape: chDB and the client each bring a ClickHouseError class of their own.
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return /^\d+$/.test(error.code) ? Number(error.code) : undefined;
}

/**
 * The codes by which ClickHouse refuses rows for what they are, before it writes a part. Whatever is not here may have
 * written something, or may succeed another time: unknown tables and columns, anything a view throws.
 */
const rejecting = [117, 128, 131, 321, 407, 469];

/** What passes with time, and how to say it. */
const passing: ReadonlyMap<number, string> = new Map([
  [159, 'ClickHouse ran into its own time limit'],
  [201, 'the quota of this user is used up'],
  [202, 'ClickHouse runs as many queries as it may'],
  [203, 'ClickHouse has no free connection'],
  [209, 'ClickHouse waited too long for a connection of its own'],
  [210, 'ClickHouse lost a connection of its own'],
  [236, 'ClickHouse is stopping'],
  [241, 'ClickHouse is out of memory'],
  [242, 'the table is read-only for now: a replica that has lost Keeper is'],
  [243, 'the disk of ClickHouse is full: free some space'],
  [252, 'the table has too many parts, and gets time to merge them'],
  [279, 'ClickHouse cannot reach its own servers'],
  [285, 'too few replicas are alive for the insert_quorum of this user'],
  [286, 'an earlier insert has not reached its quorum'],
  [319, 'ClickHouse does not know what became of the insert'],
  [341, 'a replica has not finished what all have to do'],
  [394, 'somebody cancelled the query'],
  [439, 'ClickHouse has no free thread'],
  [499, 'the object store of ClickHouse failed'],
  [517, 'another change of the table is under way'],
  [735, 'the query was cancelled'],
  [745, 'ClickHouse is overloaded'],
  [999, 'Keeper does not answer ClickHouse'],
  [1001, 'ClickHouse failed within'],
]);

const shape = 'the tables are not as the migrations made them: change them back';
const user = 'ClickHouse does not accept the user: check username and password';

/** What somebody has to mend, and how to say it. */
const mendable: ReadonlyMap<number, string> = new Map([
  [8, shape],
  [16, shape],
  [20, shape],
  [46, 'this ClickHouse is too old: use a newer one'],
  [47, shape],
  [53, shape],
  [
    60,
    'a table is missing: restore it, or drop plimsoll_migrations and start anew to have all made that are missing',
  ],
  [81, 'the database does not exist: create it, or set another database'],
  [115, 'this ClickHouse is too old: use a newer one'],
  [164, 'this user may only read: give it a profile without readonly'],
  [192, user],
  [193, user],
  [194, user],
  [225, 'this ClickHouse has no Keeper, which a cluster needs: configure it, or remove cluster'],
  [452, 'the profile of this user forbids a setting that inserts need: remove the constraint'],
  [497, 'this user lacks a right: grant it'],
  [516, user],
  [701, 'ClickHouse knows no such cluster: see system.clusters for those it knows'],
]);

/** `error` as a ClickHouseFault where its code is known, and as it is otherwise. */
export function faultOf(error: unknown): unknown {
  const code = clickHouseErrorCode(error);
  if (code === undefined || !(error instanceof Error) || error instanceof ClickHouseFault) return error;
  const type = 'type' in error ? String(error.type) : 'UNKNOWN';
  if (rejecting.includes(code))
    // Without ClickHouse's own error, also as the cause: it quotes the row, and causes are logged.
    return new ClickHouseFault(
      'rows',
      `ClickHouse refused the row: ${type} (${code})${constraintOf(error)}`,
      {
        code,
      },
    );
  const options = { code, cause: error };
  const [remedy, sentence] = passing.has(code)
    ? (['time', passing.get(code)] as const)
    : (['operator', mendable.get(code)] as const);
  if (sentence === undefined) return error;
  return new ClickHouseFault(remedy, `${sentence} (${type} ${code}: ${inShort(error.message)})`, options);
}

/** The constraint that a row violates stands before the row. */
function constraintOf({ message }: Error): string {
  const [, name] = /^[^(]{0,100}\bConstraint `([^`]{1,100})`/.exec(message) ?? [];
  return name === undefined ? '' : `, constraint ${name}`;
}

/** `error` for the log: a fault that is known is a sentence, and where it came from says nothing more. */
export function loggable(error: unknown): { readonly why: string } | { readonly err: unknown } {
  return error instanceof ClickHouseFault ? { why: error.message } : { err: error };
}

/** What @clickhouse/client says when it gives up. */
const clientTimeout = 'Timeout error.';

/** Codes of Node by which a certificate is refused. */
const distrust = /CERT|SELF_SIGNED|UNABLE_TO|ERR_SSL|ERR_TLS|EPROTO/;

/** Why nothing that is an answer came from `url`. */
export function silenceOf(error: unknown, url: string): ClickHouseFault {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const said = messageOf(error);
  const options = { cause: error };
  if (distrust.test(code))
    return new ClickHouseFault(
      'operator',
      `TLS with ClickHouse at ${url} failed (${code}): set tls::ca_file to the authority of its certificate, or correct the url`,
      options,
    );
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return new ClickHouseFault('time', `the connection to ClickHouse at ${url} broke (${code})`, options);
  if (code !== '')
    return new ClickHouseFault(
      'time',
      `ClickHouse at ${url} cannot be reached (${code}): is it running, and is the url right?`,
      options,
    );
  if (said === clientTimeout)
    return new ClickHouseFault('time', `ClickHouse at ${url} has not answered in time`, options);
  return new ClickHouseFault('time', `what answers at ${url} is not ClickHouse: ${inShort(said)}`, options);
}

/** What helps against `error` or what caused it; undefined when nobody knows. */
export function remedyOf(error: unknown): Remedy | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof ClickHouseFault) return cause.remedy;
  return undefined;
}

/** Whether `error`, or what caused it, may be over later by itself: ClickHouse's own, and nobody knows what to mend. */
export function mayPass(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ClickHouseFault) return cause.remedy !== 'operator';
    if (clickHouseErrorCode(cause) !== undefined) return true;
  }
  return false;
}

const shortLength = 300;

function inShort(message: string): string {
  const line = message.replaceAll(/\s+/g, ' ').trim();
  return line.length <= shortLength ? line : `${line.slice(0, shortLength)}…`;
}
