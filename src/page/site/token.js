import { byId, only, setText } from './element.js';

const key = 'plimsoll-token';

/** The token that somebody gave, which the server knew then: it is kept as long as this tab, and sent to nobody but this server. */
export class Token {
  #dialog = only('token-dialog', HTMLDialogElement);
  #field = only('token-field', HTMLInputElement);
  #fault = byId('token-fault');
  #button = byId('token-button');
  #onChange;
  /** What whoever asked for a token goes on with. */
  #goOn = () => {};
  /** How often one was asked for or given: an answer about an earlier one says nothing. */
  #times = 0;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    this.#button.addEventListener('click', () => this.ask());
    byId('token-forget').addEventListener('click', () => this.#keep(''));
    byId('token-cancel').addEventListener('click', () => this.#dialog.close());
    byId('token-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#take(this.#field.value.trim());
    });
    this.#showState();
  }

  /** null where none was given. */
  get value() {
    return sessionStorage.getItem(key);
  }

  /**
   * Asks for one, and goes on where one is given.
   * @param {() => void} goOn
   */
  ask(goOn = () => {}) {
    this.#goOn = goOn;
    this.#times++;
    this.#field.value = '';
    this.#fault.hidden = true;
    byId('token-forget').hidden = this.value === null;
    this.#dialog.showModal();
  }

  /** @param {string} text */
  async #take(text) {
    const time = ++this.#times;
    const fault = await faultOf(text);
    if (time !== this.#times || !this.#dialog.open) return;
    setText(this.#fault, fault);
    this.#fault.hidden = fault === '';
    if (fault !== '') return;
    this.#keep(text);
    this.#goOn();
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
 * What is wrong with `token`, as a sentence; '' where nothing is.
 * @param {string} token
 */
async function faultOf(token) {
  const headers = headersWith(token);
  if (!headers) return 'This cannot be a token: it has characters that no request can carry, such as “ or ”.';
  const response = await fetch('/api/v1/live', { method: 'HEAD', headers, cache: 'no-store' }).catch(
    () => undefined,
  );
  if (!response) return 'Nobody answers, so nobody knows whether this token is right: try again.';
  return response.status === 401 ? 'The server does not know this token.' : '';
}

/**
 * What sends `token`; undefined where no header can carry it.
 * @param {string} token
 */
function headersWith(token) {
  try {
    return new Headers({ authorization: `Bearer ${token}`, accept: 'text/event-stream' });
  } catch {
    return undefined;
  }
}
