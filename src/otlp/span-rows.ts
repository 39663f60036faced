import type { Arena, Source } from './native-arena.ts';
import { AttributeEntries } from './native-attributes.ts';
import {
  LowCardinalityColumn,
  MapColumn,
  nativeBlock,
  PlainColumn,
  sourceOf,
  type NativeColumn,
} from './native-columns.ts';
import { FieldCursor, shortLengthAt } from './native-field.ts';
import { EventColumns, LinkColumns } from './native-nested.ts';
import { ResourceColumns, ScopeColumns } from './native-origin.ts';
import { TypedColumns, type TypedColumn } from './native-typed.ts';
import { ValueTexts } from './native-values.ts';
import type { SpanColumns } from './span-columns.ts';
import { dateOfDay, isPlausibleStart, nanosAt, startDay } from './span-time.ts';
import type { SpanView } from './span-view.ts';
import { varint32 } from './wire.ts';

/**
 * Changes whenever the same record would give other bytes, so that a block begun by another version of the program
 * is never taken for this one's.
 */
export const encoderVersion = 1;

/** A column of a table. */
export interface Column {
  readonly name: string;
  /** ClickHouse's name of its type. */
  readonly type: string;
}

const text = 'String';
const name = 'LowCardinality(String)';
const time = 'DateTime64(9)';
const attributes = 'Map(LowCardinality(String), String)';

/** The columns of the Collector's ClickHouse exporter, in its order. */
export const spanColumns: readonly Column[] = [
  { name: 'Timestamp', type: time },
  { name: 'TraceId', type: text },
  { name: 'SpanId', type: text },
  { name: 'ParentSpanId', type: text },
  { name: 'TraceState', type: text },
  { name: 'SpanName', type: name },
  { name: 'SpanKind', type: name },
  { name: 'ServiceName', type: name },
  { name: 'ResourceAttributes', type: attributes },
  { name: 'ScopeName', type: text },
  { name: 'ScopeVersion', type: text },
  { name: 'SpanAttributes', type: attributes },
  { name: 'Duration', type: 'UInt64' },
  { name: 'StatusCode', type: name },
  { name: 'StatusMessage', type: text },
  { name: 'Events.Timestamp', type: `Array(${time})` },
  { name: 'Events.Name', type: `Array(${name})` },
  { name: 'Events.Attributes', type: `Array(${attributes})` },
  { name: 'Links.TraceId', type: `Array(${text})` },
  { name: 'Links.SpanId', type: `Array(${text})` },
  { name: 'Links.TraceState', type: `Array(${text})` },
  { name: 'Links.Attributes', type: `Array(${attributes})` },
];

/** Where a row came from: the stream, the offset of its record, the index of its span in the record. */
export const positionColumns: readonly Column[] = [
  { name: 'StreamId', type: name },
  { name: 'StreamPartition', type: 'UInt16' },
  { name: 'StreamOffset', type: 'UInt64' },
  { name: 'StreamIndex', type: 'UInt32' },
];

/** Where a clamped row keeps the start that its sender gave, in SpanAttributes. */
const originalStartKey = 'plimsoll.original_start_unix_nano';
const originalStart = sourceOf(Buffer.from(originalStartKey));

/** By number, as OTLP has them; another number is ''. */
const kinds = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer', ''];
const statusCodes = ['Unset', 'Ok', 'Error', ''];

/** How far `bytes` may go by guesses. */
const countEveryBytes = 65_536;

const traceIdBytes = 16;
const spanIdBytes = 8;
const traceStateTag = 0x1a;
const attributeTag = 0x4a;
const idTags = [0x0a, 0x12, 0x22];
const nameTag = 0x2a;
const statusTag = 0x7a;
const eventTag = 0x5a;
const linkTag = 0x6a;

/** By tag: 1 for attributes, and for fields with a length that the index has read already. */
const isShort = new Uint8Array(256);
for (const tag of [attributeTag, nameTag, statusTag, ...idTags]) isShort[tag] = 1;

/** The place of a span on the stream, and the time of its record. */
export interface RowPlace {
  readonly offset: number;
  readonly index: number;
  /** CreateTime in milliseconds since the epoch. */
  readonly recordTimeMs: number;
}

/** The UTC date (YYYY-MM-DD) of the row of the span at `view`: that of its start, or of its record when the start is not plausible. */
export function dateOf(view: SpanView, recordTimeMs: number): string {
  const at = view.index.spans.startTimeAt[view.row] ?? 0;
  return dateOfDay(startDay(view.index, at, nanosAt(view.index, at), recordTimeMs));
}

/**
 * Rows of `otel_traces` as one Native block, written column by column from the bytes of the wire. A row depends on the
 * bytes and the time of its record alone. Values read as those of the Collector's ClickHouse exporter.
 *
 * Its chunks stay valid until `reset`, so whoever fills one block while the other is being sent needs two of these.
 */
