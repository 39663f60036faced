/**
 * Reads server-sent events (WHATWG HTML, 9.2.6) from text that comes in pieces of any size. Comments are nothing, and
 * neither is the id: who reads again begins with what is there then.
 */
export class EventText {
  #rest = '';
  #name = '';
  /** @type {string[]} */
  #data = [];

  /**
   * The events that are whole with `text`.
   * @param {string} text
   * @returns {readonly { readonly name: string, readonly data: string }[]}
   */
  push(text) {
    const held = this.#rest + text;
    const whole = held.endsWith('\r') ? held.slice(0, -1) : held; // the other half of \r\n may come
    const lines = whole.split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? '') + held.slice(whole.length);
    return lines.flatMap((line) => this.#take(line));
  }

  /** @param {string} line */
  #take(line) {
    if (line === '') {
      const event = { name: this.#name === '' ? 'message' : this.#name, data: this.#data.join('\n') };
      const isEvent = this.#data.length > 0;
      [this.#name, this.#data] = ['', []];
      return isEvent ? [event] : [];
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'event') this.#name = value;
    if (field === 'data') this.#data.push(value);
    return [];
  }
}
