import { windowLabel } from '../core/window-label.ts';

/** A rolling window in event time, cut into panes. */
export interface Window {
  /** As people write it, such as `5m`: the value of the label `window`. */
  readonly label: string;
  readonly lengthMs: number;
  readonly paneMs: number;
  /** Panes that make up the window. */
  readonly panes: number;
}

/** A window of `lengthMs`: its panes are a sixtieth of it, at least 10 s. */
export function windowOf(lengthMs: number): Window {
  const paneMs = Math.max(lengthMs / 60, 10_000);
  return { label: windowLabel(lengthMs), lengthMs, paneMs, panes: Math.ceil(lengthMs / paneMs) };
}

/** The pane that `timeMs` falls into. */
export function paneAt(window: Window, timeMs: number): number {
  return Math.floor(timeMs / window.paneMs);
}

/** The oldest pane of the window as of `watermarkMs`. Everything newer is in it, also what is newer than the watermark. */
export function firstPane(window: Window, watermarkMs: number): number {
  return paneAt(window, watermarkMs) - window.panes + 1;
}