export class SpanRows {
  readonly #texts = new ValueTexts();
  readonly #entries = new AttributeEntries(this.#texts);
  readonly #cursor = new FieldCursor();
  readonly #timestamp = new PlainColumn(time);
  readonly #traceId = new PlainColumn(text);
  readonly #spanId = new PlainColumn(text);
  readonly #parentSpanId = new PlainColumn(text);
  readonly #traceState = new PlainColumn(text);
  readonly #name = new LowCardinalityColumn();
  readonly #kind = new LowCardinalityColumn(kinds);
  readonly #resource = new ResourceColumns(this.#entries, this.#texts);
  readonly #scope = new ScopeColumns();
  readonly #attributes = new MapColumn();
  readonly #duration = new PlainColumn('UInt64');
  readonly #statusCode = new LowCardinalityColumn(statusCodes);
  readonly #statusMessage = new PlainColumn(text);
  readonly #events = new EventColumns(this.#entries);
  readonly #links = new LinkColumns(this.#entries);
  readonly #typed: TypedColumns;
  readonly #streamId: LowCardinalityColumn;
  readonly #partition = new PlainColumn('UInt16');
  readonly #offset = new PlainColumn('UInt64');
  readonly #index = new PlainColumn('UInt32');
  readonly #columns: ReadonlyMap<string, NativeColumn>;
  readonly #arenas: readonly Arena[];
  readonly #partitionNumber: number;
  readonly #dates = new Map<string, number>();
  #day = 0;
  #dayRows = 0;
  #rows = 0;
  #clampedRows = 0;
  /** The current span's trace state. */
  #stateAt = 0;
  #stateLength = 0;
  /** Bytes at the last count, and a guess of what came since. */
  #countedBytes = 0;
  #guessedBytes = 0;

  constructor(origin: {
    readonly streamId: string;
    readonly partition: number;
    readonly typed: readonly TypedColumn[];
  }) {
    this.#partitionNumber = origin.partition;
    this.#streamId = new LowCardinalityColumn([origin.streamId]);
    this.#typed = new TypedColumns(origin.typed);
    const names = [...spanColumns, ...origin.typed, ...positionColumns].map((column) => column.name);
    const columns = this.#inOrder();
    this.#columns = new Map(names.map((columnName, i) => [columnName, columns[i] ?? this.#timestamp]));
    this.#arenas = columns.flatMap((column) => column.arenas);
  }

