import type { SpanIndex } from './span-index.ts';
import { lengthAt, skipField, tagAt, varintWidth, writeVarint } from './wire.ts';

/** ExportTraceServiceRequest.resource_spans, ResourceSpans.scope_spans and ScopeSpans.spans, from the outside in. */
const childTags = [0x0a, 0x12, 0x12] as const;

/**
 * The request that `index` has read with those spans alone that are not valid or whose row is one of `rows`; what stands
 * around them is as it was.
 */
export function leftOutSpans(index: SpanIndex, rows: readonly number[] = []): Uint8Array {
  const { bytes, spans, count } = index;
  const kept = new Set(spans.start.subarray(0, count));
  for (const row of rows) kept.delete(spans.start[row]!);
  return childrenOf(bytes, 0, bytes.length, 0, kept) ?? new Uint8Array(0);
}

/** The message at [at, end) without the spans that are `kept`; undefined when none is left in it. */
function childrenOf(
  bytes: Buffer,
  at: number,
  end: number,
  depth: number,
  kept: ReadonlySet<number>,
): Buffer | undefined {
  const childTag = childTags[depth];
  const parts: Uint8Array[] = [];
  let hasSpan = false;
  for (let offset = at; offset < end;) {
    const tag = tagAt(bytes, offset, end);
    const content = offset + varintWidth(tag);
    const next = skipField(bytes, content, end, tag);
    if (tag !== childTag) parts.push(bytes.subarray(offset, next));
    else {
      const start = content + (lengthAt(bytes, content, end) & 7);
      const isSpan = depth === childTags.length - 1;
      const spanLeft = kept.has(start) ? undefined : bytes.subarray(start, next);
      const child = isSpan ? spanLeft : childrenOf(bytes, start, next, depth + 1, kept);
      if (child) {
        hasSpan = true;
        parts.push(header(tag, child.length), child);
      }
    }
    offset = next;
  }
  return hasSpan ? Buffer.concat(parts) : undefined;
}

function header(tag: number, length: number): Uint8Array {
  const bytes = new Uint8Array(6);
  bytes[0] = tag;
  return bytes.subarray(0, writeVarint(bytes, 1, length));
}
