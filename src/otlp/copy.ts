/** Bytes: up to here eight bytes at a time are faster than a call of `copy`. */
const limitWords = 512;

/**
 * Copies [from, to) of `source` to `target` at `at`, and neither reads nor writes a byte beyond; the views cover
 * the same bytes. The ranges may not overlap.
 */
// oxlint-disable-next-line max-params -- an object for them would be made, or met in many shapes, at every copy
export function copyBytes(
  source: Buffer,
  sourceView: DataView,
  from: number,
  to: number,
  target: Uint8Array,
  targetView: DataView,
  at: number,
): void {
  const length = to - from;
  if (length > limitWords) {
    source.copy(target, at, from, to);
    return;
  }
  if (length < 8) {
    for (let k = 0; k < length; k++) target[at + k] = source[from + k]!;
    return;
  }
  const last = length - 8;
  let k = 0;
  for (; k <= length - 32; k += 32) {
    targetView.setBigInt64(at + k, sourceView.getBigInt64(from + k, true), true);
    targetView.setBigInt64(at + k + 8, sourceView.getBigInt64(from + k + 8, true), true);
    targetView.setBigInt64(at + k + 16, sourceView.getBigInt64(from + k + 16, true), true);
    targetView.setBigInt64(at + k + 24, sourceView.getBigInt64(from + k + 24, true), true);
  }
  for (; k < last; k += 8) targetView.setBigInt64(at + k, sourceView.getBigInt64(from + k, true), true);
  // The last word overlaps the one before.
  targetView.setBigInt64(at + last, sourceView.getBigInt64(from + last, true), true);
}
