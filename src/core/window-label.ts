const units = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;
const dayMs = 86_400_000;

/** A length of a rolling window as the label `window` has it, and as people write it: `5m`, `1h`, `24h`, `7d`. */
export function windowLabel(lengthMs: number): string {
  if (lengthMs % dayMs === 0 && lengthMs > dayMs) return `${lengthMs / dayMs}d`;
  const [unit, ms] = units.find(([, size]) => lengthMs % size === 0) ?? (['ms', 1] as const);
  return `${lengthMs / ms}${unit}`;
}
