import { z } from 'zod';

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

function quantity(units: Readonly<Record<string, number>>, title: string, what: string) {
  return z
    .union([z.string(), z.number()])
    .transform((text, context) => {
      const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(String(text)) ?? [];
      const scale = unit === undefined ? undefined : units[unit];
      if (amount === undefined || scale === undefined) {
        context.addIssue(`must be ${what}, not ${JSON.stringify(text)}`);
        return z.NEVER;
      }
      return Math.round(Number(amount) * scale);
    })
    .meta({ title });
}

/** A duration with its unit, as milliseconds. */
export const duration = quantity(durationUnits, 'duration', 'a duration such as 500ms, 20s, 5m, 1h or 7d');
/** A size with its unit, as bytes. */
export const size = quantity(sizeUnits, 'size', 'a size such as 512KiB, 64MiB or 10GiB');
