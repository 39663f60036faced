import { byId, only, setText } from './element.js';

const key = 'plimsoll-token';

/** The token that somebody gave: it is kept as long as this tab, and sent to nobody but this server. */
export class Token {
  #dialog = only('token-dialog', HTMLDialogElement);
  #field = only('token-field', HTMLInputElement);
  #fault = byId('token-fault');
  #button = byId('token-button');
  #onChange;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    this.#button.addEventListener('click', () => this.ask());
    byId('token-forget').addEventListener('click', () => this.#keep(''));
    byId('token-cancel').addEventListener('click', () => this.#dialog.close());
    byId('token-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const text = this.#field.value.trim();
      this.#fault.hidden = canBeSent(text);
      if (this.#fault.hidden) this.#keep(text);
    });
    this.#showState();
  }

  /** null where none was given. */
  get value() {
    return sessionStorage.getItem(key);
  }

  /** Asks for one. */
  ask() {
    this.#field.value = '';
    this.#fault.hidden = true;
    byId('token-forget').hidden = this.value === null;
    this.#dialog.showModal();
  }

  /** @param {string} text */
  #keep(text) {
    if (text === '') sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, text);
    this.#field.value = '';
    this.#dialog.close();
    this.#showState();
    this.#onChange();
  }

  #showState() {
    setText(this.#button, this.value === null ? 'Give token' : 'Token given');
  }
}

/**
 * Whether a header can carry `token`.
 * @param {string} token
 */
function canBeSent(token) {
  try {
    return new Headers({ authorization: `Bearer ${token}` }).has('authorization');
  } catch {
    return false;
  }
}
