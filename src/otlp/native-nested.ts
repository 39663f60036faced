import type { Arena, Source } from './native-arena.ts';
import type { AttributeEntries } from './native-attributes.ts';
import { ArrayColumn, Ends, LowCardinalityColumn, PlainColumn, type NativeColumn } from './native-columns.ts';
import { FieldCursor } from './native-field.ts';
import { MapColumn } from './native-map.ts';

/** Field tags of Span.Event and Span.Link. */
const eventTag = { time: 0x09, name: 0x12, attribute: 0x1a } as const;
const linkTag = { traceId: 0x0a, spanId: 0x12, traceState: 0x1a, attribute: 0x22 } as const;

/** Appends an id in lower-case hex; '' when it is empty or all zero, as the Collector does. */
function appendId(out: Arena, source: Source, at: number, length: number): void {
  for (let i = 0; i < length; i++) {
    if (source.bytes[at + i] !== 0) return out.hexText(source, at, length);
  }
  out.u8(0);
}

/** The `Events` of a span: Timestamp, Name, Attributes. */
export class EventColumns {
  readonly #ends = new Ends();
  readonly #times = new ArrayColumn(this.#ends, new PlainColumn('DateTime64(9)'));
  readonly #names = new ArrayColumn(this.#ends, new LowCardinalityColumn());
  readonly #attributes = new ArrayColumn(this.#ends, new MapColumn());
  readonly columns: readonly NativeColumn[] = [this.#times, this.#names, this.#attributes];
  readonly #entries: AttributeEntries;
  readonly #field = new FieldCursor();

  constructor(entries: AttributeEntries) {
    this.#entries = entries;
  }

  /** Appends the Span.Event in [at, end) to the current row. */
  append(source: Source, at: number, end: number): void {
    const field = this.#field;
    let [timeAt, nameAt, nameLength] = [-1, at, 0];
    for (let next = at; next < end;) {
      if (source.bytes[next] === eventTag.attribute) {
        next = this.#entries.append(this.#attributes.elements, source, next, end, eventTag.attribute);
        continue;
      }
      field.read(source.bytes, next, end);
      next = field.end;
      if (field.tag === eventTag.time) timeAt = field.at;
      else if (field.tag === eventTag.name) [nameAt, nameLength] = [field.at, field.end - field.at];
    }
    if (timeAt < 0) this.#times.elements.values.u64(0);
    else this.#times.elements.values.copy(source, timeAt, 8);
    this.#names.elements.append(source, nameAt, nameLength);
    this.#attributes.elements.endRow();
  }

  endRow(): void {
    this.#ends.append(this.#names.elements.length);
  }
}

/** The `Links` of a span: TraceId, SpanId, TraceState, Attributes. */
export class LinkColumns {
  readonly #ends = new Ends();
  readonly #traceIds = new ArrayColumn(this.#ends, new PlainColumn('String'));
  readonly #spanIds = new ArrayColumn(this.#ends, new PlainColumn('String'));
  readonly #traceStates = new ArrayColumn(this.#ends, new PlainColumn('String'));
  readonly #attributes = new ArrayColumn(this.#ends, new MapColumn());
  readonly columns: readonly NativeColumn[] = [
    this.#traceIds,
    this.#spanIds,
    this.#traceStates,
    this.#attributes,
  ];
  readonly #entries: AttributeEntries;
  readonly #field = new FieldCursor();

  constructor(entries: AttributeEntries) {
    this.#entries = entries;
  }

  /** Appends the Span.Link in [at, end) to the current row. */
  append(source: Source, at: number, end: number): void {
    const field = this.#field;
    let [traceIdAt, traceIdLength, spanIdAt, spanIdLength, stateAt, stateLength] = [at, 0, at, 0, at, 0];
    for (let next = at; next < end;) {
      if (source.bytes[next] === linkTag.attribute) {
        next = this.#entries.append(this.#attributes.elements, source, next, end, linkTag.attribute);
        continue;
      }
      field.read(source.bytes, next, end);
      next = field.end;
      if (field.tag === linkTag.traceId) [traceIdAt, traceIdLength] = [field.at, field.end - field.at];
      else if (field.tag === linkTag.spanId) [spanIdAt, spanIdLength] = [field.at, field.end - field.at];
      else if (field.tag === linkTag.traceState) [stateAt, stateLength] = [field.at, field.end - field.at];
    }
    appendId(this.#traceIds.elements.values, source, traceIdAt, traceIdLength);
    appendId(this.#spanIds.elements.values, source, spanIdAt, spanIdLength);
    this.#traceStates.elements.values.text(source, stateAt, stateLength);
    this.#attributes.elements.endRow();
  }

  endRow(): void {
    this.#ends.append(this.#attributes.elements.rows);
  }
}
