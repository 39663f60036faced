const texts = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/**
 * The e-value of which `log` is the natural logarithm, for people: three digits, thousands apart, and beyond a million
 * its power of ten. `site/figures.js` of the live page writes it the same.
 */
export function eValueText(log: number): string {
  const value = Number(Math.exp(log).toPrecision(3));
  if (value < 0.01) return 'nearly 0';
  return value < 1e6 ? texts.format(value) : `10^${Math.round(log / Math.LN10)}`;
}
