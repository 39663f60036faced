import { z } from 'zod';
import { windowLabel } from '../core/window-label.ts';
import { severities } from '../semconv/vocabulary.ts';

export const severity = z.enum(severities).describe('Of the alert, and of the incident.');

const durationSentence =
  'must be a duration of 1s or more, a whole number up to 99999 and its unit, such as 30s, 5m, 1h, 30d or 13w';

/** A duration as Prometheus writes it, such as 5m, 1h or 30d: one number and one unit. */
export const duration = z
  .string({
    error: ({ input }) =>
      input === undefined ? 'is missing: write a duration such as 30d' : durationSentence,
  })
  .regex(/^[1-9]\d{0,4}[smhdw]$/, durationSentence)
  .meta({ title: 'duration' });

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** The length of a `duration` in seconds. */
export function durationSeconds(written: string): number {
  return Number(written.slice(0, -1)) * (secondsOf[written.slice(-1)] ?? Number.NaN);
}

/** The label `window` of the gauges over a `duration`, however that is written: 60m is 1h, and 1d is 24h. */
export function rollingWindow(written: string): string {
  return windowLabel(1000 * durationSeconds(written));
}

/** The length of a rolling window, as its gauges have it. */
export const window = duration.overwrite(rollingWindow);

/** What is said of a value that is none; that there is no value is said otherwise. */
const refused = (sentence: string) => ({
  error: ({ input }: { readonly input?: unknown }) => (input === undefined ? undefined : sentence),
});

const ratioSentence = 'must be a number from 0 to 1';

export const ratio = z.number(refused(ratioSentence)).min(0, ratioSentence).max(1, ratioSentence);

const positiveSentence = 'must be a number above 0';

/** A number above 0. */
export const positive = z.number(refused(positiveSentence)).positive(positiveSentence);

const evidenceSentence = 'must be a number of 1 or more';

/** How much likelier something has become: evidence, as an e-value. */
export const evidence = z.number(refused(evidenceSentence)).min(1, evidenceSentence);

export function count(min: number, max: number) {
  const sentence = `must be a whole number from ${min} to ${max}`;
  return z.number(refused(sentence)).int(sentence).min(min, sentence).max(max, sentence);
}

const given = (what: string) => ({
  error: ({ input }: { readonly input?: unknown }) =>
    input === undefined ? `is missing: name ${what}` : `must be text: name ${what}`,
});

/** A name that stands in labels, receivers and files of other programs: nothing in it needs quoting there. */
export function name(what: string) {
  return z
    .string(given(what))
    .regex(
      /^[A-Za-z0-9][\w.@:+/-]{0,99}$/,
      `must be letters, digits and . _ @ : + / - without spaces: name ${what}`,
    )
    .describe(`Names ${what}.`);
}

/** The name of an evaluator, as it stands in the label `evaluator`; alerts name it, and braces are theirs. */
export const evaluator = z
  .string(given('the evaluator'))
  .regex(/^[^{}\p{Cc}]{1,64}$/u, 'must be the name of an evaluator, without braces');

/** Words for humans. */
export function text(what: string) {
  return z.string(given(what)).regex(/\S/, `is empty: say ${what}`).max(1000).describe(`Says ${what}.`);
}

/** A day in UTC. */
export const day = z.iso.date('must be a day such as 2027-01-31').meta({ title: 'day' });
