/** @import { Token } from './token.js' */
import { sentenceOf } from './answer.js';

/**
 * What the API says of a rollback to who shows a token: the ticket is null where he may not decide on it.
 * @typedef {{
 *   readonly id: string,
 *   readonly state: string,
 *   readonly approvers: readonly string[],
 *   readonly asked_by: readonly string[],
 *   readonly ticket: string | null,
 * }} ListedRollback
 */

/** The API of rollbacks, in the name of who gave the token. What is not answered throws why, without a full stop. */
export class RollbackApi {
  #token;

  /** @param {Token} token */
  constructor(token) {
    this.#token = token;
  }

  /**
   * The rollbacks, and by what name who gave the token is known; `token` is that of the shared one.
   * @returns {Promise<{ readonly you: string, readonly rollbacks: readonly ListedRollback[] }>}
   */
  async list() {
    return this.#send('/api/v1/rollbacks', {});
  }

  /**
   * Posts `body`; where the rollback it is about stands then.
   * @param {string} path
   * @param {unknown} body
   * @returns {Promise<{ readonly state?: string }>}
   */
  async post(path, body) {
    return this.#send(path, { method: 'POST', body: JSON.stringify(body) });
  }

  /**
   * @param {string} path
   * @param {RequestInit} how
   */
  async #send(path, how) {
    const headers = {
      authorization: `Bearer ${this.#token.value ?? ''}`,
      'content-type': 'application/json',
    };
    const response = await fetch(path, { ...how, headers, cache: 'no-store' }).catch((error) => {
      throw new Error('nobody answers', { cause: error });
    });
    if (!response.ok) throw new Error(await sentenceOf(response, true));
    return response.json();
  }
}
