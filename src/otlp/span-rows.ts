import { type Arena, Source } from './native-arena.ts';
import { AttributeEntries } from './native-attributes.ts';
import { LowCardinalityColumn, nativeBlock, PlainColumn, type NativeColumn } from './native-columns.ts';
import { FieldCursor, shortLengthAt } from './native-field.ts';
import { MapColumn } from './native-map.ts';
import { EventColumns, LinkColumns } from './native-nested.ts';
import { ResourceColumns, ScopeColumns } from './native-origin.ts';
import { TypedColumns, type TypedColumn } from './native-typed.ts';
import { ValueTexts } from './native-values.ts';
import { positionColumns, spanColumns } from './row-columns.ts';
import type { SpanColumns } from './span-columns.ts';
import { dateOfDay, isPlausibleStart, nanosAt, startDay } from './span-time.ts';
import type { SpanView } from './span-view.ts';
import { varint32 } from './wire.ts';

/**
 * Changes whenever the same record would give other bytes, so that a block begun by another version of the program
 * is never taken for this one's.
 */
export const encoderVersion = 1;

/** Where a clamped row keeps the start that its sender gave, in SpanAttributes. */
const originalStartKey = 'plimsoll.original_start_unix_nano';
const originalStart = new Source().open(Buffer.from(originalStartKey));

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
const kindTag = 0x30;
const timeTags = [0x39, 0x41];
const nameTag = 0x2a;
const statusTag = 0x7a;
/** Of two bytes: the second is 1. */
const flagsTag = 0x85;
const eventTag = 0x5a;
const linkTag = 0x6a;

/** By tag: the wire type of fields that the index has read already or that no row has; of any other 255. */
const isPassed = new Uint8Array(256).fill(255);
for (const tag of [...idTags, nameTag, statusTag, kindTag, ...timeTags]) isPassed[tag] = tag & 7;

/** The place of a span on the stream, and the time of its record. */
export interface RowPlace {
  readonly offset: number;
  readonly index: number;
  /** CreateTime in milliseconds since the epoch. */
  readonly recordTimeMs: number;
}

