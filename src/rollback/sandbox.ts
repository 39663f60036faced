import type { TargetAdapter } from './target-adapter.ts';

/** The pretended target of rehearsals: it takes every order and does nothing, and what runs only traffic shows. */
export const sandbox: TargetAdapter = {
  isRepeatable: true,
  current: async () => Promise.resolve({ kind: 'unknown' }),
  rollBack: async () => Promise.resolve({ kind: 'done', reason: 'a rehearsal: nothing real was done' }),
};
