/** @import { RollbackLine } from '../live-view.ts' */
/** @import { Answers } from './answers.js' */
/** @import { ListedRollback, RollbackApi } from './rollback-api.js' */
/** @import { Token } from './token.js' */
import { byId, only, setText } from './element.js';
import { RollbackDialog } from './rollback-dialog.js';
import { words } from './words.js';

/** @typedef {'approve' | 'refuse'} Decision */

/** Approves and refuses rollbacks in the name of who gave the token. */
export class Decisions {
  #token;
  #api;
  #answers;
  #reason = only('decision-reason', HTMLInputElement);
  #dialog = new RollbackDialog('decision', () => this.#confirm());
  /** @type {{ readonly rollback: RollbackLine, readonly decision: Decision } | undefined} */
  #asked;

  /**
   * @param {Token} token
   * @param {RollbackApi} api
   * @param {Answers} answers
   */
  constructor(token, api, answers) {
    this.#token = token;
    this.#api = api;
    this.#answers = answers;
  }

  /**
   * Asks for confirmation, and first for a token where none was given.
   * @param {RollbackLine} rollback
   * @param {Decision} decision
   * @param {HTMLElement} heading of the rollback
   */
  ask(rollback, decision, heading) {
    if (this.#token.value === null) return this.#token.ask(() => this.ask(rollback, decision, heading));
    const { agent, environment, fromRelease, toRelease } = rollback;
    const isApproval = decision === 'approve';
    const what = `${agent} in ${environment} from ${fromRelease} to ${toRelease ?? 'its last good release'}`;
    setText(byId('decision-title'), isApproval ? 'Approve this rollback?' : 'Refuse this rollback?');
    setText(byId('decision-text'), isApproval ? `It takes ${what}.` : `${what} is not taken back.`);
    setText(byId('decision-confirm'), isApproval ? 'Approve the rollback' : 'Refuse the rollback');
    for (const id of ['decision-stands', 'decision-why']) byId(id).hidden = isApproval;
    this.#reason.value = '';
    this.#asked = { rollback, decision };
    this.#dialog.open(heading);
  }

  #confirm() {
    if (!this.#asked) return;
    const { rollback, decision } = this.#asked;
    const reason = this.#reason.value.trim();
    void this.#answers.of(rollback, async () => this.#decide(rollback.id, decision, reason));
  }

  /**
   * @param {string} id
   * @param {Decision} decision
   * @param {string} reason
   */
  async #decide(id, decision, reason) {
    const { you, rollbacks } = await this.#api.list();
    const found = rollbacks.find((each) => each.id === id);
    if (!found) throw new Error('the server knows it no more');
    if (found.ticket === null) throw new Error(whyNot(found, you));
    const path = `/api/v1/approvals/${encodeURIComponent(found.ticket)}`;
    const { state } = await this.#api.post(path, { decision, reason });
    if (decision === 'refuse') return 'Refused.';
    return state === 'awaiting_approval' ? 'Your approval is noted; another one is needed.' : 'Approved.';
  }
}

/**
 * Why `you` has no ticket of a rollback.
 * @param {ListedRollback} rollback
 * @param {string} you
 */
function whyNot({ state, approvers, asked_by: askers }, you) {
  if (state !== 'awaiting_approval') return `it is ${words(state)} now, and waits for nobody`;
  const others = approvers.filter((name) => !askers.includes(name));
  const may = `${others.length === 0 ? 'nobody else' : others.join(' and ')} may decide`;
  if (you === 'token')
    return `the token that you gave is the shared one, which says nothing of who you are: give your own, as extensions::api::users has it; ${may}`;
  if (!approvers.includes(you)) return `${you} is no approver of its policy: ${may}`;
  if (askers.includes(you)) return `${you} asked for this rollback: ${may}`;
  return 'the time to decide is over';
}
