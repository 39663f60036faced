import type { Attempt } from './attempt.ts';
import type { ChainHead } from './chain.ts';
import type { OpenBreaker } from './rollback-book.ts';

/** All that an executor has to say of itself. */
export interface RollbackStatus {
  readonly attempts: readonly (Attempt & {
    /** With what the one who asked can approve or refuse it. */
    readonly ticket: string | undefined;
    /** How often somebody asked for it, as far as this process knows. */
    readonly asks: number;
  })[];
  readonly breakers: readonly OpenBreaker[];
  readonly stopReason: string | undefined;
  readonly head: ChainHead;
  readonly fault: string | undefined;
}
