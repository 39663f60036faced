import { z } from 'zod';
import { duration } from './config-quantities.ts';

const limitUsd = 1e6;

const usd = z.unknown().transform((said, context) => {
  const value = typeof said === 'string' && /^\d+(\.\d+)?$/.test(said) ? Number(said) : said;
  if (typeof value === 'number' && value >= 0 && value <= limitUsd) return value;
  context.addIssue(`must be US dollars from 0 to ${limitUsd} such as 2.50, not ${JSON.stringify(said)}`);
  return z.NEVER;
});

const date = z.string().transform((text, context) => {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    context.addIssue(`must be a day such as 2026-11-01, in UTC, not ${JSON.stringify(text)}`);
    return z.NEVER;
  }
  return ms;
});

const modelRates = z
  .strictObject({
    provider: z.string().min(1).optional(),
    from: date.optional(),
    input: usd,
    output: usd,
    cache_read: usd.optional(),
    cache_write: usd.optional(),
    call: usd.prefault(0),
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
    .prefault({}),
  tools: z.record(z.string(), usd).prefault({}),
  review: z
    .strictObject({
      usd_per_hour: usd,
      roles: z.record(z.string(), usd).prefault({}),
      limit: duration.prefault('1h'),
    })
    .transform(({ usd_per_hour: usdPerHour, roles: usdPerHourByRole, limit: limitMs }) => ({
      usdPerHour,
      usdPerHourByRole,
      limitMs,
    }))
    .optional(),
});
