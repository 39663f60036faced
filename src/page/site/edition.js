/** @import { LiveView } from '../live-view.ts' */

const key = 'plimsoll-reloaded-ms';
/** Where servers of two versions answer by turns, the page is loaded anew so seldom. */
const leastMs = 60_000;

/** The version of the server that this page is of: the one that sent its first view. */
export class Edition {
  /** @type {string | undefined} */
  #version;

  /**
   * Whether the page must be loaded anew, as `view` is of another version; the caller does so. Not while somebody is asked
   * for something, and not again at once.
   * @param {LiveView} view
   */
  isOver({ version }) {
    this.#version ??= version;
    if (version === this.#version || document.querySelector('dialog[open]')) return false;
    const nowMs = Date.now();
    if (Math.abs(nowMs - Number(sessionStorage.getItem(key))) < leastMs) return false;
    sessionStorage.setItem(key, String(nowMs));
    return true;
  }
}
