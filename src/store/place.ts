import type { Position } from '../core/stream.ts';

/** One partition of one stream: what a row's StreamId and StreamPartition name. */
export interface Origin {
  readonly streamId: string;
  readonly partition: number;
}

/** The spans of one partition from `from` on and before `to`. */
export interface Stretch {
  readonly from: Position;
  readonly to: Position;
}

/** Whether `a` comes before `b`. */
export function isBefore(a: Position, b: Position): boolean {
  return a.offset < b.offset || (a.offset === b.offset && a.index < b.index);
}

/** The position of the first span of the record after `offset`. */
export function afterRecord(offset: number): Position {
  return { offset: offset + 1, index: 0 };
}

/** A position as text, in tokens, keys and sentences: `offset.index`. */
export function textOf(position: Position): string {
  return `${position.offset}.${position.index}`;
}

/** A set of positions of one partition. */
export class PositionSet {
  readonly #indexes = new Map<number, Set<number>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many of them come before `position`. */
  sizeBefore(position: Position): number {
    let size = 0;
    for (const [offset, indexes] of this.#indexes)
      if (offset < position.offset) size += indexes.size;
      else if (offset === position.offset) for (const index of indexes) if (index < position.index) size++;
    return size;
  }

  /** How many records have any of those that come before `position`. */
  recordsBefore(position: Position): number {
    let records = 0;
    for (const [offset, indexes] of this.#indexes)
      if (offset < position.offset) records++;
      else if (offset === position.offset && [...indexes].some((index) => index < position.index)) records++;
    return records;
  }

  has(offset: number, index: number): boolean {
    return this.#indexes.get(offset)?.has(index) ?? false;
  }

  add(offset: number, index: number): void {
    let indexes = this.#indexes.get(offset);
    if (indexes === undefined) this.#indexes.set(offset, (indexes = new Set()));
    if (indexes.has(index)) return;
    indexes.add(index);
    this.#size++;
  }
}
