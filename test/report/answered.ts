import type { Answers } from '../../src/report/answers.ts';
import { parametersOf, questions, type Subject } from '../../src/report/questions.ts';
import { reportOf, type Report } from '../../src/report/report.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';

/** The report on `subject` of what is in `clickhouse`. */
export async function reportFrom(clickhouse: Pick<ClickHouse, 'query'>, subject: Subject): Promise<Report> {
  const answers: Record<string, readonly unknown[]> = {};
  for (const [name, sql] of Object.entries(questions))
    answers[name] = await clickhouse.query(sql, parametersOf(subject));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- these are the answers to those questions
  return reportOf(subject, answers as unknown as Answers);
}
