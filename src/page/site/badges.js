import { element, setAttribute, setText } from './element.js';
import { words } from './words.js';

/** What a word means, by its look; a sign stands before it, so that colour is never all. */
const looks = /** @type {Readonly<Record<string, { readonly look: string, readonly sign: string }>>} */ ({
  pass: { look: 'good', sign: '✓' },
  fail: { look: 'bad', sign: '✕' },
  rolled_back: { look: 'calm', sign: '–' },
  environment: { look: 'warn', sign: '!' },
  inconclusive: { look: 'calm', sign: '…' },
  sev1: { look: 'bad', sign: '▲' },
  sev2: { look: 'bad', sign: '▲' },
  sev3: { look: 'warn', sign: '▲' },
  sev4: { look: 'calm', sign: '▲' },
  open: { look: 'bad', sign: '●' },
  acknowledged: { look: 'warn', sign: '●' },
  mitigated: { look: 'warn', sign: '●' },
  resolved: { look: 'good', sign: '✓' },
  awaiting_approval: { look: 'warn', sign: '?' },
  done: { look: 'good', sign: '✓' },
  failed: { look: 'bad', sign: '✕' },
  refused: { look: 'calm', sign: '–' },
  expired: { look: 'calm', sign: '–' },
  dry_run: { look: 'calm', sign: '○' },
  moved: { look: 'calm', sign: '–' },
});
const underWay = { look: 'accent', sign: '…' };

/**
 * A word with its sign in a look of its own: a verdict, a severity, a state.
 * @returns {import('./element.js').Part<string>}
 */
export function badge() {
  const sign = element('span', { 'aria-hidden': 'true' });
  const word = element('span');
  const node = element('span', { class: 'badge' }, sign, word);
  return {
    node,
    show(name) {
      const { look, sign: mark } = (Object.hasOwn(looks, name) && looks[name]) || underWay;
      setAttribute(node, 'data-look', look);
      setText(sign, mark);
      setText(word, words(name));
    },
  };
}
