import { unknown } from './vocabulary.ts';

/** The label value that stands for every value of a series beyond the limit. */
export const overflow = 'overflow';

const maxValueLength = 128;
/** Control characters, line and paragraph separators, and those that turn the direction of what follows. */
// oxlint-disable-next-line no-control-regex -- control characters are what it removes
const unprintable = /[\u0000-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069]/g;

/**
 * `text` as the value of a label: at most 128 characters, well-formed, without control characters; `unknown` where it is
 * empty, for Prometheus takes an empty label for none. What says `overflow` itself says so: that word is ours.
 */
export function labelValue(text: string): string {
  let short = text.length > maxValueLength ? text.slice(0, maxValueLength) : text;
  if (short.length < text.length && !short.isWellFormed()) short = short.replace(/[\uD800-\uDBFF]$/, '');
  const clean = short.replaceAll(unprintable, ' ').toWellFormed();
  if (clean.trim() === '') return unknown;
  return clean === overflow ? 'overflow (sent)' : clean;
}