/** The UTC day, counted from the epoch, of the row of the span at `view`: that of its start, or of its record when the start is not plausible. */
export function dayOf({ index, row }: SpanView, recordTimeMs: number): number {
  const at = index.spans.startTimeAt[row]!;
  return startDay(index.view, at, nanosAt(index.view, at), recordTimeMs);
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
  /** The request of the last row; an index makes a Buffer of its own for each. */
  #request: Buffer | undefined;
  readonly #source = new Source();
  readonly #timestamp = new PlainColumn('DateTime64(9)');
  readonly #traceId = new PlainColumn('String');
  readonly #spanId = new PlainColumn('String');
  readonly #parentSpanId = new PlainColumn('String');
  readonly #traceState = new PlainColumn('String');
  readonly #name = new LowCardinalityColumn();
  readonly #kind = new LowCardinalityColumn(kinds);
  readonly #resource = new ResourceColumns(this.#entries, this.#texts);
  readonly #scope = new ScopeColumns();
  readonly #attributes = new MapColumn();
  readonly #duration = new PlainColumn('UInt64');
  readonly #statusCode = new LowCardinalityColumn(statusCodes);
  readonly #statusMessage = new PlainColumn('String');
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
    this.#typed = new TypedColumns(origin.typed, this.#traceId);
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
    const source = this.#source;
    if (index.bytes !== this.#request) this.#open(index.bytes);
    this.#times(source, spans, row, place.recordTimeMs);
    this.#span(source, spans, row);
    this.#fields(source, spans.start[row]!, spans.end[row]!);
    const isSameResource = this.#resource.append(source, index.resources, spans.resource[row]!);
    this.#scope.append(source, index.scopes, spans.scope[row]!);
    this.#typed.append(this.#rows, view, source, isSameResource);
    this.#offset.values.u64(place.offset);
    this.#index.values.u32(place.index);
    this.#guessedBytes += (spans.end[row] ?? 0) - (spans.start[row] ?? 0) + this.#resource.rowBytes;
    this.#rows++;
  }

  #open(request: Buffer): void {
    this.#request = request;
    this.#source.open(request);
  }

  #times(source: Source, spans: SpanColumns, row: number, recordTimeMs: number): void {
    const startAt = spans.startTimeAt[row] ?? 0;
    const endAt = spans.endTimeAt[row] ?? 0;
    const nanos = nanosAt(source.view, startAt);
    const day = startDay(source.view, startAt, nanos, recordTimeMs);
    if (day !== this.#day) this.#countDay();
    this.#day = day;
    this.#dayRows++;
    if (isPlausibleStart(nanos, recordTimeMs)) this.#timestamp.values.copy(source, startAt, 8);
    else this.#clamp(source, startAt, recordTimeMs);
    this.#appendDuration(source.view, startAt, endAt);
  }

  /** The end less the start, in halves, because a BigInt is an object; 0 when one is missing or the end is before the start. */
  #appendDuration(view: DataView, startAt: number, endAt: number): void {
    const { values } = this.#duration;
    if (startAt === 0 || endAt === 0) return values.u64(0);
    const startLow = view.getUint32(startAt, true);
    const startHigh = view.getUint32(startAt + 4, true);
    const endLow = view.getUint32(endAt, true);
    const endHigh = view.getUint32(endAt + 4, true);
    const high = endHigh - startHigh - (endLow < startLow ? 1 : 0);
    if (high < 0 || (startLow | startHigh) === 0) return values.u64(0);
    values.u32(endLow - startLow);
    values.u32(high);
  }

  /** The sender's start stays among the attributes, where the row's own key order begins. */
  #clamp(source: Source, startAt: number, recordTimeMs: number): void {
    const start = startAt === 0 ? 0n : source.view.getBigUint64(startAt, true);
    this.#timestamp.values.bigint(BigInt(Math.trunc(recordTimeMs)) * 1_000_000n);
    if (this.#attributes.key(originalStart, 0, originalStart.bytes.length)) {
      this.#attributes.values.asciiText(String(start));
    }
    this.#clampedRows++;
  }

  /** What the index knows already. */
  #span(source: Source, spans: SpanColumns, row: number): void {
    const parentAt = spans.parentSpanIdAt[row] ?? 0;
    const nameAt = spans.nameAt[row] ?? 0;
    const kindAt = spans.kindAt[row] ?? 0;
    const codeAt = spans.statusCodeAt[row] ?? 0;
    const messageAt = spans.statusMessageAt[row] ?? 0;
    this.#traceId.values.hexText(source, spans.traceIdAt[row] ?? 0, traceIdBytes);
    this.#spanId.values.hexText(source, spans.spanIdAt[row] ?? 0, spanIdBytes);
    this.#parentSpanId.values.hexText(source, parentAt, parentAt === 0 ? 0 : spanIdBytes);
    this.#name.append(source, nameAt, (spans.nameEnd[row] ?? 0) - nameAt);
    this.#kind.appendId(kindAt === 0 ? 0 : numbered(varint32(source.bytes, kindAt), kinds.length));
    this.#statusCode.appendId(
      codeAt === 0 ? 0 : numbered(varint32(source.bytes, codeAt), statusCodes.length),
    );
    this.#statusMessage.values.text(source, messageAt, (spans.statusMessageEnd[row] ?? 0) - messageAt);
  }

  /** What only a walk over the span's fields finds: attributes, events, links, trace state. */
  #fields(source: Source, at: number, end: number): void {
    const { bytes } = source;
    this.#stateAt = at;
    this.#stateLength = 0;
    for (let next = at; next < end;) {
      const tag = bytes[next]!;
      if (tag === attributeTag) {
        next = this.#entries.append(this.#attributes, source, next, end, attributeTag);
        continue;
      }
      const wireType = isPassed[tag];
      if (wireType === 1) next += 9;
      else if (tag === flagsTag && bytes[next + 1] === 1) next += 6;
      else if (wireType === 0) {
        while (bytes[++next]! > 0x7f);
        next++;
      } else {
        const packed = wireType === 2 ? shortLengthAt(bytes, next + 1) : -1;
        next = packed < 0 ? this.#field(source, next, end) : next + 1 + (packed & 7) + (packed >> 3);
      }
    }
    this.#traceState.values.text(source, this.#stateAt, this.#stateLength);
    this.#attributes.endRow();
    this.#events.endRow();
    this.#links.endRow();
  }

  /** Takes the field at `at` of a span that ends at `end`; returns where the next one begins. */
  #field(source: Source, at: number, end: number): number {
    const cursor = this.#cursor;
    cursor.read(source.bytes, at, end);
    const next = cursor.end;
    if (cursor.tag === eventTag) this.#events.append(source, cursor.at, next);
    else if (cursor.tag === linkTag) this.#links.append(source, cursor.at, next);
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
    this.#typed.reset();
    this.#request = undefined;
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
