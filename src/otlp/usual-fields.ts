import { isText } from './message-check.ts';
import type { SpanColumns } from './span-columns.ts';
import { spanTag as spanTags } from './span-tags.ts';

// A constant of this file is compiled in; an imported one is loaded and checked at each use.
const spanTag = spanTags;

/** The bytes of both ids, and of both times, with their tags and lengths. */
const idsBytes = 28;
const timesBytes = 18;

/**
 * Reads the fields in front of the span [at, end) into `row`, as far as they are those that every SDK writes, in their
 * order: ids, parent, name, kind and times. Returns the offset behind the last one; what is not so is left to whoever
 * reads any field.
 */
export function readUsualFields(
  bytes: Uint8Array,
  view: DataView,
  spans: SpanColumns,
  row: number,
  at: number,
  end: number,
): number {
  let offset = at;
  const hasIds =
    offset + idsBytes <= end &&
    bytes[offset] === spanTag.traceId &&
    bytes[offset + 1] === 16 &&
    bytes[offset + 18] === spanTag.spanId &&
    bytes[offset + 19] === 8;
  if (!hasIds) return offset;
  spans.traceIdAt[row] = offset + 2;
  spans.spanIdAt[row] = offset + 20;
  offset += idsBytes;
  if (offset + 10 <= end && bytes[offset] === spanTag.parentSpanId && bytes[offset + 1] === 8) {
    spans.parentSpanIdAt[row] = offset + 2;
    offset += 10;
  }
  if (offset + 2 > end || bytes[offset] !== spanTag.name) return offset;
  const name = offset + 2;
  const nameEnd = name + bytes[offset + 1]!;
  // A name of more than 127 bytes has a longer length; behind this one stand the kind and the times.
  if (bytes[offset + 1]! > 0x7f || nameEnd + 2 + timesBytes > end || !isText(bytes, view, name, nameEnd))
    return offset;
  spans.nameAt[row] = name;
  spans.nameEnd[row] = nameEnd;
  offset = nameEnd;
  if (bytes[offset] === spanTag.kind && bytes[offset + 1]! < 0x80) {
    spans.kindAt[row] = offset + 1;
    offset += 2;
  }
  if (bytes[offset] !== spanTag.startTime || bytes[offset + 9] !== spanTag.endTime) return offset;
  spans.startTimeAt[row] = offset + 1;
  spans.endTimeAt[row] = offset + 10;
  return offset + timesBytes;
}
