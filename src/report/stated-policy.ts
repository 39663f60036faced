import { z } from 'zod';
import type { Answers, PolicyRow } from './answers.ts';

/** A risk as a policy states it. */
export interface StatedRisk {
  readonly id: string;
  readonly statement: string;
  readonly likelihood: number;
  readonly impact: number;
  readonly owner: string;
  readonly review_by: string;
}

const risk = z.object({
  id: z.string(),
  statement: z.string(),
  likelihood: z.number(),
  impact: z.number(),
  owner: z.string(),
  review_by: z.string(),
});
const objective = z.object({
  at_least: z.number().optional(),
  at_most: z.number().optional(),
  period: z.string().optional(),
});

/** So much of a policy's text a report reads: what another version of the program wrote may have more, and lack some. */
const document = z.object({
  objectives: z.record(z.string(), objective.optional().catch(undefined)).catch({}),
  drill: z.object({ every: z.string(), scenario: z.string() }).optional().catch(undefined),
  risks: z.array(risk).catch([]),
  gates: z
    .object({ canary: z.looseObject({}).optional() })
    .optional()
    .catch(undefined),
});

/** A revision of a policy, with as much of its text as the report reads. */
export interface StatedPolicy extends Omit<PolicyRow, 'document'>, z.infer<typeof document> {
  /** Whether its text was too long to be stored, so that its objectives, risks and drills are not known. */
  readonly isCut: boolean;
}

/** The revisions of `policies`, in their order. */
export function statedPolicies(policies: readonly PolicyRow[]): readonly StatedPolicy[] {
  return policies.map(({ document: text, ...row }) => ({
    ...row,
    ...document.parse(text === '' ? {} : JSON.parse(text)),
    isCut: text === '',
  }));
}

/** A policy that is in use: since when, its revision, and the one before the month, undefined where the policy is new. */
export interface PolicyInUse {
  readonly firstMs: number;
  readonly last: StatedPolicy;
  readonly before: StatedPolicy | undefined;
}

/**
 * Of each policy the revision that was in use when the month ended, as far as runs tell: that which covered a run, or
 * came into use, last. `unused` are those of policies that neither covered a run of the four months nor came into use in
 * them: nothing says that a policy was removed, so that it has gone when they are over.
 */
export function inUse(
  stated: readonly StatedPolicy[],
  { covered }: Pick<Answers, 'covered'>,
  { startMs, fromMs }: { readonly startMs: number; readonly fromMs: number },
): { readonly used: readonly PolicyInUse[]; readonly unused: readonly StatedPolicy[] } {
  const ranMs = new Map(covered.map((row) => [row.revision, row.lastMs]));
  const usedMs = ({ revision, sinceMs }: StatedPolicy): number => Math.max(sinceMs, ranMs.get(revision) ?? 0);
  const byPolicy = Map.groupBy(stated, ({ policy }) => policy);
  const all = [...byPolicy.values()].map((revisions) => ({
    firstMs: Math.min(...revisions.map(({ sinceMs }) => sinceMs)),
    last: revisions.toSorted((a, b) => usedMs(a) - usedMs(b)).at(-1)!,
    before: revisions.findLast(({ sinceMs }) => sinceMs < fromMs),
  }));
  return {
    used: all.filter(({ last }) => usedMs(last) >= startMs),
    unused: all.filter(({ last }) => usedMs(last) < startMs).map(({ last }) => last),
  };
}
