/** A calendar month in UTC, as `2026-10`. Months compare as their texts do. */
export type Month = string;

const pattern = /^(\d{4})-(0[1-9]|1[0-2])$/;

/** The month that `text` says; undefined where it says none. */
export function monthOf(text: string): Month | undefined {
  return pattern.test(text) ? text : undefined;
}

/** The month in which `timeMs` lies. */
export function monthAt(timeMs: number): Month {
  return new Date(timeMs).toISOString().slice(0, 7);
}

/** The month that is `count` months after `month`, or before where that is negative. */
export function monthAfter(month: Month, count: number): Month {
  const [, year, ordinal] = pattern.exec(month) ?? [];
  return monthAt(Date.UTC(Number(year), Number(ordinal) - 1 + count));
}

/** The first millisecond of `month`. */
export function startOf(month: Month): number {
  return Date.parse(`${month}-01T00:00:00Z`);
}

/** How many days `month` has. */
export function daysIn(month: Month): number {
  return Math.round((startOf(monthAfter(month, 1)) - startOf(month)) / 86_400_000);
}
