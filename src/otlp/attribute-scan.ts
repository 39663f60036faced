import { keyFlag, type KeyTable } from './key-table.ts';
import { keyValueTag, memberContent, readKeyValue, valueTag, type KeyValueParts } from './key-value.ts';
import { isText } from './message-check.ts';
import { markKind, type MarkColumns } from './span-columns.ts';
import { verdict, type Verdict } from './verdict.ts';
import { broken, lengthAt, skipVarint } from './wire.ts';

/** Keys with one of these are marked. */
const markedFlags = keyFlag.content | keyFlag.own | keyFlag.foreign;

/** What attributes belong to. An event's fill no slots; a resource's are not marked. */
export const owner = { span: 0, event: 1, resource: 2 } as const;
export type Owner = (typeof owner)[keyof typeof owner];

/** Reads attributes: into the slots of the fields they are sources of, and into marks. */
export class AttributeScan implements KeyValueParts {
  keyAt = 0;
  keyEnd = 0;
  memberAt = 0;
  /** Why the last `read` returned `broken`. */
  why: Verdict = verdict.ok;
  /** The first `exception.type` since it was set to 0. */
  exceptionTypeAt = 0;
  readonly #keys: KeyTable;
  readonly #marks: MarkColumns;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #slots = new Uint32Array(0);
  #slotBase = 0;

  constructor(keys: KeyTable, marks: MarkColumns) {
    this.#keys = keys;
    this.#marks = marks;
  }

  /** Sets what is read; `view` covers the same bytes. */
  open(bytes: Uint8Array, view: DataView): void {
    this.#bytes = bytes;
    this.#view = view;
  }

  /** Sets where the fields of the following spans' or resources' attributes go. */
  into(slots: Uint32Array<ArrayBuffer>, slotBase: number): void {
    this.#slots = slots;
    this.#slotBase = slotBase;
  }

