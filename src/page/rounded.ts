const digits = 5;

/** `value` with as many digits as a chart or a table shows: it is sent every few seconds. */
export function rounded<T extends number | null>(value: T): T {
  return (value === null ? value : Number(value.toPrecision(digits))) as T; // oxlint-disable-line typescript/no-unsafe-type-assertion -- a number stays one
}
