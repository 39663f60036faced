/** @import { RollbackLine } from '../live-view.ts' */
/** @import { Answers } from './answers.js' */
/** @import { RollbackApi } from './rollback-api.js' */
/** @import { Token } from './token.js' */
import { byId, only, setText } from './element.js';
import { RollbackDialog } from './rollback-dialog.js';
import { reviewVerb, rollbackText } from './words.js';

/** Says of rollbacks that are over whether they were right, in the name of who gave the token. */
export class Reviews {
  #token;
  #api;
  #answers;
  #form = only('review-form', HTMLFormElement);
  #right = only('review-right', HTMLInputElement);
  #note = only('review-note', HTMLInputElement);
  #dialog = new RollbackDialog('review', () => this.#confirm());
  /** @type {RollbackLine | undefined} */
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
   * Asks whether it was right, and first for a token where none was given.
   * @param {RollbackLine} rollback
   * @param {HTMLElement} heading of the rollback
   */
  ask(rollback, heading) {
    if (this.#token.value === null) return this.#token.ask(() => this.ask(rollback, heading));
    const { state, review } = rollback;
    const isDone = state !== 'dry_run';
    setText(
      byId('review-title'),
      isDone ? 'Was this rollback right?' : 'Would this rollback have been right?',
    );
    setText(byId('review-text'), rollbackText(rollback));
    byId('review-replaced').hidden = review === null;
    const note = review === null || review.note === '' ? '' : `, ${review.note}`;
    setText(
      byId('review-replaced'),
      `What you say replaces what ${review?.by ?? ''} said: ${review?.review ?? ''}${note}.`,
    );
    this.#form.reset();
    this.#asked = rollback;
    this.#dialog.open(heading);
  }

  #confirm() {
    const rollback = this.#asked;
    if (!rollback) return;
    const [review, note] = [this.#right.checked ? 'right' : 'wrong', this.#note.value.trim()];
    void this.#answers.of(rollback, async () => {
      await this.#api.post(`/api/v1/reviews/${encodeURIComponent(rollback.id)}`, { review, note });
      return `Noted: it ${reviewVerb(rollback)} ${review}.`;
    });
  }
}
