/** Up to here eight bytes at a time are faster than a call of `copy`. */
const limitWords = 256;

/**
 * Copies [from, to) of `source` to `target` at `at`, and neither reads nor writes a byte beyond; the views cover
 * the same bytes. The ranges may not overlap.
 */
export function copyBytes(
  source: Buffer,
  sourceView: DataView,
  from: number,
  to: number,
  target: { readonly bytes: Uint8Array; readonly view: DataView },
  at: number,
): void {
  const length = to - from;
  if (length > limitWords) {
    source.copy(target.bytes, at, from, to);
    return;
  }
  if (length < 8) {
    for (let k = 0; k < length; k++) target.bytes[at + k] = source[from + k]!;
    return;
  }
  const { view } = target;
  const last = length - 8;
  for (let k = 0; k < last; k += 8) view.setBigInt64(at + k, sourceView.getBigInt64(from + k, true), true);
  // The last word overlaps the one before.
  view.setBigInt64(at + last, sourceView.getBigInt64(from + last, true), true);
}
