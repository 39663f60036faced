/** Shares are kept so far from 0 and 1. */
const epsilon = 1e-4;

/** `share` at least 0.0001 from 0 and 1. */
export function clip(share: number): number {
  return Math.min(Math.max(share, epsilon), 1 - epsilon);
}

/** `share` moved up by `shift` log-odds, and kept from 1. */
export function shifted(share: number, shift: number): number {
  return Math.min(1 / (1 + Math.exp(-(Math.log(share / (1 - share)) + shift))), 1 - epsilon);
}
