/** @import { RollbackLine } from '../live-view.ts' */

/** What came of what somebody did to rollbacks here: it is shown beside each, and told to who listens. */
export class Answers {
  /** @type {Map<string, string>} */
  #said = new Map();
  #onAnswer;
  #announce;

  /**
   * @param {() => void} onAnswer
   * @param {(sentence: string) => void} announce
   */
  constructor(onAnswer, announce) {
    this.#onAnswer = onAnswer;
    this.#announce = announce;
  }

  /**
   * What was answered about a rollback; '' where nothing was.
   * @param {string} id
   */
  to(id) {
    return this.#said.get(id) ?? '';
  }

  /**
   * Does `act`, which resolves with a sentence that says what was done, or throws why nothing was, without a full stop.
   * @param {RollbackLine} rollback
   * @param {() => Promise<string>} act
   */
  async of(rollback, act) {
    this.#say(rollback.id, 'Sent; waiting for the answer.');
    const sentence = await act().catch(
      (error) => `Not done: ${error instanceof Error ? error.message : 'nobody knows why'}.`,
    );
    this.#say(rollback.id, sentence);
    this.#announce(`${rollback.agent} ${rollback.fromRelease}: ${sentence}`);
  }

  /**
   * @param {string} id
   * @param {string} sentence
   */
  #say(id, sentence) {
    this.#said.set(id, sentence);
    this.#onAnswer();
  }
}
