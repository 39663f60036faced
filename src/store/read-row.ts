import type { RowColumnType, RowShape } from './row-tables.ts';

/** Whether a column of that type takes the value. */
const isWritten: Readonly<Record<RowColumnType, (said: unknown) => boolean>> = {
  String: isText,
  'LowCardinality(String)': isText,
  "DateTime64(3, 'UTC')": isInstant,
  "Nullable(DateTime64(3, 'UTC'))": isInstant,
  'Decimal(18, 9)': (said) => typeof said === 'string' && /^\d{1,9}\.\d{9}$/.test(said),
  UInt32: isCount,
  UInt64: isCount,
  Float64: (said) => typeof said === 'number' && Number.isFinite(said),
  Bool: (said) => typeof said === 'boolean',
  'Array(String)': areTexts,
  'Array(LowCardinality(String))': areTexts,
  'Map(LowCardinality(String), Float64)': (said) =>
    isObject(said) && Object.entries(said).every(([key, score]) => isText(key) && Number.isFinite(score)),
};

/**
 * The row of a table of `shape` that `line` says, without what is no column; undefined when it is none: no JSON object
 * with its key and Version, or one whose values a table with these columns cannot take.
 */
export function readRow(line: string, { columns, key }: RowShape): string | undefined {
  const said = parse(line);
  if (!isObject(said) || [...key, 'Version'].some((name) => said[name] === undefined)) return undefined;
  const row: Record<string, unknown> = {};
  for (const { name, type } of columns) {
    const value = said[name];
    if (value === undefined) continue;
    if (!isWritten[type](value)) return undefined;
    row[name] = value;
  }
  return JSON.stringify(row);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // such as one that was cut off
  }
}

function isObject(said: unknown): said is Readonly<Record<string, unknown>> {
  return typeof said === 'object' && said !== null && !Array.isArray(said);
}

function isText(said: unknown): boolean {
  return typeof said === 'string' && said.isWellFormed();
}

function areTexts(said: unknown): boolean {
  return Array.isArray(said) && said.every(isText);
}

function isCount(said: unknown): boolean {
  return Number.isSafeInteger(said) && Number(said) >= 0;
}

/** There is no 30th of February. */
function isInstant(said: unknown): boolean {
  if (typeof said !== 'string') return false;
  const text = `${said.replace(' ', 'T')}Z`;
  const date = new Date(text);
  return !Number.isNaN(date.getTime()) && date.toISOString() === text;
}
