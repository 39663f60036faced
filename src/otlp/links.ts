import type { SpanIndex } from './span-index.ts';
import { linkTag, spanTag } from './span-tags.ts';
import { fieldBefore, nextField } from './wire-field.ts';

/**
 * The trace that the only link of the span of `row` leads to, in lower-case hex; undefined when it has none or several,
 * and when that is the span's own trace.
 */
export function linkedTrace({ bytes, spans }: SpanIndex, row: number): string | undefined {
  const end = spans.end[row]!;
  const field = fieldBefore(spans.start[row]!);
  let links = 0;
  let traceAt = 0;
  while (nextField(bytes, field, end)) {
    if (field.tag !== spanTag.link) continue;
    links++;
    const inner = fieldBefore(field.content);
    while (nextField(bytes, inner, field.next))
      if (inner.tag === linkTag.traceId && inner.next - inner.content === 16) traceAt = inner.content;
  }
  const own = spans.traceIdAt[row]!;
  if (links !== 1 || traceAt === 0 || isSame(bytes, traceAt, own) || isZero(bytes, traceAt)) return undefined;
  return bytes.toString('hex', traceAt, traceAt + 16);
}

function isSame(bytes: Buffer, at: number, other: number): boolean {
  return bytes.compare(bytes, at, at + 16, other, other + 16) === 0;
}

function isZero(bytes: Buffer, at: number): boolean {
  return bytes.subarray(at, at + 16).every((byte) => byte === 0);
}
