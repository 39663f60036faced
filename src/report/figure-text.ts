import type { Month } from './month.ts';
import type { Rate } from './rate.ts';

const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** What stands where there is nothing to say. */
export const nothing = '–';

/** Between a number and its unit, where no line ends. */
const noBreak = '\u00A0';

/** A share as `91.8 %`. */
export function percent(share: number): string {
  return `${rounded(100 * share, 1)}${noBreak}%`;
}

/** The interval of a rate as `90.1–93.3 %`; of no cases, nothing. */
export function intervalText({ low, high }: Rate): string {
  return low === null || high === null
    ? nothing
    : `${rounded(100 * low, 1)}–${rounded(100 * high, 1)}${noBreak}%`;
}

/** A rate, or that there are too few cases to speak of one. */
export function rateText({ rate, isEnough, of }: Rate): string {
  if (of === 0) return nothing;
  return rate === null || !isEnough ? 'not enough data' : percent(rate);
}

/** What a rate rests on: its interval, and the counts where there are few. */
export function basisText(rate: Rate): string {
  if (rate.of === 0) return 'no runs';
  const counts = rate.isEnough ? '' : `${rate.count} of ${rate.of}, `;
  return `${counts}${intervalText(rate)}`;
}

/** A number with its thousands apart. */
export function whole(value: number): string {
  return value.toFixed(0).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

/** A number with so many decimals. */
export function rounded(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? (0).toFixed(decimals) : text;
}

/** US dollars, the more decimals the less it is; nothing of null. */
export function dollars(usd: number | null): string {
  if (usd === null) return nothing;
  if (usd === 0) return '$0';
  if (usd >= 1000) return `$${whole(usd)}`;
  return `$${usd.toFixed(usd >= 1 ? 2 : usd >= 0.1 ? 3 : 4)}`;
}

/** A length of time as people say it; nothing of null. */
export function lengthText(seconds: number | null): string {
  if (seconds === null) return nothing;
  if (seconds < 90) return `${seconds.toFixed(0)}${noBreak}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes}${noBreak}min`;
  if (minutes < 48 * 60) return `${rounded(minutes / 60, 1)}${noBreak}h`;
  return `${rounded(minutes / 1440, 1)}${noBreak}days`;
}

/** `Oct 2026` of a month. */
export function monthText(month: Month): string {
  return `${monthName(month)} ${month.slice(0, 4)}`;
}

/** `Oct` of a month, or of a time as ISO 8601. */
export function monthName(month: Month): string {
  return monthNames[Number(month.slice(5, 7)) - 1] ?? month;
}

/** `6 Oct` of a time as ISO 8601. */
export function dayText(instant: string): string {
  return `${Number(instant.slice(8, 10))} ${monthName(instant)}`;
}

/** `6 Oct 2026, 09:14` of a time as ISO 8601 in UTC. */
export function instantText(instant: string): string {
  return `${dayText(instant)} ${instant.slice(0, 4)}, ${instant.slice(11, 16)}`;
}

/** So many of something, in words. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : several}`;
}

const limitCharacters = 80;

/** What a sender wrote, on one line, without characters that nobody sees, cut off where it is longer than `limit`. */
export function shownName(text: string, limit = limitCharacters): string {
  const line = text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  if (line === '') return '(no name)';
  return line.length > limit ? `${line.slice(0, limit - 1).toWellFormed()}…` : line;
}
