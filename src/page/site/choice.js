/**
 * What is looked at, as it stands in the URL; null where nothing is chosen. `find` narrows the list of agents.
 * @typedef {{
 *   readonly agent: string | null,
 *   readonly environment: string | null,
 *   readonly window: string | null,
 *   readonly find: string,
 * }} Choice
 */

const names = /** @type {const} */ (['agent', 'environment', 'window', 'find']);

/**
 * The choice in the query of a URL.
 * @param {string} query
 * @returns {Choice}
 */
export function choiceIn(query) {
  const said = new URLSearchParams(query);
  const [agent, environment] = [said.get('agent'), said.get('environment')];
  const both = agent !== null && environment !== null;
  return {
    agent: both ? agent : null,
    environment: both ? environment : null,
    window: said.get('window'),
    find: said.get('find') ?? '',
  };
}

/**
 * The query that says `choice`; '' where nothing is chosen.
 * @param {Partial<Choice>} choice
 */
export function queryOf(choice) {
  const said = new URLSearchParams();
  for (const name of names) {
    const value = choice[name] ?? null;
    if (value !== null && (value !== '' || name === 'agent' || name === 'environment')) said.set(name, value);
  }
  return said.size === 0 ? '' : `?${said.toString()}`;
}

/** The choice that the address bar has; what changes it, or asks for it again, is told to those who listen. */
export class Chosen {
  /** @type {((choice: Choice) => void)[]} */
  #listeners = [];
  #now = choiceIn(location.search);

  constructor() {
    addEventListener('popstate', () => this.#changed());
    document.addEventListener('click', (event) => this.#follow(event));
  }

  get now() {
    return this.#now;
  }

  /** @param {(choice: Choice) => void} listener */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /**
   * Narrows the list of agents; that is no step to go back from.
   * @param {string} text
   */
  find(text) {
    this.#now = { ...this.#now, find: text };
    history.replaceState(null, '', `${location.pathname}${queryOf(this.#now)}`);
  }

  /** @param {MouseEvent} event */
  #follow(event) {
    const { target, button, metaKey, ctrlKey, shiftKey, altKey } = event;
    const link = target instanceof Element ? target.closest('a[data-choice]') : null;
    if (!(link instanceof HTMLAnchorElement) || button !== 0) return;
    if (metaKey || ctrlKey || shiftKey || altKey) return;
    event.preventDefault();
    if (link.search !== location.search) history.pushState(null, '', `${location.pathname}${link.search}`);
    this.#changed();
  }

  #changed() {
    this.#now = choiceIn(location.search);
    for (const listener of this.#listeners) listener(this.#now);
  }
}
