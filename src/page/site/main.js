/** @import { LiveView } from '../live-view.ts' */
/** @import { Connection } from './live-stream.js' */
import { Agents } from './agents.js';
import { Answers } from './answers.js';
import { Chosen, queryOf } from './choice.js';
import { ConnectionLine } from './connection-line.js';
import { Decisions } from './decisions.js';
import { Edition } from './edition.js';
import { byId, element, list, setAttribute, setText } from './element.js';
import { escalations } from './escalations.js';
import { flow } from './flow.js';
import { incidents } from './incidents.js';
import { judgements } from './judgements.js';
import { LiveStream } from './live-stream.js';
import { releases } from './releases.js';
import { Reviews } from './reviews.js';
import { RollbackApi } from './rollback-api.js';
import { rollbacks } from './rollbacks.js';
import { tiles } from './tiles.js';
import { Token } from './token.js';
import { announcements } from './words.js';

/** Ages and countdowns go on where nothing else changes. */
const tickMs = 1000;

/** The whole page: what is chosen decides what is read, and what is read is shown. */
class Page {
  #chosen = new Chosen();
  #token = new Token(() => this.#open());
  #line = new ConnectionLine();
  #answers = new Answers(
    () => this.#show(),
    (sentence) => this.#line.announce([sentence]),
  );
  #rollbackApi = new RollbackApi(this.#token);
  #decisions = new Decisions(this.#token, this.#rollbackApi, this.#answers);
  #reviews = new Reviews(this.#token, this.#rollbackApi, this.#answers);
  #edition = new Edition();
  #agents = new Agents(this.#chosen);
  #parts = [
    tiles(byId('tiles')),
    releases(byId('releases-table'), byId('releases-lines'), byId('no-releases')),
    judgements(byId('judgements')),
    escalations(byId('escalations'), byId('no-escalations')),
    incidents(byId('incidents'), byId('no-incidents')),
    rollbacks(byId('rollbacks'), byId('no-rollbacks'), byId('rollbacks-stopped'), {
      answers: this.#answers,
      decisions: this.#decisions,
      reviews: this.#reviews,
    }),
    flow(byId('flow'), byId('flow-summary')),
  ];
  #windows = list(
    byId('windows'),
    (/** @type {WindowShown} */ { window }) => window,
    () => this.#windowPart(),
  );
  #stream = new LiveStream(
    (view) => this.#take(view),
    (connection) => this.#connectionIs(connection),
  );
  /** @type {Connection} */
  #connection = { kind: 'connecting' };
  /**
   * What is shown, always of what is chosen.
   * @type {LiveView | null}
   */
  #view = null;
  #takenMs = 0;
  /** @type {readonly string[]} */
  #windowLabels = [];

  start() {
    this.#chosen.onChange(() => {
      this.#drop();
      this.#open();
      scrollTo(0, 0);
      byId('title').focus({ preventScroll: true });
    });
    byId('refused-token').addEventListener('click', () => this.#token.ask());
    // A browser has six connections to a server for all its tabs: one that nobody sees holds none.
    document.addEventListener('visibilitychange', () => this.#open());
    setInterval(() => this.#tick(), tickMs);
    this.#open();
  }

  #open() {
    this.#showTitle();
    if (document.hidden) {
      this.#stream.close();
      return;
    }
    byId('main').setAttribute('aria-busy', 'true');
    this.#stream.open(this.#chosen.now, this.#token.value);
  }

  /** Shows no figures until a view comes: those that there are, are of another choice, or not for who looks. */
  #drop() {
    this.#view = null;
    for (const id of ['waiting', 'standby', 'active', 'flow-section']) byId(id).hidden = true;
    this.#showWindows(this.#chosen.now.window);
  }

  /** @param {LiveView} view */
  #take(view) {
    if (this.#edition.isOver(view)) return location.reload();
    this.#line.announce(announcements(this.#view, view));
    this.#view = view;
    this.#takenMs = performance.now();
    byId('main').setAttribute('aria-busy', 'false');
    this.#show();
    this.#line.show(this.#connection, view);
  }

  /** @param {Connection} connection */
  #connectionIs(connection) {
    this.#connection = connection;
    const isRefused = connection.kind === 'refused';
    byId('refused').hidden = !isRefused;
    if (isRefused || connection.kind === 'unshown') this.#drop();
    if (isRefused) {
      setText(byId('refused-sentence'), connection.sentence);
      byId('refused-token').hidden = !connection.needsToken;
      byId('refused-back').hidden = connection.needsToken;
    }
    byId('before-first').hidden = isRefused || this.#view !== null;
    if (connection.kind !== 'live') this.#line.show(connection, this.#view);
  }

  #tick() {
    this.#line.show(this.#connection, this.#view);
    this.#show();
  }

  #show() {
    const view = this.#view;
    if (!view) return;
    const isBusy = byId('main').getAttribute('aria-busy') === 'true';
    if (isBusy) return;
    const nowMs = view.atMs + (performance.now() - this.#takenMs);
    const isOfAgent = view.chosen !== null;
    byId('before-first').hidden = true;
    byId('standby').hidden = view.isActive;
    byId('active').hidden = !view.isActive;
    byId('no-policies').hidden = view.hasPolicies;
    byId('flow-section').hidden = false;
    byId('agents-section').hidden = isOfAgent;
    byId('releases-section').hidden = !isOfAgent;
    for (const show of this.#parts) show(view, nowMs);
    if (!isOfAgent) this.#agents.show(view);
    this.#windowLabels = view.windows;
    this.#showWindows(view.window);
    setText(byId('version'), `Plimsoll ${view.version}`);
  }

  /** @param {string | null} shown */
  #showWindows(shown) {
    this.#windows(this.#windowLabels.map((window) => ({ window, isShown: window === shown })));
  }

  #showTitle() {
    const { agent, environment, window } = this.#chosen.now;
    setText(byId('title'), agent ?? 'All agents');
    setText(byId('title-environment'), environment ?? '');
    setAttribute(byId('back'), 'href', queryOf({ window }) || '?');
    byId('back').hidden = agent === null;
    document.title = agent === null ? 'Plimsoll: all agents' : `${agent}, ${environment ?? ''}: Plimsoll`;
  }

  /** @typedef {{ readonly window: string, readonly isShown: boolean }} WindowShown */

  #windowPart() {
    const link = element('a', { 'data-choice': '' });
    return {
      node: element('li', {}, link),
      show: (/** @type {WindowShown} */ { window, isShown }) => {
        setText(link, window);
        setAttribute(link, 'href', queryOf({ ...this.#chosen.now, window }));
        setAttribute(link, 'aria-current', isShown ? 'true' : null);
      },
    };
  }
}

new Page().start();
