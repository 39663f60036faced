import { Source } from './native-arena.ts';
import { LowCardinalityColumn } from './native-columns.ts';
import { emptySlot, slotOffset } from './span-columns.ts';
import type { SpanView } from './span-view.ts';
import { lengthAt } from './wire.ts';

const stringTag = 0x0a;

/** Rows that are gathered before each column gets its own. */
const gatherRows = 256;

/** The `LowCardinality(String)` columns that are read from canonical fields. */
export class NameColumns {
  readonly #columns: LowCardinalityColumn[] = [];
  readonly #fields: number[] = [];
  /** By column, the id of what the resource of the last row says; -1 when no row has asked. */
  readonly #sharedIds: number[] = [];
  /** The ids of the last rows, row by row: one array costs less than one a column, with the copy to each column after it. */
  #gathered = new Uint32Array(0);
  #gatheredRows = 0;

  /** Adds a column, to hold `missing` where nobody says what `field` is. Before the first row. */
  add(field: number, missing: string): LowCardinalityColumn {
    const column = new LowCardinalityColumn([missing]);
    this.#columns.push(column);
    this.#fields.push(field);
    this.#sharedIds.push(-1);
    this.#gathered = new Uint32Array(gatherRows * this.#columns.length);
    return column;
  }

  /** How many columns there are. */
  get count(): number {
    return this.#columns.length;
  }

  /** Appends the row of the span at `view`, whose resource says the same as that of the row before or not. */
  append(view: SpanView, source: Source, isSameResource: boolean): void {
    const { index } = view;
    const { resourceSlots, spans } = index;
    const { fieldCount, slots } = spans;
    const own = view.row * fieldCount;
    const shared = spans.resource[view.row]! * fieldCount;
    const sharedIds = this.#sharedIds;
    const fields = this.#fields;
    const gathered = this.#gathered;
    const none = emptySlot | 0;
    if (!isSameResource) sharedIds.fill(-1);
    if (this.#gatheredRows === gatherRows) this.flush();
    const base = this.#gatheredRows++ * fields.length;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      const ownSlot = slots[own + field]!;
      const sharedSlot = resourceSlots[shared + field]!;
      let id = 0;
      if (ownSlot < sharedSlot) id = this.#idOf(i, view, source, ownSlot & slotOffset);
      else if ((sharedSlot | 0) !== none) {
        if (sharedIds[i]! < 0) sharedIds[i] = this.#idOf(i, view, source, sharedSlot & slotOffset);
        id = sharedIds[i]!;
      }
      gathered[base + i] = id;
    }
  }

  /** The id of what stands at `at`, a tag and its content, in column `i`. */
  #idOf(i: number, view: SpanView, source: Source, at: number): number {
    const isShort = source.bytes[at] === stringTag && source.bytes[at + 1]! < 0x80;
    return isShort
      ? this.#columns[i]!.dictionary.idOfShort(source, at + 1)
      : this.#idOfOdd(i, view, source, at);
  }

  #idOfOdd(i: number, view: SpanView, source: Source, at: number): number {
    const column = this.#columns[i]!;
    if (source.bytes[at] === stringTag) {
      const packed = lengthAt(source.bytes, at + 1, source.bytes.length);
      return column.idOf(source, at + 1 + (packed & 7), packed >>> 3);
    }
    const text = view.string(this.#fields[i]!);
    if (text === undefined) return 0;
    const bytes = Buffer.from(text);
    return column.idOf(new Source().open(bytes), 0, bytes.length);
  }

  /** Gives the columns the rows that they have not yet. */
  flush(): void {
    const columns = this.#columns;
    for (let i = 0; i < columns.length; i++) {
      columns[i]!.appendEvery(this.#gathered, i, columns.length, this.#gatheredRows);
    }
    this.#gatheredRows = 0;
  }

  /** Forgets the ids of the block. Whoever has the columns resets them. */
  reset(): void {
    this.#sharedIds.fill(-1);
    this.#gatheredRows = 0;
  }
}
