/** What to do to a target: bring it from one release to another. */
export interface RollbackOrder {
  /** Of the attempt; the same whenever the same attempt is sent again, so it is the idempotency key. */
  readonly id: string;
  readonly target: string;
  readonly agent: string;
  readonly environment: string;
  readonly from: string;
  readonly to: string;
  readonly policy: string;
  readonly revision: string;
  readonly reason: string;
  /** Who asked, and who approved, with commas between several; '' where nobody had to. */
  readonly requestedBy: string;
  readonly approvedBy: string;
}

/** What a target runs. `unknown`: it can never say. `unreachable`: it could not be asked now. */
export type CurrentRelease =
  | { readonly kind: 'known'; readonly release: string }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unreachable'; readonly reason: string };

/**
 * What became of an order. `done`: the target has it. `moved`: the target says that it does not run the release to
 * leave. `refused`: it will not, however often it is asked. `unreached`: surely nothing happened, and it may be asked
 * again. `uncertain`: it may have happened. Reasons are for people, and hold no secrets.
 */
export interface OrderOutcome {
  readonly kind: 'done' | 'moved' | 'refused' | 'unreached' | 'uncertain';
  readonly reason: string;
}

/** The way to something that runs releases. Never rejects for what the target does or does not answer. */
export interface TargetAdapter {
  /** Whether the same order may be sent twice and happens once. */
  readonly isRepeatable: boolean;
  /** What it runs now. An order that is under way is handed in by the executor, for targets that are only pretended. */
  current(of: Pick<RollbackOrder, 'id' | 'from'>): Promise<CurrentRelease>;
  /** Does it, and answers within some seconds. */
  rollBack(order: RollbackOrder): Promise<OrderOutcome>;
}
