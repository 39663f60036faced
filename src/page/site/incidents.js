/** @import { IncidentLine, LiveView } from '../live-view.ts' */
import { badge } from './badges.js';
import { element, list, setAttribute, setText } from './element.js';
import { ago, duration, exactly } from './figures.js';

/** @typedef {{ readonly incident: IncidentLine, readonly nowMs: number }} Shown */

/**
 * The latest incidents.
 * @param {HTMLElement} root
 * @param {HTMLElement} nothing shown where there are none
 * @returns {(view: LiveView, nowMs: number) => void}
 */
export function incidents(root, nothing) {
  const show = list(root, (/** @type {Shown} */ { incident }) => incident.id, incidentPart);
  return (view, nowMs) => {
    nothing.hidden = view.incidents.length > 0;
    show(view.incidents.map((incident) => ({ incident, nowMs })));
  };
}

function incidentPart() {
  const [severity, state] = [badge(), badge()];
  const title = element('h3');
  const about = element('span');
  const began = element('time');
  const node = element(
    'li',
    {},
    element('div', { class: 'badges' }, severity.node, state.node),
    title,
    element('p', { class: 'about' }, about, ' · ', began),
  );
  return {
    node,
    show(/** @type {Shown} */ { incident, nowMs }) {
      const { agent, release, environment, startedMs, resolvedMs } = incident;
      severity.show(incident.severity);
      state.show(incident.state);
      setText(title, incident.title);
      setText(about, [agent, release, environment].filter((each) => each !== '').join(' · '));
      const lasted = resolvedMs === null ? '' : `, over after ${duration(resolvedMs - startedMs)}`;
      setText(began, `${ago(startedMs, nowMs)}${lasted}`);
      setAttribute(began, 'title', exactly(startedMs));
      setAttribute(began, 'datetime', new Date(startedMs).toISOString());
    },
  };
}
