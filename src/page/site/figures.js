/** Between a figure and its unit: narrow, and never the end of a line. */
const space = '\u202f';
/** Of nothing, or of what nobody knows. */
export const none = '–';
/** Rates of fewer than so many say little. */
export const fewBelow = 20;

const counts = new Intl.NumberFormat('en');
const parts = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const dollars = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const times = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'long' });
const days = new Intl.DateTimeFormat('en', {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});
const clocks = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/**
 * An amount of things.
 * @param {number} value
 */
export function count(value) {
  return counts.format(value);
}

/**
 * An amount of things that may be great, in little room: `1.2M`.
 * @param {number} value
 */
export function shortCount(value) {
  return value < 10_000 ? counts.format(value) : compact.format(value);
}

/**
 * So many of a thing: `1 run`, `412 runs`.
 * @param {number} amount
 * @param {string} plural
 */
export function amountOf(amount, plural) {
  const one = plural.endsWith('sses') ? plural.slice(0, -2) : plural.replace(/s$/, '');
  return `${counts.format(amount)} ${amount === 1 ? one : plural}`;
}

/**
 * A share of 1 in percent. What is not quite all, or not quite nothing, does not read as if it were.
 * @param {number} value
 */
export function ratio(value) {
  const percent = value * 100;
  const kept = value < 1 && percent > 99.9 ? 99.9 : value > 0 && percent < 0.1 ? 0.1 : percent;
  return `${percents.format(kept)}${space}%`;
}

/**
 * A difference between shares of 1, in points of a hundred: `−12.3 points`.
 * @param {number} value
 */
export function points(value) {
  const size = percents.format(Math.abs(value * 100));
  return `${size === '0.0' ? '±' : value < 0 ? '−' : '+'}${size}${space}points`;
}

/**
 * An amount of US dollars: three digits that mean something where it is less than one.
 * @param {number} value
 */
export function usd(value) {
  const size = Math.abs(value);
  if (size === 0 || size >= 1) return `${value < 0 ? '−' : ''}$${dollars.format(size)}`;
  const digits = Math.min(8, Math.max(2, 2 - Math.floor(Math.log10(size))));
  return `${value < 0 ? '−' : ''}$${size.toFixed(digits)}`;
}

/**
 * A length of time in seconds.
 * @param {number} value
 */
export function seconds(value) {
  if (value < 1) return `${Math.round(value * 1000)}${space}ms`;
  if (value < 120) return `${value.toFixed(value < 10 ? 2 : 1)}${space}s`;
  if (value < 7200) return `${(value / 60).toFixed(1)}${space}min`;
  return `${(value / 3600).toFixed(1)}${space}h`;
}

/** @type {Readonly<Record<import('../live-view.ts').Tile['unit'], (value: number) => string>>} */
const ofUnit = {
  ratio,
  USD: usd,
  seconds,
  incidents: (value) => (value < 1 ? parts.format(value) : count(value)),
};

/**
 * The value of a KPI.
 * @param {number | null} value
 * @param {import('../live-view.ts').Tile['unit']} unit
 */
export function figure(value, unit) {
  return value === null ? none : ofUnit[unit](value);
}

/**
 * What a policy asks of a KPI, as people wrote it: `90 %`.
 * @param {number} value
 * @param {import('../live-view.ts').Tile['unit']} unit
 */
export function asked(value, unit) {
  return figure(value, unit)
    .replace(`.0${space}`, space)
    .replace(/(\.\d\d\d*?)0+$/, '$1');
}

/**
 * Things in a second.
 * @param {number} value
 */
export function rate(value) {
  if (value === 0) return `0${space}/s`;
  const text = value < 10 ? value.toFixed(1) : shortCount(Math.round(value));
  return `${text === '0.0' ? '< 0.1' : text}${space}/s`;
}

/**
 * A length of time as people say it.
 * @param {number} lengthMs
 */
export function duration(lengthMs) {
  const inSeconds = Math.max(0, Math.round(lengthMs / 1000));
  if (inSeconds < 60) return `${inSeconds} s`;
  const minutes = Math.floor(inSeconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

/**
 * How long ago something was; what a clock puts in the future is now.
 * @param {number} timeMs
 * @param {number} nowMs
 */
export function ago(timeMs, nowMs) {
  return nowMs - timeMs < 5000 ? 'just now' : `${duration(nowMs - timeMs)} ago`;
}

/**
 * A time in full, in the zone of who reads it.
 * @param {number} timeMs
 */
export function exactly(timeMs) {
  return times.format(timeMs);
}

/**
 * A time of the day.
 * @param {number} timeMs
 */
export function clock(timeMs) {
  return clocks.format(timeMs);
}

/**
 * A time with its day.
 * @param {number} timeMs
 */
export function day(timeMs) {
  return days.format(timeMs);
}

/**
 * When something was: `at 18:40`, and `on` its day where that is long ago.
 * @param {number} timeMs
 * @param {number} nowMs
 */
export function lately(timeMs, nowMs) {
  return nowMs - timeMs < 12 * 3_600_000 ? `at ${clock(timeMs)}` : `on ${day(timeMs)}`;
}

/**
 * The e-value of which `log` is the natural logarithm, in the words of the judge.
 * @param {number} log
 */
export function evidence(log) {
  const value = Number(Math.exp(log).toPrecision(3));
  if (value < 0.01) return 'nearly 0';
  return value < 1e6 ? parts.format(value) : `10^${Math.round(log / Math.LN10)}`;
}
