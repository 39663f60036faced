/** @import { LiveView } from '../live-view.ts' */
/** @import { Connection } from './live-stream.js' */
import { byId, setAttribute, setText } from './element.js';
import { clock } from './figures.js';

/** Says how the connection is: to the eye at once, to the ear only when it is another state. */
export class ConnectionLine {
  #line = byId('connection');
  #announced = byId('announced');
  #beforeFirst = byId('before-first');
  #state = '';

  /**
   * @param {Connection} connection
   * @param {LiveView | null} view
   */
  show(connection, view) {
    const { state, look } = stateOf(connection, view);
    setAttribute(this.#line, 'data-look', look);
    const isLost = connection.kind === 'lost';
    setText(this.#line, isLost ? `${state}${lostText(connection, view)}` : state);
    setText(this.#beforeFirst, isLost ? `No figures yet: ${connection.sentence}.` : 'Waiting for figures…');
    if (state === this.#state) return;
    this.#state = state;
    this.announce([state]);
  }

  /** @param {readonly string[]} sentences */
  announce(sentences) {
    if (sentences.length > 0) setText(this.#announced, sentences.join(' '));
  }
}

/**
 * @param {Connection} connection
 * @param {LiveView | null} view
 */
function stateOf(connection, view) {
  if (connection.kind === 'lost') return { state: 'connection lost, trying again', look: 'bad' };
  if (connection.kind === 'refused')
    return { state: connection.needsToken ? 'a token is needed' : 'not answered', look: 'bad' };
  if (connection.kind === 'unshown')
    return { state: 'this page cannot show what came: reload it', look: 'bad' };
  if (connection.kind === 'connecting' || !view) return { state: 'connecting', look: 'calm' };
  if (!view.isActive) return { state: 'this process stands by', look: 'calm' };
  if (!view.isComplete) return { state: 'live, window not complete yet', look: 'warn' };
  return { state: 'live', look: 'good' };
}

/**
 * When it is tried again, why it must be, and how old the figures are meanwhile.
 * @param {Extract<Connection, { readonly kind: 'lost' }>} connection
 * @param {LiveView | null} view
 */
function lostText({ retryMs, sentence }, view) {
  const left = Math.ceil((retryMs - Date.now()) / 1000);
  return `${left > 0 ? ` in ${left} s` : ''}: ${sentence}${view ? `; figures are of ${clock(view.atMs)}` : ''}`;
}
