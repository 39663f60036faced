/** The slot of a field that no source gives. */
export const emptySlot = 0xffffffff;

/** A slot is `priority << 26 | offset`, so that the smallest is the source that wins; this takes the offset. */
export const slotOffset = 0x03ffffff;

/** What a mark points at: something that may have to be removed. `eventAttribute` is one of a link, too. */
export const markKind = {
  attribute: 0,
  eventAttribute: 1,
  statusMessage: 2,
  resourceAttribute: 3,
  scopeAttribute: 4,
} as const;

const initialRows = 512;
const preparedRows = 64;
/** Columns that one huge request made larger than this are given back at the next. */
const keptRows = 65_536;

/**
 * One row a span, as columns of offsets into the request; 0 says "absent", because a request cannot begin with
 * content. Growing replaces the arrays, so nobody keeps one across reads.
 */
export class SpanColumns {
  readonly fieldCount: number;
  #capacity = 0;
  #prepared = 0;
  /** The span's message, without its tag and length. */
  start = new Uint32Array(0);
  end = new Uint32Array(0);
  /** Ordinals of the resource and the scope among those that have spans. */
  resource = new Uint32Array(0);
  scope = new Uint32Array(0);
  /** 16 bytes. */
  traceIdAt = new Uint32Array(0);
  /** 8 bytes each; `parentSpanIdAt` is 0 for a root span. */
  spanIdAt = new Uint32Array(0);
  parentSpanIdAt = new Uint32Array(0);
  nameAt = new Uint32Array(0);
  nameEnd = new Uint32Array(0);
  /** Little-endian 64-bit nanoseconds. */
  startTimeAt = new Uint32Array(0);
  endTimeAt = new Uint32Array(0);
  /** The varints of the two enums. */
  kindAt = new Uint32Array(0);
  statusCodeAt = new Uint32Array(0);
  statusMessageAt = new Uint32Array(0);
  statusMessageEnd = new Uint32Array(0);
  /** The value member (see slots) of the last exception event's `exception.type`. */
  exceptionTypeAt = new Uint32Array(0);
  /** Likewise of its `exception.message`. */
  exceptionMessageAt = new Uint32Array(0);
  /** Marks of row i are [marksFrom[i], marksFrom[i + 1]). */
  marksFrom = new Uint32Array(1);
  /** `fieldCount` slots a row. The offset is that of the value's member: its tag, then its content. */
  slots = new Uint32Array(0);

  constructor(fieldCount: number) {
    this.fieldCount = fieldCount;
  }

