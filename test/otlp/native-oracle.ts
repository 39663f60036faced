import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { query } from 'chdb';
import type { TypedColumn } from '../../src/otlp/native-typed.ts';
import type { Column } from '../../src/otlp/row-columns.ts';
import type { OracleAttribute, OracleRequest, OracleSpan, OracleValue } from './oracle.ts';

/** A row as both sides give it: numbers and times as decimal texts, maps as pairs in their order. */
export type Row = Record<string, unknown>;

/** What the engine reads from a Native block: the columns it announces, and its rows, or `select` of them. */
export function readNative(
  chunks: readonly Uint8Array[],
  select?: string,
): { readonly columns: readonly Column[]; readonly rows: Row[] } {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-native-'));
  try {
    const path = join(folder, 'block.native');
    writeFileSync(path, Buffer.concat(chunks));
    const described = query(`DESCRIBE TABLE file('${path}', Native)`, 'JSON');
    const { data }: { data: Column[] } = JSON.parse(described);
    const columns = data.map(({ name, type }) => ({ name, type }));
    const picked = columns.map(({ name, type }) => `${readable(name, type)} AS \`${name}\``).join(', ');
    const settings = 'output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1';
    const text = query(
      `SELECT ${select ?? picked} FROM file('${path}', Native) SETTINGS ${settings}`,
      'JSONEachRow',
    );
    const lines = text.split('\n').filter((line) => line !== '');
    return { columns, rows: lines.map((line): Row => JSON.parse(line)) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An expression that JSON can carry without loss. */
function readable(name: string, type: string): string {
  const column = `\`${name}\``;
  if (type === 'DateTime64(9)') return `toUnixTimestamp64Nano(${column})`;
  if (type === 'Array(DateTime64(9))')
    return `arrayMap(t -> reinterpretAsUInt64(toUnixTimestamp64Nano(t)), ${column})`;
  if (type.startsWith('Map(')) return `CAST(${column}, 'Array(Tuple(String, String))')`;
  if (type.startsWith('Array(Map('))
    return `arrayMap(m -> CAST(m, 'Array(Tuple(String, String))'), ${column})`;
  return column;
}

/** A span of a decoded request with what stands around it, in the order of an index. */
export interface SpanInPlace {
  readonly span: OracleSpan;
  readonly resource: readonly OracleAttribute[];
  readonly scope: { readonly name?: string; readonly version?: string };
}

export function spansOf(request: OracleRequest): SpanInPlace[] {
  return (request.resourceSpans ?? []).flatMap(({ resource, scopeSpans }) =>
    (scopeSpans ?? []).flatMap(({ scope, spans }) =>
      (spans ?? []).map((span) => ({ span, resource: resource?.attributes ?? [], scope: scope ?? {} })),
    ),
  );
}

interface OracleLink {
  readonly traceId?: Uint8Array;
  readonly spanId?: Uint8Array;
  readonly traceState?: string;
  readonly attributes?: OracleAttribute[];
}

const dayNanos = 86_400_000_000_000n;

/** The row that `OracleSpan` must become, worked out from objects, with BigInt, and without the code under test. */
export function expectedRow(
  { span, resource, scope }: SpanInPlace,
  typed: Row,
  place: {
    readonly streamId: string;
    readonly partition: number;
    readonly offset: number;
    readonly index: number;
    readonly recordTimeMs: number;
  },
): Row {
  const start = BigInt(span.startTimeUnixNano ?? 0);
  const end = BigInt(span.endTimeUnixNano ?? 0);
  const record = BigInt(place.recordTimeMs) * 1_000_000n;
  const isClamped = start < record - 366n * dayNanos || start > record + dayNanos;
  const attributes = pairsOf(span.attributes);
  const original: [string, string][] = isClamped
    ? [['plimsoll.original_start_unix_nano', String(start)]]
    : [];
  const service = resource.find(({ key }) => key === 'service.name');
  const events = span.events ?? [];
  const links: readonly OracleLink[] = span.links ?? [];
  return {
    Timestamp: String(isClamped ? record : start),
    TraceId: hex(span.traceId),
    SpanId: hex(span.spanId),
    ParentSpanId: hex(span.parentSpanId),
    TraceState: span.traceState ?? '',
    SpanName: span.name ?? '',
    SpanKind: ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][span.kind ?? 0] ?? '',
    ServiceName: service ? asString(service.value ?? {}) : '',
    ResourceAttributes: pairsOf(resource),
    ScopeName: scope.name ?? '',
    ScopeVersion: scope.version ?? '',
    SpanAttributes: firstOfEachKey([...original, ...attributes]),
    Duration: String(start > 0n && end > start ? end - start : 0n),
    StatusCode: ['Unset', 'Ok', 'Error'][span.status?.code ?? 0] ?? '',
    StatusMessage: span.status?.message ?? '',
    'Events.Timestamp': events.map((event) => String(event.timeUnixNano ?? 0)),
    'Events.Name': events.map((event) => event.name ?? ''),
    'Events.Attributes': events.map((event) => pairsOf(event.attributes)),
    'Links.TraceId': links.map((link) => hex(link.traceId)),
    'Links.SpanId': links.map((link) => hex(link.spanId)),
    'Links.TraceState': links.map((link) => link.traceState ?? ''),
    'Links.Attributes': links.map((link) => pairsOf(link.attributes)),
    ...typed,
    StreamId: place.streamId,
    StreamPartition: place.partition,
    StreamOffset: String(place.offset),
    StreamIndex: place.index,
  };
}

/** What a typed column holds for a source's value; `undefined` is a span that does not say. */
export function expectedTyped(
  column: TypedColumn,
  value: OracleValue | undefined,
  span: OracleSpan,
): unknown {
  if ('missing' in column)
    return textOf(value) ?? (column.missing === 'trace id' ? hex(span.traceId) : column.missing);
  if (column.type === 'Bool') return isSaid(value);
  const number = numberOf(value);
  if (column.type === 'Nullable(UInt64)')
    return Number.isSafeInteger(number) && number >= 0 ? String(number) : null;
  return number >= 0 && number <= 999_999_999 ? decimal(number) : null;
}

function isSaid(value: OracleValue | undefined): boolean {
  return value !== undefined && value.boolValue !== false && value.stringValue?.toLowerCase() !== 'false';
}

function textOf(value: OracleValue | undefined): string | undefined {
  if (value?.doubleValue !== undefined) return String(value.doubleValue);
  if (value?.arrayValue) return value.arrayValue.values?.[0]?.stringValue || undefined;
  if (value === undefined || value.kvlistValue || value.bytesValue) return undefined;
  return asString(value);
}

function numberOf(value: OracleValue | undefined): number {
  if (value?.intValue !== undefined) return Number(value.intValue);
  if (value?.doubleValue !== undefined) return value.doubleValue;
  const text = value?.stringValue?.trim() ?? '';
  return text === '' ? Number.NaN : Number(text);
}

/** ClickHouse prints a Decimal without trailing zeros. */
function decimal(value: number): string {
  const digits = String(BigInt(Math.round(value * 1e9))).padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, '');
}

function hex(id: Uint8Array | undefined): string {
  return id?.some((byte) => byte !== 0) ? Buffer.from(id).toString('hex') : '';
}

function pairsOf(attributes: readonly OracleAttribute[] = []): [string, string][] {
  return firstOfEachKey(attributes.map(({ key = '', value = {} }) => [key, asString(value)]));
}

function firstOfEachKey(pairs: [string, string][]): [string, string][] {
  return pairs.filter(([key], i) => pairs.findIndex(([other]) => other === key) === i);
}

/** `pcommon.Value.AsString` of the Collector: encoding/json without HTML escapes, keys in byte order. */
export function asString(value: OracleValue): string {
  if (value.arrayValue || value.kvlistValue) return hasNoJson(value) ? '' : json(value);
  if (value.boolValue !== undefined) return String(value.boolValue);
  if (value.doubleValue !== undefined && !Number.isFinite(value.doubleValue)) {
    return `json: unsupported value: ${{ NaN: 'NaN', Infinity: '+Inf', '-Infinity': '-Inf' }[String(value.doubleValue)]}`;
  }
  if (value.doubleValue !== undefined) return double(value.doubleValue);
  if (value.bytesValue) return Buffer.from(value.bytesValue).toString('base64');
  return value.stringValue ?? value.intValue ?? '';
}

function hasNoJson(value: OracleValue): boolean {
  const values =
    value.arrayValue?.values ?? value.kvlistValue?.values?.map((entry) => entry.value ?? {}) ?? [];
  return values.some(hasNoJson) || (value.doubleValue !== undefined && !Number.isFinite(value.doubleValue));
}

function json(value: OracleValue): string {
  if (value.arrayValue) return `[${(value.arrayValue.values ?? []).map(json).join(',')}]`;
  if (value.kvlistValue) {
    const entries = new Map<string, string>();
    for (const { key = '', value: entry = {} } of value.kvlistValue.values ?? []) {
      if (!entries.has(key)) entries.set(key, json(entry));
    }
    const sorted = [...entries].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return `{${sorted.map(([key, entry]) => `${jsonString(key)}:${entry}`).join(',')}}`;
  }
  if (value.doubleValue !== undefined) return double(value.doubleValue);
  if (value.bytesValue) return `"${Buffer.from(value.bytesValue).toString('base64')}"`;
  if (value.stringValue !== undefined) return jsonString(value.stringValue);
  return String(value.intValue ?? value.boolValue ?? null);
}

function double(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function jsonString(text: string): string {
  return JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}
