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
