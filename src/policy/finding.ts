/** Something wrong with a policy. */
export interface Finding {
  /** A policy with an error is not to be used. */
  readonly level: 'error' | 'warning';
  /** Where in the policy: keys joined by `::`. */
  readonly path: string;
  /** What is wrong and what to do about it. */
  readonly sentence: string;
}

/** An error at `path`: `what` is wrong, and the `fix`. */
export function error(path: string, what: string, fix: string): Finding {
  return { level: 'error', path, sentence: `${what}: ${fix}` };
}

/** A warning at `path`: `what` is questionable, and the `fix`. */
export function warning(path: string, what: string, fix: string): Finding {
  return { level: 'warning', path, sentence: `${what}: ${fix}` };
}
