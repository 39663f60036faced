import { loadConfig } from '../config.ts';
import { systemClock } from '../core/clock.ts';
import { reachableUrl } from '../core/listen.ts';
import { planOf, type Plan } from '../plan.ts';
import type { Answers } from '../report/answers.ts';
import { htmlOf } from '../report/html.ts';
import { markdownOf } from '../report/markdown.ts';
import { monthAfter, monthAt, monthOf, type Month } from '../report/month.ts';
import { parametersOf, questions, type Subject } from '../report/questions.ts';
import { documentOf } from '../report/report-document.ts';
import { reportOf, type Report } from '../report/report.ts';
import { readerOf } from '../roles/store.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import { runSql } from '../store/sql-client.ts';
import { print, UsageError, type Command } from './command.ts';
import { writeText } from './named-file.ts';

const formats: Readonly<Record<string, (report: Report) => string>> = {
  html: (report) => htmlOf(documentOf(report)),
  md: (report) => markdownOf(documentOf(report)),
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
};

export const reportCommand: Command = {
  name: 'report',
  summary:
    'write the report of a month for executives: success, escalations, incidents, cost, releases, risks',
  help: `Usage: plimsoll report [--config FILE]... [--month 2026-10] [--format html|md|json] [--out FILE]

Writes one page on a month of all agents, beside the three months before it: success and escalation rates with their
intervals, incidents, cost per successful task, releases and rollbacks, error budgets, quality, drills, risks, and how
far the data can be trusted. All of it comes from ClickHouse, so the same rows give the same bytes. Months are those of
UTC; drills are left out.

  plimsoll report --out october.html --month 2026-10
  plimsoll report --format md                                   the last whole month
  plimsoll report --config config/store.yaml --out report.html  from the ClickHouse server of CLICKHOUSE_URL

It asks what the configuration says: the SQL port of the pipeline that runs, where ClickHouse is embedded, else the
server, of which a user is enough that may only read (readonly = 1).

  --month YYYY-MM      a month that has begun (default: the last whole one, which is said on standard error)
  --environment NAME   where the runs happened (default production)
  --format FORMAT      html: one file that can be printed or sent; md; json: all figures, for programs (default html)
  --out FILE           where to write it (default: standard output)`,
  options: {
    month: { type: 'string' },
    environment: { type: 'string' },
    format: { type: 'string' },
    out: { type: 'string' },
  },
  run: async ({ config, options }) => {
    const format = String(options['format'] ?? 'html');
    const written = Object.hasOwn(formats, format) ? formats[format] : undefined;
    if (!written)
      throw new UsageError(`--format ${format}: must be one of ${Object.keys(formats).join(', ')}`);
    const subject = {
      month: monthSaid(options['month']),
      environment: environmentSaid(options['environment']),
    };
    const report = reportOf(subject, await answersTo(subject, planOf(loadConfig(config))));
    const { out, month } = options;
    const about = `the report of ${subject.month} on ${subject.environment}`;
    if (out === undefined) {
      if (month === undefined) process.stderr.write(`${about}\n`);
      process.stdout.write(written(report));
    } else {
      writeText(String(out), written(report));
      print(`${String(out)}: ${about}`);
    }
    return 0;
  },
};

function monthSaid(said: string | boolean | undefined): Month {
  const current = monthAt(systemClock.nowMs());
  if (said === undefined) return monthAfter(current, -1);
  const month = monthOf(String(said));
  if (month === undefined) throw new UsageError(`--month ${String(said)}: must be a month such as 2026-10`);
  if (month > current)
    throw new UsageError(
      `--month ${month}: has not begun; it is ${current} (UTC): choose that or an earlier one`,
    );
  return month;
}

function environmentSaid(said: string | boolean | undefined): string {
  const environment = String(said ?? 'production');
  if (isRehearsal(environment))
    throw new UsageError(
      `--environment ${environment}: is one of drills, which are in no report; choose another`,
    );
  return environment;
}

type Ask = (sql: string) => Promise<readonly unknown[]>;

async function answersTo(subject: Subject, plan: Plan): Promise<Answers> {
  const parameters = parametersOf(subject);
  return asking(plan, parameters, async (ask) => {
    const answers: Record<string, readonly unknown[]> = {};
    for (const [name, sql] of Object.entries(questions)) answers[name] = await ask(sql);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- these are the answers to those questions
    return answers as unknown as Answers;
  });
}

/** What `use` makes of the tables, wherever `plan` says that they are. */
async function asking<T>(
  plan: Plan,
  parameters: Readonly<Record<string, string>>,
  use: (ask: Ask) => Promise<T>,
): Promise<T> {
  const { store, sql } = plan;
  if (!store)
    throw new Error(
      'service::pipelines: lists no traces/store, so that it is not known where the tables are; give the configuration of one that stores, such as --config config/store.yaml',
    );
  if (store.clickhouse.url === undefined) {
    if (!sql) throw new Error('service::extensions: lists no sql; add it, so that there is a port to ask');
    const { endpoint, token } = sql.options;
    const at = { url: reachableUrl(endpoint), token: token?.reveal(), format: 'JSONEachRow', parameters };
    return use(async (query) => rowsOf(await runSql({ ...at, query })));
  }
  const server = readerOf(store.clickhouse.url, store.clickhouse);
  try {
    await server.start();
    return await use(async (query) => server.query(query, parameters));
  } finally {
    await server.stop(AbortSignal.timeout(1000));
  }
}

function rowsOf(lines: string): readonly unknown[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}
