/** The tables whose rows come by a stream. */
export type RowTable = 'agent_runs' | 'incidents' | 'policies' | 'rollbacks';

/** A row on its way to its table: of the rows with the same key, the one with the greatest version stands. */
export interface TableRow {
  readonly table: RowTable;
  /** What the row is of, such as the id of a run: the values of the table's ORDER BY. */
  readonly key: string;
  readonly version: number;
  /** Its columns by name, as one line of JSON without its end. What a row leaves out is 0, '' or false. */
  readonly row: string;
}

const contentHeader = 'plimsoll.content';

/** The form of rows: one a line, as JSON by the names of the columns; another form has another number. */
const form = 1;

/** The headers by which a record says that it holds rows of `table`. */
export function headersOf(table: RowTable): Readonly<Record<string, string>> {
  return { [contentHeader]: `${table}/${form}` };
}

/** What `headers` say of the rows in their record; undefined where they are none of ours. */
export function contentOf(
  headers: Readonly<Record<string, string>>,
): { readonly table: string; readonly isNewer: boolean; readonly text: string } | undefined {
  const text = headers[contentHeader] ?? '';
  const [, table, said] = /^(\w+)\/(\d+)$/.exec(text) ?? [];
  return table === undefined ? undefined : { table, isNewer: Number(said) > form, text };
}

/** Longer texts are no names and no ids; with this every row of names fits every stream. */
const limitCharacters = 1000;

/** `value` as a column of names holds it, cut off where it is too long for one; undefined for ''. */
export function nameText(value: string): string | undefined {
  if (value === '') return undefined;
  return (value.length > limitCharacters ? value.slice(0, limitCharacters) : value).toWellFormed();
}

/** The last millisecond that a column holds; only a broken clock is later. */
const lastMs = Date.UTC(2299, 11, 31, 23, 59, 59, 999);

/** A time of nanoseconds as a double may lie a quarter of a microsecond below the millisecond that it is. */
const halfStepMs = 0.0005;

const dayMs = 86_400_000;
const digits = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'));
/** The day that was written last, which most rows share: its number since the epoch, and its text. */
const lastDay = { number: Number.NaN, text: '' };

/** As a DateTime64(3, 'UTC'); a Date would take ten times as long to say it. */
export function instantText(timeMs: number): string {
  const wholeMs = Math.floor(Math.min(timeMs + halfStepMs, lastMs));
  const day = Math.floor(wholeMs / dayMs);
  if (day !== lastDay.number) {
    lastDay.number = day;
    lastDay.text = new Date(day * dayMs).toISOString().slice(0, 10);
  }
  const ofDayMs = wholeMs - day * dayMs;
  const hours = digits[Math.floor(ofDayMs / 3_600_000)]!;
  const minutes = digits[Math.floor(ofDayMs / 60_000) % 60]!;
  const seconds = digits[Math.floor(ofDayMs / 1000) % 60]!;
  return `${lastDay.text} ${hours}:${minutes}:${seconds}.${String(ofDayMs % 1000).padStart(3, '0')}`;
}
