import type { Log } from '../core/log.ts';
import type { Claim } from '../core/stream.ts';
import type { BookState } from '../incidents/incident-book.ts';
import { renewState } from '../judge/former-state.ts';
import type { JudgeState } from '../judge/judge.ts';
import type { AssessmentState } from './assessment.ts';
import { latestSnapshot } from './pointer.ts';
import type { StateLog } from './state-log.ts';

/** What snapshots hold of the stream, of what speaks against releases, and of incidents; a process reads those of its own versions, and the one of the judge before that. */
export const versions = { assessment: 1, judge: 2, incidents: 1 };

/** What speaks against releases in this version is made that of now. */
const formerJudge = 1;

/** What a snapshot says. */
export interface SavedState {
  readonly versions: typeof versions;
  readonly assessment: AssessmentState;
  /** As of the same offsets. */
  readonly judge: JudgeState;
  /** Nothing that the stream holds says them again. */
  readonly incidents: BookState;
}

/** What the snapshot that is committed says, as far as it is there and of these versions. Rejects with the reason of `lost` when that aborts before it is known. */
export async function readSavedState(
  claims: readonly Pick<Claim, 'committed'>[],
  parts: { readonly states: StateLog<SavedState>; readonly log: Log; readonly lost: AbortSignal },
): Promise<{ saved?: SavedState; judge?: JudgeState; incidents?: BookState }> {
  const { states, log, lost } = parts;
  const commits = claims.map(({ committed }) => committed);
  const snapshot = latestSnapshot(commits, states.id);
  if (!snapshot) return {};
  const state = await states.read(snapshot, lost);
  const isFormer = state?.versions.judge === formerJudge;
  if (state && isFormer) renewState(state.judge);
  const isKnown = (part: keyof typeof versions): boolean => state?.versions[part] === versions[part];
  const anew = 'all spans that the stream holds are assessed anew, counters from 0 on';
  if (!state)
    log.warn(
      { snapshot },
      `the last snapshot is not on its stream any more: ${anew}, and incidents are forgotten`,
    );
  else if (!isKnown('assessment')) log.warn({ snapshot }, `the last snapshot is of another version: ${anew}`);
  const judge = isFormer || isKnown('judge') ? state?.judge : undefined;
  if (state && isKnown('assessment') && !judge)
    log.warn({ snapshot }, 'the last snapshot is of another judge: evidence against releases begins anew');
  return {
    ...(state && isKnown('assessment') && { saved: state }),
    ...(judge && { judge }),
    ...(state && isKnown('incidents') && { incidents: state.incidents }),
  };
}
