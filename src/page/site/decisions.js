/** @import { RollbackLine } from '../live-view.ts' */
/** @import { Token } from './token.js' */
import { sentenceOf } from './answer.js';
import { byId, only, setText } from './element.js';

/** @typedef {'approve' | 'refuse'} Decision */

/** Approves and denies rollbacks in the name of who gave the token, and keeps what was answered. */
export class Decisions {
  #token;
  #onAnswer;
  /** @type {Map<string, string>} */
  #answers = new Map();
  #dialog = only('decision-dialog', HTMLDialogElement);
  #reason = only('decision-reason', HTMLInputElement);
  /** @type {{ readonly rollback: RollbackLine, readonly decision: Decision } | undefined} */
  #asked;

  /**
   * @param {Token} token
   * @param {() => void} onAnswer
   */
  constructor(token, onAnswer) {
    this.#token = token;
    this.#onAnswer = onAnswer;
    byId('decision-cancel').addEventListener('click', () => this.#dialog.close());
    byId('decision-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#dialog.close();
      if (this.#asked)
        void this.#decide(this.#asked.rollback, this.#asked.decision, this.#reason.value.trim());
    });
  }

  /**
   * What was answered about a rollback; '' where nothing was.
   * @param {string} id
   */
  answerTo(id) {
    return this.#answers.get(id) ?? '';
  }

  /**
   * Asks for confirmation, and first for a token where none was given.
   * @param {RollbackLine} rollback
   * @param {Decision} decision
   */
  ask(rollback, decision) {
    if (this.#token.value === null) return this.#token.ask();
    const { agent, environment, fromRelease, toRelease } = rollback;
    const isApproval = decision === 'approve';
    const what = `${agent} in ${environment} from ${fromRelease} to ${toRelease ?? 'its last good release'}`;
    setText(byId('decision-title'), isApproval ? 'Approve this rollback?' : 'Deny this rollback?');
    setText(byId('decision-text'), isApproval ? `It takes ${what}.` : `${what} is not taken back.`);
    setText(byId('decision-confirm'), isApproval ? 'Approve the rollback' : 'Deny the rollback');
    byId('decision-why').hidden = isApproval;
    this.#reason.value = '';
    this.#asked = { rollback, decision };
    this.#dialog.showModal();
  }

  /**
   * @param {RollbackLine} rollback
   * @param {Decision} decision
   * @param {string} reason
   */
  async #decide({ id, approvers }, decision, reason) {
    this.#answer(id, 'Sent; waiting for the answer.');
    try {
      const ticket = await this.#ticketOf(id);
      if (ticket === null) {
        this.#answer(
          id,
          `Your token may not decide on it: its approvers are ${approvers.join(' and ')}, and who asked for it cannot be one.`,
        );
        return;
      }
      const response = await this.#send(`/api/v1/approvals/${encodeURIComponent(ticket)}`, {
        decision,
        reason,
      });
      const done = decision === 'approve' ? 'Approved.' : 'Denied.';
      this.#answer(id, response.ok ? done : `Not done: ${await sentenceOf(response)}.`);
    } catch (error) {
      this.#answer(id, `Not done: ${error instanceof Error ? error.message : 'nobody answers'}.`);
    }
  }

  /**
   * The ticket of a rollback; null where this token may not use it. Throws what the server says where it does not answer.
   * @param {string} id
   * @returns {Promise<string | null>}
   */
  async #ticketOf(id) {
    const response = await this.#send('/api/v1/rollbacks');
    if (!response.ok) throw new Error(await sentenceOf(response));
    /** @type {{ readonly rollbacks: readonly { readonly id: string, readonly ticket: string | null }[] }} */
    const { rollbacks } = await response.json();
    return rollbacks.find((each) => each.id === id)?.ticket ?? null;
  }

  /**
   * @param {string} url
   * @param {unknown} [body]
   */
  async #send(url, body) {
    const headers = {
      authorization: `Bearer ${this.#token.value ?? ''}`,
      'content-type': 'application/json',
    };
    const how = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
    return fetch(url, { ...how, cache: 'no-store' });
  }

  /**
   * @param {string} id
   * @param {string} sentence
   */
  #answer(id, sentence) {
    this.#answers.set(id, sentence);
    this.#onAnswer();
  }
}
