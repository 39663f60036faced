import { quoteString } from './sql-text.ts';

/** Why a query is not run: ClickHouse's own code and type, and the HTTP status it goes with. */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  readonly code: number;
  readonly type: string;
  readonly status: number;

  constructor(
    code: number,
    type: string,
    status: number,
    message: string,
    options?: { readonly cause: unknown },
  ) {
    super(message, options);
    this.code = code;
    this.type = type;
    this.status = status;
  }
}

/** Asks the engine something about a statement without running that statement. */
export type Ask = (sql: string) => Promise<readonly string[]>;

/** Roots of syntax trees that only read, as `EXPLAIN AST` names them. */
const readingRoot =
  /^(SelectWithUnionQuery|SelectIntersectExceptQuery|Show\w+|DescribeQuery|Exists\w+|Explain)\b/;
/** What an EXPLAIN may have under its root: a SELECT, settings, a format. */
const explainedNode = /^ (SelectWithUnionQuery|SelectIntersectExceptQuery|Set|Identifier)\b/;

/** Table functions that make their rows from their arguments alone. */
const harmlessTableFunctions =
  'numbers numbers_mt zeros zeros_mt primes generate_series generateseries values view format'.split(' ');

/** Lower-case names of the functions of this engine that read or write anything but tables: files, models, other servers. */
export async function reachingFunctionsOf(ask: Ask): Promise<ReadonlySet<string>> {
  const names = await ask(
    `SELECT lower(name) FROM (
       SELECT name FROM system.table_functions UNION ALL
       SELECT name FROM system.functions WHERE name = 'catboostEvaluate' OR name ILIKE 'ai%' OR name ILIKE 'dictGet%'
     )`,
  );
  return new Set(names.filter((name) => !harmlessTableFunctions.includes(name)));
}

/**
 * The one statement that `sql` is, as the engine writes it: run this text, not the one it came from. Rejects with
 * SqlError when it is not one statement, does not only read, or reaches beyond the tables. The engine parses `sql` as
 * a string, so nothing of it runs; what runs for the classification is its `EXPLAIN AST`.
 */
export async function readingStatement(
  sql: string,
  reaching: ReadonlySet<string>,
  ask: Ask,
): Promise<string> {
  if (sql.includes('\0'))
    throw new SqlError(62, 'SYNTAX_ERROR', 400, 'a query must not contain a NUL character');
  const statement = (await ask(`SELECT formatQuerySingleLine(${quoteString(sql)})`)).join('\n');
  refuseReaching(statement, reaching);
  const tree = await ask(`EXPLAIN AST ${statement}`);
  const isReading =
    readingRoot.test(tree[0] ?? '') &&
    (!/^Explain\b/.test(tree[0] ?? '') ||
      tree.filter((line) => /^ \S/.test(line)).every((line) => explainedNode.test(line)));
  if (!isReading)
    throw new SqlError(
      164,
      'READONLY',
      403,
      'this port only reads: one SELECT, SHOW, DESCRIBE, EXISTS, or EXPLAIN of a SELECT',
    );
  return statement;
}

function refuseReaching(statement: string, reaching: ReadonlySet<string>): void {
  const tokens = tokensOf(statement);
  for (const [at, token] of tokens.entries()) {
    const next = tokens[at + 1];
    if (token === ';') throw new SqlError(62, 'SYNTAX_ERROR', 400, 'this port runs one statement at a time');
    if (token.toUpperCase() === 'INTO' && next?.toUpperCase() === 'OUTFILE')
      throw new SqlError(497, 'ACCESS_DENIED', 403, 'this port does not write files: remove INTO OUTFILE');
    // The engine itself refuses only the outermost ones.
    if (token === 'SETTINGS')
      throw new SqlError(
        164,
        'READONLY',
        403,
        'this port sets its own limits: remove SETTINGS from the query',
      );
    if (next === '(' && reaching.has(unquoted(token).toLowerCase()))
      throw new SqlError(
        497,
        'ACCESS_DENIED',
        403,
        `this port reads tables only: ${unquoted(token)}() is not allowed`,
      );
  }
  // An identifier that needs quotes may be the path of a file, and its existence is nobody's business.
  if (tokens[0]?.toUpperCase() === 'EXISTS' && tokens.some((token) => /^["`']/.test(token)))
    throw new SqlError(497, 'ACCESS_DENIED', 403, 'EXISTS takes a plain table name here');
}

/** The words, quoted pieces and signs of a statement that the engine has written, which has no comments. */
export function tokensOf(statement: string): readonly string[] {
  return statement.match(/'(?:\\.|''|[^'\\])*'|`(?:\\.|``|[^`\\])*`|"(?:\\.|""|[^"\\])*"|\w+|\S/gsu) ?? [];
}

function unquoted(token: string): string {
  return /^["`]/.test(token) ? token.slice(1, -1) : token;
}

/** The format that the statement asks for itself. */
export function formatOf(statement: string): string | undefined {
  const tokens = tokensOf(statement);
  const at = tokens.lastIndexOf('FORMAT');
  const after = tokens[at + 2];
  return at > 0 && after === undefined ? tokens[at + 1] : undefined;
}
