import { byId, only } from './element.js';

/**
 * A dialog about a rollback, which index.html has with its form and its button to cancel. Once it is closed the focus is
 * where it was, or, where that is gone or something was done, at the heading of the rollback.
 */
export class RollbackDialog {
  #dialog;
  /** @type {HTMLElement | undefined} */
  #heading;

  /**
   * @param {string} name of its id: `decision` for `decision-dialog`
   * @param {() => void} onConfirm
   */
  constructor(name, onConfirm) {
    this.#dialog = only(`${name}-dialog`, HTMLDialogElement);
    this.#dialog.addEventListener('close', () => {
      const focused = document.activeElement;
      if (focused === document.body || this.#dialog.contains(focused)) this.#heading?.focus();
    });
    byId(`${name}-cancel`).addEventListener('click', () => this.#dialog.close());
    byId(`${name}-form`).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#dialog.close();
      this.#heading?.focus();
      onConfirm();
    });
  }

  /** @param {HTMLElement} heading */
  open(heading) {
    this.#heading = heading;
    this.#dialog.showModal();
  }
}
