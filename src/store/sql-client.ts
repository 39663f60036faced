/** Where a SQL port is and how to ask it. */
export interface SqlRequest {
  /** Such as http://127.0.0.1:8123. */
  readonly url: string;
  readonly token: string | undefined;
  readonly query: string;
  /** A format of ClickHouse, for a query without FORMAT clause. */
  readonly format: string;
  /** Whether a Pretty format may colour: what it says is read on a terminal. */
  readonly isColored?: boolean;
  /** Values of placeholders such as `{environment:String}`, by name. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** What the SQL port at `url` answers, as text. Rejects with one clear sentence when none runs there or it refuses the query. */
export async function runSql(request: SqlRequest): Promise<string> {
  const { url, token, query, format, isColored = false, parameters = {} } = request;
  const given = new URLSearchParams({ default_format: format });
  if (isColored) given.set('output_format_pretty_color', '1');
  for (const [name, value] of Object.entries(parameters)) given.set(`param_${name}`, escaped(value));
  const response = await fetch(`${url}/?${given.toString()}`, {
    method: 'POST',
    body: query,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  }).catch((cause: unknown) => {
    throw new Error(
      `nothing answers at ${url}: start the pipeline with \`plimsoll run\`, or name its SQL port`,
      { cause },
    );
  });
  const text = await response.text();
  if (response.status === 401) throw new Error(`the SQL port at ${url} needs its token`);
  if (!response.headers.has('x-clickhouse-exception-code') && !response.ok)
    throw new Error(`what answers at ${url} is not a SQL port (HTTP ${response.status})`);
  if (!response.ok)
    throw new Error(
      text
        .trim()
        .replace(/^Code: \d+\. DB::Exception: /, '')
        .replace(/ \(version [^)]*\)$/, ''),
    );
  return text;
}

/** As in tab-separated text, which is how ClickHouse reads the values of placeholders. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');
}
