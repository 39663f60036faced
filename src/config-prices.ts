import { z } from 'zod';
import { duration } from './config-quantities.ts';

const limitUsd = 1e6;

const usd = z
  .unknown()
  .transform((said, context) => {
    const value = typeof said === 'string' && /^\d+(\.\d+)?$/.test(said) ? Number(said) : said;
    if (typeof value === 'number' && value >= 0 && value <= limitUsd) return value;
    context.addIssue(`must be US dollars from 0 to ${limitUsd} such as 2.50, not ${JSON.stringify(said)}`);
    return z.NEVER;
  })
  .meta({ title: 'US dollars' });

const date = z
  .string()
  .transform((text, context) => {
    const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(ms)) {
      context.addIssue(`must be a day such as 2026-11-01, in UTC, not ${JSON.stringify(text)}`);
      return z.NEVER;
    }
    return ms;
  })
  .meta({ title: 'day' });

const modelRates = z
  .strictObject({
    provider: z.string().min(1).optional().describe('Only where this one answers; whoever does without it.'),
    from: date.optional().describe('The day, in UTC, from which this holds; always without it.'),
    input: usd.describe('Per million tokens that a model reads.'),
    output: usd.describe('Per million tokens that it writes.'),
    cache_read: usd
      .optional()
      .describe('Per million tokens that it reads from a cache; as `input` without it.'),
    cache_write: usd
      .optional()
      .describe('Per million tokens that it writes to a cache; as `input` without it.'),
    call: usd.prefault(0).describe('Per call, beside its tokens.'),
  })
  .transform(
    ({ from: fromMs, cache_read: cacheRead, cache_write: cacheWrite, call: usdPerCall, ...rest }) => ({
      ...rest,
      fromMs,
      cacheRead,
      cacheWrite,
      usdPerCall,
    }),
  );

/** `prices` of the enrich processor: what things cost beyond the list prices of models, in US dollars. */
export const prices = z.strictObject({
  models: z
    .record(
      z.string(),
      z.preprocess((rates) => (Array.isArray(rates) ? rates : [rates]), z.array(modelRates).min(1)),
    )
    .prefault({})
    .describe(
      'By the model that answered, else the one that was asked; before any list price; exact names, or beginnings and `*`; a list of them where they changed.',
    ),
  tools: z
    .record(z.string(), usd)
    .prefault({})
    .describe('Per call, of each attempt that ran; exact names, or beginnings and `*`.'),
  review: z
    .strictObject({
      usd_per_hour: usd.describe('Of whoever reviews.'),
      roles: z.record(z.string(), usd).prefault({}).describe('Per hour of reviewers of a role.'),
      limit: duration.prefault('1h').describe('A span is cut to it; `plimsoll.review.seconds` are not.'),
    })
    .transform(({ usd_per_hour: usdPerHour, roles: usdPerHourByRole, limit: limitMs }) => ({
      usdPerHour,
      usdPerHourByRole,
      limitMs,
    }))
    .optional()
    .describe("A human's time."),
});