  /** Room for `rows` rows; what the first rows hold is kept. */
  #reserve(rows: number): void {
    if (rows <= this.#capacity) return;
    const capacity = Math.max(initialRows, this.#capacity * 2, rows);
    this.#capacity = capacity;
    this.start = grown(this.start, capacity);
    this.end = grown(this.end, capacity);
    this.resource = grown(this.resource, capacity);
    this.scope = grown(this.scope, capacity);
    this.traceIdAt = grown(this.traceIdAt, capacity);
    this.spanIdAt = grown(this.spanIdAt, capacity);
    this.parentSpanIdAt = grown(this.parentSpanIdAt, capacity);
    this.nameAt = grown(this.nameAt, capacity);
    this.nameEnd = grown(this.nameEnd, capacity);
    this.startTimeAt = grown(this.startTimeAt, capacity);
    this.endTimeAt = grown(this.endTimeAt, capacity);
    this.kindAt = grown(this.kindAt, capacity);
    this.statusCodeAt = grown(this.statusCodeAt, capacity);
    this.statusMessageAt = grown(this.statusMessageAt, capacity);
    this.statusMessageEnd = grown(this.statusMessageEnd, capacity);
    this.exceptionTypeAt = grown(this.exceptionTypeAt, capacity);
    this.exceptionMessageAt = grown(this.exceptionMessageAt, capacity);
    this.marksFrom = grown(this.marksFrom, capacity + 1);
    this.slots = grown(this.slots, capacity * this.fieldCount);
  }

  /** Forgets all rows, and gives back what one huge request made these columns grow to. */
  reset(): void {
    if (this.#capacity > keptRows) {
      Object.assign(this, new SpanColumns(this.fieldCount));
      this.#capacity = 0;
    }
    this.#prepared = 0;
    this.marksFrom[0] = 0;
  }

  /** Has rows up to `row` say nothing yet. Many at a time, because filling one by one costs as much as reading it. */
  prepare(row: number): void {
    if (row < this.#prepared) return;
    this.#reserve(row + 1);
    const from = this.#prepared;
    const to = Math.min(from + preparedRows, this.#capacity);
    this.#prepared = to;
    this.#clear(from, to);
  }

  /** Has row `row`, which was begun, say nothing again. */
  clear(row: number): void {
    this.#clear(row, row + 1);
  }

  #clear(from: number, to: number): void {
    this.traceIdAt.fill(0, from, to);
    this.spanIdAt.fill(0, from, to);
    this.parentSpanIdAt.fill(0, from, to);
    this.nameAt.fill(0, from, to);
    this.nameEnd.fill(0, from, to);
    this.startTimeAt.fill(0, from, to);
    this.endTimeAt.fill(0, from, to);
    this.kindAt.fill(0, from, to);
    this.statusCodeAt.fill(0, from, to);
    this.statusMessageAt.fill(0, from, to);
    this.statusMessageEnd.fill(0, from, to);
    this.exceptionTypeAt.fill(0, from, to);
    this.exceptionMessageAt.fill(0, from, to);
    this.slots.fill(emptySlot, from * this.fieldCount, to * this.fieldCount);
  }
}

/**
 * Places in the request that may have to be removed, in the order they stand. A mark is a whole field, tag and
 * length included; a place inside another message of the span or the envelope says so, because then that message's
 * length changes too.
 */
export class MarkColumns {
  count = 0;
  #capacity = 0;
  /** Every flag that some mark has, or had before its span was rejected. */
  allFlags = 0;
  start = new Uint32Array(0);
  end = new Uint32Array(0);
  /** The tag of the event, link, status, resource or scope field it is in; 0 when it is the span's own attribute. */
  container = new Uint32Array(0);
  /** The attribute's key; both 0 for a status message. */
  keyAt = new Uint32Array(0);
  keyEnd = new Uint32Array(0);
  /** The key's entry in the key table; -1 when it is none, or there is no key. */
  entry = new Int32Array(0);
  /** The tag of the value's member, or of a status message, behind which its content stands; 0 when there is none. */
  memberAt = new Uint32Array(0);
  /** Bytes of the content, without tag and length: of a text, its UTF-8; of anything else, as encoded. */
  sizeBytes = new Uint32Array(0);
  /** A `markKind`. */
  kind = new Uint8Array(0);
  /** Bits of `keyFlag`. */
  flags = new Uint8Array(0);

  /** Adds an attribute at [start, end), whose key `key` then sets. */
  add(start: number, end: number, flags: number, container: number): number {
    const mark = this.count++;
    if (mark >= this.#capacity) this.#grow();
    this.start[mark] = start;
    this.end[mark] = end;
    this.kind[mark] = container === 0 ? markKind.attribute : markKind.eventAttribute;
    this.flags[mark] = flags;
    this.allFlags |= flags;
    this.container[mark] = container;
    return mark;
  }

  /** Sets the key of `mark`, and where what it holds is. */
  key(mark: number, entry: number, keyAt: number, keyEnd: number, memberAt: number, sizeBytes: number): void {
    this.entry[mark] = entry;
    this.keyAt[mark] = keyAt;
    this.keyEnd[mark] = keyEnd;
    this.memberAt[mark] = memberAt;
    this.sizeBytes[mark] = sizeBytes;
  }

  /** Forgets all marks, and gives back what one huge request made these columns grow to. */
  reset(): void {
    if (this.#capacity > keptRows * 8) {
      Object.assign(this, new MarkColumns());
      this.#capacity = 0;
    }
    this.count = 0;
    this.allFlags = 0;
  }

  #grow(): void {
    this.#capacity = Math.max(initialRows, this.#capacity * 2);
    this.start = grown(this.start, this.#capacity);
    this.end = grown(this.end, this.#capacity);
    this.container = grown(this.container, this.#capacity);
    this.keyAt = grown(this.keyAt, this.#capacity);
    this.keyEnd = grown(this.keyEnd, this.#capacity);
    this.memberAt = grown(this.memberAt, this.#capacity);
    this.sizeBytes = grown(this.sizeBytes, this.#capacity);
    const entry = new Int32Array(this.#capacity);
    entry.set(this.entry);
    this.entry = entry;
    this.kind = grownBytes(this.kind, this.#capacity);
    this.flags = grownBytes(this.flags, this.#capacity);
  }
}

/** `column` with room for `length` values, keeping those it has. */
export function grown(column: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(length);
  next.set(column);
  return next;
}

function grownBytes(column: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(length);
  next.set(column);
  return next;
}