  /**
   * Reads the fields with `tag`, one behind the other, from `at` on; returns the offset of the first other one, or
   * `broken`. `container` is the event's own field, or 0. Most time is spent here: what every SDK writes (a key,
   * then a scalar value, lengths below 16 KiB) is read in place, anything else by `readKeyValue`.
   */
  read(at: number, end: number, tag: number, of: Owner, container: number): number {
    const bytes = this.#bytes;
    const view = this.#view;
    const keys = this.#keys;
    const { flags, targetField, targetPriority, buckets, next: chain, shift, keyFrom, keyView } = keys;
    const targetFrom = of === 0 ? keys.spanFrom : keys.resourceFrom;
    const slots = this.#slots;
    const slotBase = this.#slotBase;
    let offset = at;
    while (offset < end && bytes[offset] === tag) {
      let start = offset + 2;
      let length = bytes[offset + 1]!;
      if (length > 0x7f) length += (bytes[start++]! - 1) << 7;
      let keyAt = start + 2;
      let keyLength = bytes[start + 1]!;
      const keyEnd = keyAt + keyLength;
      let member = keyEnd + 2;
      let valueBytes = bytes[keyEnd + 1]!;
      if (valueBytes > 0x7f) valueBytes += (bytes[member++]! - 1) << 7;
      let next = start + length;
      let isUsual =
        next <= end &&
        member + valueBytes === next &&
        bytes[start] === 0x0a &&
        bytes[keyEnd] === 0x12 &&
        (bytes[start - 1]! | bytes[start + 1]! | bytes[member - 1]!) < 0x80;
      if (isUsual) {
        const valueTagByte = bytes[member]!;
        if (valueTagByte === 0x0a) {
          let content = member + 2;
          let textBytes = bytes[member + 1]!;
          if (textBytes > 0x7f) textBytes += (bytes[content++]! - 1) << 7;
          isUsual = content + textBytes === next && bytes[content - 1]! < 0x80 && isText(bytes, view, content, next);
          if (textBytes === 0) member = 0;
        } else if (valueTagByte === 0x18 || valueTagByte === 0x10) isUsual = skipVarint(bytes, member + 1, next) === next;
        else isUsual = valueTagByte === 0x21 && member + 9 === next;
      }
      if (!isUsual) {
        next = this.#readOdd(offset + 1, end);
        if (next === broken) return broken;
        keyAt = this.keyAt;
        keyLength = this.keyEnd - keyAt;
        member = this.memberAt;
      }
      let entry: number;
      if (keyLength >= 4) {
        const last = keyLength - 4;
        const tail = view.getInt32(keyAt + last, true);
        const middle = view.getInt32(keyAt + (last >>> 1), true);
        entry = buckets[Math.imul(tail ^ Math.imul(middle + keyLength, 0x85ebca6b), 0x9e3779b1) >>> shift]!;
        for (; entry !== -1; entry = chain[entry]!) {
          const from = keyFrom[entry]!;
          if (keyFrom[entry + 1]! - from !== keyLength) continue;
          let differ = keyView.getInt32(from + last, true) ^ tail;
          for (let k = 0; k < last; k += 4) differ |= keyView.getInt32(from + k, true) ^ view.getInt32(keyAt + k, true);
          if (differ === 0) break;
        }
      } else entry = keys.find(bytes, view, keyAt, keyLength);
      let found: number;
      if (entry !== -1) {
        found = flags[entry]!;
        if (member !== 0 && of !== 1) {
          const to = targetFrom[entry + 1]!;
          for (let target = targetFrom[entry]!; target < to; target++) {
            const slot = slotBase + targetField[target]!;
            const value = targetPriority[target]! + member;
            if (value < slots[slot]!) slots[slot] = value;
          }
        }
        if (found & 8) this.exceptionTypeAt ||= member;
      } else {
        if (!isText(bytes, view, keyAt, keyAt + keyLength)) {
          this.why = verdict.text;
          return broken;
        }
        found = keys.prefixFlags(bytes, view, keyAt, keyLength);
      }
      if (found & 7 && of !== 2) {this.keyAt=keyAt; this.keyEnd=keyAt+keyLength; this.memberAt=member; this.#mark(offset, next, found, container);}
      offset = next;
    }
    return offset;
  }

  /** Whether the AnyValue [at, end) is one scalar as every SDK writes it, and valid. */
  #isUsualValue(at: number, end: number): boolean {
    const bytes = this.#bytes;
    switch (bytes[at]!) {
      case valueTag.string: {
        let content = at + 2;
        let textBytes = bytes[at + 1]!;
        if (textBytes > 0x7f) textBytes += (bytes[content++]! - 1) << 7;
        return content + textBytes === end && bytes[content - 1]! < 0x80 && isText(bytes, this.#view, content, end);
      }
      case valueTag.bool:
      case valueTag.int:
        return skipVarint(bytes, at + 1, end) === end;
      case valueTag.double:
        return at + 9 === end;
      default:
        return false;
    }
  }

  /** Reads the KeyValue whose length is at `at`; returns the offset behind it. */
  #readOdd(at: number, end: number): number {
    const packed = lengthAt(this.#bytes, at, end);
    const start = at + (packed & 7);
    const next = start + (packed >>> 3);
    this.why = packed === broken ? verdict.malformed : readKeyValue(this.#bytes, this.#view, start, next, this);
    return this.why ? broken : next;
  }

  /** Puts the KeyValue just read, the field [at, next), where it belongs; false when its key is not UTF-8. */
  #take(at: number, next: number, of: Owner, container: number): boolean {
    const keys = this.#keys;
    const keyLength = this.keyEnd - this.keyAt;
    const entry = keys.find(this.#bytes, this.#view, this.keyAt, keyLength);
    let flags: number;
    if (entry !== -1) {
      flags = keys.flags[entry]!;
      if (this.memberAt !== 0 && of !== owner.event) this.#fill(of === owner.span ? keys.spanFrom : keys.resourceFrom, entry);
      if (flags & keyFlag.exceptionType) this.exceptionTypeAt ||= this.memberAt;
    } else {
      if (!isText(this.#bytes, this.#view, this.keyAt, this.keyEnd)) {
        this.why = verdict.text;
        return false;
      }
      flags = keys.prefixFlags(this.#bytes, this.#view, this.keyAt, keyLength);
    }
    if (flags & markedFlags && of !== owner.resource) this.#mark(at, next, flags, container);
    return true;
  }

  /** Of equal keys the first stays. */
  #fill(from: Uint32Array, entry: number): void {
    const { targetField, targetPriority } = this.#keys;
    const slots = this.#slots;
    const end = from[entry + 1]!;
    for (let target = from[entry]!; target < end; target++) {
      const slot = this.#slotBase + targetField[target]!;
      const value = targetPriority[target]! + this.memberAt;
      if (value < slots[slot]!) slots[slot] = value;
    }
  }

  #mark(at: number, next: number, flags: number, container: number): void {
    const marks = this.#marks;
    const kind = container === 0 ? markKind.attribute : markKind.eventAttribute;
    const mark = marks.add(at, next, kind, flags, container);
    marks.keyAt[mark] = this.keyAt;
    marks.keyEnd[mark] = this.keyEnd;
    marks.sizeBytes[mark] = this.memberAt === 0 ? 0 : next - memberContent(this.#bytes, this.memberAt, next);
  }
}
