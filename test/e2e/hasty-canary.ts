/** What a policy says of a canary that is decided about in seconds. */
export interface HastyCanary {
  readonly canary: string;
  /** The target of rollbacks. */
  readonly target: string;
  readonly mode?: 'approve' | 'auto';
  /** Of all runs those of the canary. */
  readonly share?: number;
  /** How long a rollback may take until it is verified. */
  readonly within?: string;
}

/** `gates`, `rollback` and `tests` of a policy by which a canary is decided about in seconds. */
export function hastyCanary({
  canary,
  target,
  mode = 'auto',
  share = 0.3,
  within = '2m',
}: HastyCanary): string {
  return `gates:
  canary:
    share: ${share}
    unit: run
    deadline: 1m
    min_runs: 20
    weights: { run_success: 1 }
    floor: { run_success: 0.5 }
    margin: 0.1
    pause_at: 20
    rollback_at: 100
    max: 1h
    on_timeout: pause
    tick: 1s
rollback:
  mode: ${mode}
  target: ${target}
  cooldown: 5m
  per_day: 6
  verify: { kpi: run_success, min_events: 20, within: ${within} }
tests:
  - { name: blocks, gate: canary, fixture: none.traffic.yaml, release: ${canary}, verdict: fail }
`;
}