  #inOrder(): readonly NativeColumn[] {
    return [
      this.#timestamp,
      this.#traceId,
      this.#spanId,
      this.#parentSpanId,
      this.#traceState,
      this.#name,
      this.#kind,
      this.#resource.serviceName,
      this.#resource.attributes,
      this.#scope.name,
      this.#scope.version,
      this.#attributes,
      this.#duration,
      this.#statusCode,
      this.#statusMessage,
      ...this.#events.columns,
      ...this.#links.columns,
      ...this.#typed.columns,
      this.#streamId,
      this.#partition,
      this.#offset,
      this.#index,
    ];
  }

  get rows(): number {
    return this.#rows;
  }

  /** Rows whose start was not plausible and became their record's time. */
  get clampedRows(): number {
    return this.#clampedRows;
  }

  /** About how many bytes the block has so far: within a few percent, so that asking after each row costs nothing. */
  get bytes(): number {
    if (this.#guessedBytes > countEveryBytes) {
      this.#countedBytes = this.#arenas.reduce(
        (sum, arena) => sum + arena.length,
        this.#rows * this.#typed.rowBytes,
      );
      this.#guessedBytes = 0;
    }
    return this.#countedBytes + this.#guessedBytes;
  }

  /** Rows by UTC date. Valid until the next `append`. */
  get dates(): ReadonlyMap<string, number> {
    this.#countDay();
    return this.#dates;
  }

  #countDay(): void {
    if (this.#dayRows === 0) return;
    const date = dateOfDay(this.#day);
    this.#dates.set(date, (this.#dates.get(date) ?? 0) + this.#dayRows);
    this.#dayRows = 0;
  }

  /** Adds the row of the span at `view`. */
  append(view: SpanView, place: RowPlace): void {
    const { index, row } = view;
    const { spans } = index;
    this.#times(index, spans, row, place.recordTimeMs);
    this.#span(index, spans, row);
    this.#fields(index, spans.start[row] ?? 0, spans.end[row] ?? 0);
    this.#resource.append(index, index.resources, spans.resource[row] ?? 0);
    this.#scope.append(index, index.scopes, spans.scope[row] ?? 0);
    this.#typed.append(this.#rows, view);
    this.#offset.values.u64(place.offset);
    this.#index.values.u32(place.index);
    this.#guessedBytes += (spans.end[row] ?? 0) - (spans.start[row] ?? 0) + this.#resource.rowBytes;
    this.#rows++;
  }

  #times(index: Source, spans: SpanColumns, row: number, recordTimeMs: number): void {
    const startAt = spans.startTimeAt[row] ?? 0;
    const endAt = spans.endTimeAt[row] ?? 0;
    const nanos = nanosAt(index, startAt);
    const day = startDay(index, startAt, nanos, recordTimeMs);
    if (day !== this.#day) this.#countDay();
    this.#day = day;
    this.#dayRows++;
    if (isPlausibleStart(nanos, recordTimeMs)) this.#timestamp.values.copy(index, startAt, 8);
    else this.#clamp(index, startAt, recordTimeMs);
    if (startAt === 0 || endAt === 0) return this.#duration.values.u64(0);
    const start = index.view.getBigUint64(startAt, true);
    const end = index.view.getBigUint64(endAt, true);
    if (start === 0n || end < start) this.#duration.values.u64(0);
    else this.#duration.values.bigint(end - start);
  }

  /** The sender's start stays among the attributes, where the row's own key order begins. */
  #clamp(index: Source, startAt: number, recordTimeMs: number): void {
    const start = startAt === 0 ? 0n : index.view.getBigUint64(startAt, true);
    this.#timestamp.values.bigint(BigInt(Math.trunc(recordTimeMs)) * 1_000_000n);
    if (this.#attributes.key(originalStart, 0, originalStart.bytes.length)) {
      this.#attributes.values.asciiText(String(start));
    }
    this.#clampedRows++;
  }

  /** What the index knows already. */
  #span(index: Source, spans: SpanColumns, row: number): void {
    const parentAt = spans.parentSpanIdAt[row] ?? 0;
    const nameAt = spans.nameAt[row] ?? 0;
    const kindAt = spans.kindAt[row] ?? 0;
    const codeAt = spans.statusCodeAt[row] ?? 0;
    const messageAt = spans.statusMessageAt[row] ?? 0;
    this.#traceId.values.hexText(index, spans.traceIdAt[row] ?? 0, traceIdBytes);
    this.#spanId.values.hexText(index, spans.spanIdAt[row] ?? 0, spanIdBytes);
    this.#parentSpanId.values.hexText(index, parentAt, parentAt === 0 ? 0 : spanIdBytes);
    this.#name.append(index, nameAt, (spans.nameEnd[row] ?? 0) - nameAt);
    this.#kind.appendId(kindAt === 0 ? 0 : numbered(varint32(index.bytes, kindAt), kinds.length));
    this.#statusCode.appendId(codeAt === 0 ? 0 : numbered(varint32(index.bytes, codeAt), statusCodes.length));
    this.#statusMessage.values.text(index, messageAt, (spans.statusMessageEnd[row] ?? 0) - messageAt);
  }

  /** What only a walk over the span's fields finds: attributes, events, links, trace state. */
  #fields(index: Source, at: number, end: number): void {
    const { bytes } = index;
    this.#stateAt = at;
    this.#stateLength = 0;
    for (let next = at; next < end;) {
      const tag = bytes[next]!;
      const packed = isShort[tag] === 1 ? shortLengthAt(bytes, next + 1) : -1;
      if (packed < 0) next = this.#field(index, next, end);
      else {
        const from = next + 1 + (packed & 7);
        next = from + (packed >> 3);
        if (tag === attributeTag) this.#entries.append(this.#attributes, index, from, next);
      }
    }
    this.#traceState.values.text(index, this.#stateAt, this.#stateLength);
    this.#attributes.endRow();
    this.#events.endRow();
    this.#links.endRow();
  }

  /** Takes the field at `at` of a span that ends at `end`; returns where the next one begins. */
  #field(index: Source, at: number, end: number): number {
    const cursor = this.#cursor;
    cursor.read(index.bytes, at, end);
    const next = cursor.end;
    if (cursor.tag === attributeTag) this.#entries.append(this.#attributes, index, cursor.at, next);
    else if (cursor.tag === eventTag) this.#events.append(index, cursor.at, next);
    else if (cursor.tag === linkTag) this.#links.append(index, cursor.at, next);
    else if (cursor.tag === traceStateTag) {
      this.#stateAt = cursor.at;
      this.#stateLength = next - cursor.at;
    }
    return next;
  }

  /** The block as chunks, to be written one after another; empty without rows. Valid until `reset`. */
  finish(): readonly Uint8Array[] {
    if (this.#rows === 0) return [];
    this.#typed.reach(this.#rows);
    this.#streamId.reach(this.#rows);
    this.#partition.reset();
    for (let row = 0; row < this.#rows; row++) this.#partition.values.u16(this.#partitionNumber);
    return nativeBlock(this.#columns, this.#rows);
  }

  /** Forgets the rows and keeps the memory. */
  reset(): void {
    for (const column of this.#columns.values()) column.reset();
    this.#resource.reset();
    this.#scope.reset();
    this.#dates.clear();
    this.#dayRows = 0;
    this.#rows = 0;
    this.#clampedRows = 0;
    this.#countedBytes = 0;
    this.#guessedBytes = 0;
  }
}

/** `number` when it is one that has a name, else that of the empty name, the last. */
function numbered(number: number, names: number): number {
  return number >= 0 && number < names ? number : names - 1;
}
