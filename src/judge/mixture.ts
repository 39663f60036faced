/** How much worse the alternatives are that a test bets on, in log-odds, and how it weighs them. */
export const shifts = [0.25, 0.5, 1, 2, 4] as const;
export const shiftWeights: readonly number[] = [1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9];

/** The share of the stake that is kept for a release that turns bad later, and over how many bets half of it is spent. */
export const lateShare = 0.25;
const lateBets = 120;

/**
 * An e-process: a stake of 1 spread over alternatives, which grows where a bet on them comes true. Of what is kept in
 * reserve, every bet adds some to each.
 */
export interface Mixture {
  /** Natural logarithm of what each alternative is worth. */
  readonly logs: number[];
  /** Not yet spent. */
  reserve: number;
  bets: number;
}

/** A stake of 1, `reserve` of which is kept for later. */
export function stake(weights: readonly number[], reserve: number): Mixture {
  return { logs: weights.map((weight) => Math.log(weight * (1 - reserve))), reserve, bets: 0 };
}

/** Bets: each alternative gets its share of what is released of the reserve, then grows by its factor, of which `logFactors` are the logarithms. */
export function bet(mixture: Mixture, weights: readonly number[], logFactors: readonly number[]): void {
  const { logs } = mixture;
  mixture.bets++;
  if (mixture.reserve > 0) {
    const spent = mixture.reserve / (lateBets + mixture.bets);
    mixture.reserve -= spent;
    for (const [k, weight] of weights.entries())
      logs[k] = logSumExp([logs[k]!, Math.log(spent) + Math.log(weight)]);
  }
  for (const [k, factor] of logFactors.entries()) logs[k]! += factor;
}

/** Natural logarithm of the e-value. */
export function logEvidence({ logs, reserve }: Mixture): number {
  return logSumExp(reserve > 0 ? [...logs, Math.log(reserve)] : logs);
}

/** The same stake, on its own. */
export function copyOf({ logs, reserve, bets }: Mixture): Mixture {
  return { logs: [...logs], reserve, bets };
}

function logSumExp(logs: readonly number[]): number {
  const most = Math.max(...logs);
  let sum = 0;
  for (const log of logs) sum += Math.exp(log - most);
  return most + Math.log(sum);
}
