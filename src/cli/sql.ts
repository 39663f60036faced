import { loadConfig } from '../config.ts';
import { reachableUrl } from '../core/listen.ts';
import { planOf } from '../plan.ts';
import { runSql } from '../store/sql-client.ts';
import { UsageError, type Command } from './command.ts';

export const sqlCommand: Command = {
  name: 'sql',
  summary: 'ask ClickHouse a question while the pipeline runs',
  help: `Usage: plimsoll sql [--config FILE]... [--format FORMAT] "QUERY"

Sends one query to the SQL port of the running pipeline and prints the answer. It can only read.

  plimsoll sql "SELECT AgentName, Result, count() FROM tool_calls GROUP BY ALL"
  plimsoll sql "DESCRIBE otel_traces"
  plimsoll sql --format JSONEachRow "SELECT * FROM otel_traces LIMIT 1"

  --format FORMAT   a format of ClickHouse (default PrettyCompactMonoBlock)`,
  options: { format: { type: 'string' } },
  takesWords: true,
  run: async ({ config: files, options, words }) => {
    const { sql, store } = planOf(loadConfig(files));
    const server = store?.clickhouse.url;
    if (server !== undefined)
      throw new Error(`exporters::${store?.id}::url: the tables are on ${server}: query that server itself`);
    if (!sql) throw new Error('service::extensions: lists no sql; add it, so that there is a port to ask');
    if (words.length !== 1)
      throw new UsageError('give one query, in quotes: plimsoll sql "SELECT count() FROM otel_traces"');
    const { endpoint, token } = sql.options;
    const answer = await runSql({
      url: reachableUrl(endpoint),
      token: token?.reveal(),
      query: words[0] ?? '',
      format: String(options['format'] ?? 'PrettyCompactMonoBlock'),
      isColored: process.stdout.isTTY,
    });
    if (answer === '') process.stderr.write('0 rows\n');
    else process.stdout.write(answer.endsWith('\n') ? answer : `${answer}\n`);
    return 0;
  },
};
