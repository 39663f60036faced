/**
 * What a ClickHouse server can be made to do to every INSERT (`refuse`: to every connection):
 *
 * - `refuse`: connections are reset;
 * - `hang`: it reads the rows, applies nothing and never answers; when the fault is cleared the connection ends;
 * - `late`: it reads the rows and applies them when the fault is cleared, although the client may have gone by then;
 * - `drop-answer`: it applies the rows and ends the connection without an answer;
 * - the others: it applies nothing and answers with an error of ClickHouse.
 */
export type Fault = 'refuse' | 'hang' | 'late' | 'drop-answer' | keyof typeof errors;

/** The errors that a fault can be, by its name. */
export const errors = {
  'no-space': { code: 243, type: 'NOT_ENOUGH_SPACE', message: 'Cannot reserve 1.00 MiB, not enough space' },
  'read-only': { code: 242, type: 'TABLE_IS_READ_ONLY', message: 'Table is in readonly mode' },
  'too-many-parts': { code: 252, type: 'TOO_MANY_PARTS', message: 'Too many parts (3000)' },
  memory: { code: 241, type: 'MEMORY_LIMIT_EXCEEDED', message: '(total) memory limit exceeded' },
  timeout: { code: 159, type: 'TIMEOUT_EXCEEDED', message: 'Timeout exceeded: elapsed 300 seconds' },
  keeper: { code: 999, type: 'KEEPER_EXCEPTION', message: 'Session expired' },
  'few-replicas': { code: 285, type: 'TOO_FEW_LIVE_REPLICAS', message: 'Number of alive replicas (1) < 2' },
  'too-busy': { code: 202, type: 'TOO_MANY_SIMULTANEOUS_QUERIES', message: 'Too many simultaneous queries' },
  starting: { code: 198, type: 'DNS_ERROR', message: 'Not found address of host: keeper' },
} as const;

/** The HTTP statuses that ClickHouse gives its error codes; 500 for any other. */
const codesByStatus = new Map<number, readonly number[]>([
  [400, [6, 26, 27, 36, 38, 41, 43, 44, 53, 62, 69, 72, 117, 306, 321, 427, 441, 675, 676]],
  [401, [194]],
  [403, [192, 193, 497, 512, 516]],
  [404, [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 511]],
  [408, [159]],
  [413, [503]],
  [501, [48]],
  [503, [76, 209, 439]],
]);

/** The HTTP status with which ClickHouse answers an error. */
export function statusOf(code: number): number {
  return [...codesByStatus].find(([, codes]) => codes.includes(code))?.[0] ?? 500;
}
