import { hash } from 'node:crypto';
import type { Cause, FrozenPlan, Mode } from './rollback-event.ts';

/** What the policies in use say of rollbacks of an agent in an environment. Durations in milliseconds. */
export interface RollbackPlan extends Omit<FrozenPlan, 'mode'> {
  readonly mode: Mode;
}

/** Somebody asks to take a release back. */
export interface RollbackRequest {
  readonly cause: Cause;
  readonly agent: string;
  readonly environment: string;
  /** The one that is bad. */
  readonly release: string;
  /** `judge`, or the name of the caller. */
  readonly requestedBy: string;
  readonly reason: string;
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** What became of a request. */
export type RequestOutcome =
  /** An attempt begins. */
  | { readonly kind: 'accepted'; readonly id: string }
  /** It is that of an attempt that is under way, or that was answered before. */
  | { readonly kind: 'joined'; readonly id: string; readonly state: string }
  /** Nothing is to be done; the reason says why. */
  | { readonly kind: 'ignored'; readonly reason: string };

/** The target of a rehearsal, which is only pretended. No configuration or policy has one of such a name. */
export function sandboxOf(agent: string, environment: string): string {
  return `sandbox/${environment}/${agent}`;
}

/** The idempotency key: requests with the same one are about the same thing, whoever sends them. */
export function keyOf(
  { agent, environment, release }: Pick<RollbackRequest, 'agent' | 'environment' | 'release'>,
  target: string,
): string {
  return hash('sha256', JSON.stringify([target, environment, agent, release, 'rollback']), 'hex');
}
