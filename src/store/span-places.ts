import { textOf } from './place.ts';

interface Range {
  readonly offset: number;
  readonly index: number;
  spans: number;
}

/** How many ranges are remembered; whoever has more to mend begins with these. */
const keptRanges = 1000;

/** Spans by their places: all are counted, and the places of the first are remembered. */
export class SpanPlaces {
  readonly #ranges: Range[] = [];
  #spans = 0;

  get spans(): number {
    return this.#spans;
  }

  /** Adds as many spans of one record from `index` on. */
  add(offset: number, index: number, spans = 1): void {
    this.#spans += spans;
    const last = this.#ranges.at(-1);
    if (last?.offset === offset && last.index + last.spans === index) last.spans += spans;
    else if (this.#ranges.length < keptRanges) this.#ranges.push({ offset, index, spans });
  }

  /** Where they are, the first thousand stretches of one record each, as `offset.index` or `offset.index-offset.index`. */
  get texts(): readonly string[] {
    return this.#ranges.map(({ offset, index, spans }) => {
      const first = textOf({ offset, index });
      return spans === 1 ? first : `${first}-${textOf({ offset, index: index + spans - 1 })}`;
    });
  }
}
