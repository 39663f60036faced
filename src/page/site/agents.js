/** @import { AgentLine, LiveView } from '../live-view.ts' */
/** @import { Chosen } from './choice.js' */
import { badge } from './badges.js';
import { queryOf } from './choice.js';
import { byId, cell, element, list, only, setAttribute, setText } from './element.js';
import { count, fewBelow, none, ratio, usd } from './figures.js';

const linesPerPage = 20;
/** Lines do not move under a hand for so long after it last did. */
const holdMs = 8000;

/** The agents, worst first, a page at a time. */
export class Agents {
  #chosen;
  #search = only('find', HTMLInputElement);
  #summary = byId('agents-summary');
  #table = byId('agents-table');
  #previous = only('agents-previous', HTMLButtonElement);
  #next = only('agents-next', HTMLButtonElement);
  #page = 0;
  #heldUntilMs = 0;
  /** @type {readonly AgentLine[]} */
  #lines = [];
  #showLines;

  /** @param {Chosen} chosen */
  constructor(chosen) {
    this.#chosen = chosen;
    this.#search.value = chosen.now.find;
    this.#showLines = list(byId('agents-lines'), keyOf, () => linePart(chosen));
    this.#search.addEventListener('input', () => {
      chosen.find(this.#search.value);
      this.#turnTo(0);
    });
    this.#previous.addEventListener('click', () => this.#turnTo(this.#page - 1));
    this.#next.addEventListener('click', () => this.#turnTo(this.#page + 1));
    const hold = () => (this.#heldUntilMs = performance.now() + holdMs);
    for (const name of ['pointermove', 'focusin', 'keydown']) this.#table.addEventListener(name, hold);
  }

  /** @param {LiveView} view */
  show({ agents }) {
    const isHeld = performance.now() < this.#heldUntilMs;
    this.#lines = isHeld ? inOrderOf(this.#lines, agents) : agents;
    this.#render();
  }

  /** @param {number} page */
  #turnTo(page) {
    this.#page = page;
    this.#render();
  }

  #render() {
    if (document.activeElement !== this.#search) this.#search.value = this.#chosen.now.find;
    const wanted = this.#search.value.trim().toLowerCase();
    const found = this.#lines.filter(({ agent, environment }) =>
      `${agent} ${environment}`.toLowerCase().includes(wanted),
    );
    const last = Math.max(0, Math.ceil(found.length / linesPerPage) - 1);
    this.#page = Math.min(Math.max(0, this.#page), last);
    const first = this.#page * linesPerPage;
    const lines = found.slice(first, first + linesPerPage);
    this.#showLines(lines);
    this.#table.hidden = lines.length === 0;
    byId('agents-pages').hidden = last === 0;
    setDisabled(this.#previous, this.#page === 0);
    setDisabled(this.#next, this.#page === last);
    setText(this.#summary, this.#summaryText(found.length, first, lines.length));
  }

  /**
   * @param {number} found
   * @param {number} first
   * @param {number} shown
   */
  #summaryText(found, first, shown) {
    if (this.#lines.length === 0) return 'No run has ended in this window yet.';
    if (found === 0) return 'No agent has this in its name or environment.';
    const of =
      found === this.#lines.length ? count(found) : `${count(found)} found of ${count(this.#lines.length)}`;
    return shown === found ? of : `${count(first + 1)}–${count(first + shown)} of ${of}`;
  }
}

/**
 * A button that says that it does nothing now, and keeps the focus.
 * @param {HTMLButtonElement} button
 * @param {boolean} isDisabled
 */
function setDisabled(button, isDisabled) {
  setAttribute(button, 'aria-disabled', String(isDisabled));
}

/** @param {AgentLine} line */
function keyOf({ agent, environment }) {
  return JSON.stringify([agent, environment]);
}

/**
 * The lines of `now` in the order that `before` had; what is new comes last.
 * @param {readonly AgentLine[]} before
 * @param {readonly AgentLine[]} now
 */
function inOrderOf(before, now) {
  const places = new Map(before.map((line, i) => [keyOf(line), i]));
  const placeOf = (/** @type {AgentLine} */ line) => places.get(keyOf(line)) ?? before.length;
  return now.toSorted((one, other) => placeOf(one) - placeOf(other));
}

/** @param {Chosen} chosen */
function linePart(chosen) {
  const link = element('a', { 'data-choice': '' });
  const environment = element('span', { class: 'environment' });
  const verdict = badge();
  const judged = cell('Verdict', 'cell-verdict');
  const [success, escalation, cost] = [
    cell('Success', 'number'),
    cell('Escalated', 'number'),
    cell('Cost per run', 'number'),
  ];
  const [runs, releases, incidents] = [
    cell('Runs', 'number'),
    cell('Releases', 'number'),
    cell('Open incidents', 'number'),
  ];
  const head = element('th', { scope: 'row', role: 'rowheader' }, link, ' ', environment);
  const node = element(
    'tr',
    { role: 'row' },
    head,
    judged,
    success,
    escalation,
    cost,
    runs,
    releases,
    incidents,
  );
  return {
    node,
    show(/** @type {AgentLine} */ line) {
      const { agent, environment: place, runs: amount } = line;
      setText(link, agent);
      setAttribute(link, 'href', queryOf({ ...chosen.now, agent, environment: place }));
      setText(environment, place);
      if (line.verdict === null) setText(judged, 'not judged');
      else if (!judged.contains(verdict.node)) judged.replaceChildren(verdict.node);
      if (line.verdict !== null) verdict.show(line.verdict);
      judged.classList.toggle('quiet', line.verdict === null);
      setText(success, line.success === null ? none : ratio(line.success));
      setText(escalation, line.escalation === null ? none : ratio(line.escalation));
      setText(cost, line.costUsdPerRun === null ? none : usd(line.costUsdPerRun));
      setText(runs, amount < fewBelow ? `few: ${count(amount)}` : count(amount));
      setText(releases, count(line.releases));
      setText(incidents, line.openIncidents === 0 ? none : count(line.openIncidents));
      incidents.classList.toggle('alarm', line.openIncidents > 0);
      node.classList.toggle('few-runs', amount < fewBelow);
    },
  };
}
