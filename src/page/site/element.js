/**
 * A piece of the page that is made once and then shown again with what is new; `end` frees what it holds outside the page.
 * @template T
 * @typedef {{ readonly node: HTMLElement, readonly show: (item: T) => void, readonly end?: () => void }} Part
 */

/**
 * A new element. Text is text: what senders name things never becomes markup.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string>>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * Sets the text of `node` where it is another one, so that a selection in it outlives what did not change.
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Sets an attribute where it has another value; null takes it away.
 * @param {Element} node
 * @param {string} name
 * @param {string | null} value
 */
export function setAttribute(node, name, value) {
  if (node.getAttribute(name) === value) return;
  if (value === null) node.removeAttribute(name);
  else node.setAttribute(name, value);
}

/**
 * Shows lists as the children of `parent`: who stays keeps its element, and the focus.
 * @template T
 * @param {Element} parent
 * @param {(item: T) => string} keyOf
 * @param {() => Part<T>} make
 * @returns {(items: readonly T[]) => void}
 */
export function list(parent, keyOf, make) {
  /** @type {Map<string, Part<T>>} */
  let parts = new Map();
  return (items) => {
    const shown = new Map();
    for (const item of items) {
      let key = keyOf(item);
      while (shown.has(key)) key += '\n';
      const part = parts.get(key) ?? make();
      part.show(item);
      shown.set(key, part);
    }
    const focused = document.activeElement;
    for (const [key, { node, end }] of parts) {
      if (shown.has(key)) continue;
      node.remove();
      end?.();
    }
    let index = 0;
    for (const { node } of shown.values()) {
      const there = parent.children[index++] ?? null;
      if (there !== node) parent.insertBefore(node, there);
    }
    parts = shown;
    if (focused instanceof HTMLElement && parent.contains(focused)) focused.focus({ preventScroll: true });
  };
}

/**
 * A cell that says its column where the page is too narrow for heads.
 * @param {string} label
 * @param {string} name
 */
export function cell(label, name) {
  return element('td', { role: 'cell', class: name, 'data-label': label });
}

/**
 * The element with this id and of this kind, which index.html has.
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function only(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`index.html has no ${kind.name} #${id}`);
  return found;
}

/**
 * The element with this id, which index.html has.
 * @param {string} id
 */
export function byId(id) {
  return only(id, HTMLElement);
}
