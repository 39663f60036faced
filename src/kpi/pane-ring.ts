import { Sketch } from './sketch.ts';
import type { Window } from './window.ts';

/** Panes kept per window: twice its length, so that a partition that lags by a window takes nothing from the others. */
function ringSize(window: Window): number {
  return 2 * window.panes + 1;
}

/** Sums of one series over the panes of one window. */
export class PaneRing {
  readonly #width: number;
  readonly #size: number;
  readonly #stamps: Float64Array;
  readonly #sums: Float64Array;

  /** `width` is the number of sums. */
  constructor(window: Window, width: number) {
    this.#width = width;
    this.#size = ringSize(window);
    this.#stamps = new Float64Array(this.#size).fill(-1);
    this.#sums = new Float64Array(this.#size * width);
  }

  /** Adds `values`, times `sign`, to `pane`. False when the pane is no longer kept. */
  add(pane: number, values: Float64Array, sign: 1 | -1): boolean {
    if (pane < 0) return false;
    const slot = pane % this.#size;
    const stamp = this.#stamps[slot] ?? -1;
    if (stamp > pane) return false;
    const start = slot * this.#width;
    if (stamp < pane) {
      this.#sums.fill(0, start, start + this.#width);
      this.#stamps[slot] = pane;
    }
    for (let i = 0; i < this.#width; i++) this.#sums[start + i]! += sign * values[i]!;
    return true;
  }

  /** The sums over all panes from `firstPane` on. */
  total(firstPane: number): Float64Array {
    const total = new Float64Array(this.#width);
    for (let slot = 0; slot < this.#size; slot++) {
      if (this.#stamps[slot]! < firstPane) continue;
      const start = slot * this.#width;
      for (let i = 0; i < this.#width; i++) total[i]! += this.#sums[start + i]!;
    }
    return total;
  }
}

/** Quantiles of one series over the panes of one window: one sketch a pane. */
export class SketchRing {
  readonly #size: number;
  readonly #sketches = new Map<number, Sketch>();

  constructor(window: Window) {
    this.#size = ringSize(window);
  }

  add(pane: number, value: number): void {
    let sketch = this.#sketches.get(pane);
    if (!sketch) {
      sketch = new Sketch();
      this.#sketches.set(pane, sketch);
      if (this.#sketches.size > this.#size) this.#sketches.delete(Math.min(...this.#sketches.keys()));
    }
    sketch.add(value);
  }

  /** The values at `quantiles`, ascending and each in [0, 1], over all panes from `firstPane` on. */
  quantiles(firstPane: number, quantiles: readonly number[]): readonly number[] {
    const merged = new Sketch();
    for (const [pane, sketch] of this.#sketches) {
      if (pane >= firstPane) merged.merge(sketch);
    }
    return merged.quantiles(quantiles);
  }
}
