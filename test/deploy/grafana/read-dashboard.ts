import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';

/** The panels of `dashboard` that show data: all but the headings. */
export function panelsOf(dashboard: Dashboard): readonly Panel[] {
  return (dashboard.panels ?? []).filter((panel): panel is Panel => panel.type !== 'row');
}

/** Every text that is somewhere in `value`. */
export function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}
