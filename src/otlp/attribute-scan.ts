import { keyFlag as keyFlags, wordBytes as wordSize, type KeyTable } from './key-table.ts';
import {
  keyValueTag as keyValueTags,
  memberContent,
  readKeyValue,
  valueTag as valueTags,
  type KeyValueParts,
} from './key-value.ts';
import { isText } from './message-check.ts';
import { markKind as markKinds, type MarkColumns } from './span-columns.ts';
import { verdict as verdicts, type Verdict } from './verdict.ts';
import { broken as brokenOffset, lengthAt, skipField, skipVarint } from './wire.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const keyFlag = keyFlags;
const wordBytes = wordSize;
const keyValueTag = keyValueTags;
const valueTag = valueTags;
const markKind = markKinds;
const verdict = verdicts;
const broken = brokenOffset;

/** Tag of ArrayValue's elements. */
const elementTag = 0x0a;

/** Keys with one of these are marked. */
const markedFlags = keyFlag.content | keyFlag.own | keyFlag.foreign | keyFlag.evaluation;
const exceptionFlags = keyFlag.exceptionType | keyFlag.exceptionMessage;

/** What attributes belong to. Those of a span and a resource fill slots. `event` is also for links. */
export const owner = { span: 0, resource: 1, event: 2, scope: 3 } as const;
export type Owner = (typeof owner)[keyof typeof owner];
const { span: ofSpan, resource: ofResource, event: ofEvent, scope: ofScope } = owner;

/** How long the content of the member at `member` is; 0 when there is none. The key may stand behind it. */
function contentBytes(bytes: Uint8Array, member: number, end: number): number {
  if (member === 0) return 0;
  return skipField(bytes, member + 1, end, bytes[member]!) - memberContent(bytes, member, end);
}

/** Reads attributes: into the slots of the fields they are sources of, and into marks. */
export class AttributeScan implements KeyValueParts {
  keyAt = 0;
  keyEnd = 0;
  memberAt = 0;
  /** Why the last `read` returned `broken`. */
  why: Verdict = verdict.ok;
  /** The first `exception.type` since it was set to 0. */
  exceptionTypeAt = 0;
  /** The first `exception.message` since it was set to 0. */
  exceptionMessageAt = 0;
  readonly #keys: KeyTable;
  readonly #marks: MarkColumns;
  readonly #envelopeMarks: MarkColumns;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #slots: Uint32Array = new Uint32Array(0);
  #slotBase = 0;

  /** Marks attributes of spans, their events and links in `marks`, those of resources and scopes in `envelopeMarks`. */
  constructor(keys: KeyTable, marks: MarkColumns, envelopeMarks: MarkColumns) {
    this.#keys = keys;
    this.#marks = marks;
    this.#envelopeMarks = envelopeMarks;
  }

  /** Sets what is read; `view` covers the same bytes. */
  open(bytes: Uint8Array, view: DataView): void {
    this.#bytes = bytes;
    this.#view = view;
  }

  /** Sets where the fields of the following spans' or resources' attributes go. */
  into(slots: Uint32Array, slotBase: number): void {
    this.#slots = slots;
    this.#slotBase = slotBase;
  }

  /**
   * Reads the fields with `tag`, one behind the other, from `at` on; returns the offset of the first other one, or
   * `broken`. `container` is the field of the event, link, resource or scope they are in; 0 for a span's own. What every SDK writes (a key, then a scalar or a list of
   * texts, lengths below 16 KiB) is read in place, anything else by `readKeyValue`.
   */
  // oxlint-disable-next-line max-lines-per-function -- half of all time is spent in this loop: in parts it takes a fifth more
  read(at: number, end: number, tag: number, of: Owner, container: number): number {
    const bytes = this.#bytes;
    const view = this.#view;
    const keys = this.#keys;
    const { flags: flagsOf, targetField, targetPriority } = keys;
    const targetFrom = of === ofResource ? keys.resourceFrom : keys.spanFrom;
    const slots = this.#slots;
    const slotBase = this.#slotBase;
    let offset = at;
    while (offset < end && bytes[offset] === tag) {
      let start = offset + 2;
      let length = bytes[offset + 1]!;
      if (length > 0x7f) length += (bytes[start++]! - 1) << 7;
      let next = start + length;
      let keyAt = start + 2;
      let keyBytes = bytes[start + 1]!;
      const keyEnd = keyAt + keyBytes;
      let member = keyEnd + 2;
      let valueBytes = bytes[keyEnd + 1]!;
      if (valueBytes > 0x7f) valueBytes += (bytes[member++]! - 1) << 7;
      const isUsual =
        next <= end &&
        member + valueBytes === next &&
        bytes[start] === keyValueTag.key &&
        bytes[keyEnd] === keyValueTag.value &&
        // What is inside is shorter, so two bytes hold its length as well.
        (bytes[start - 1]! | keyBytes) < 0x80;
      let isRead = false;
      if (isUsual && bytes[member] === valueTag.string) {
        let content = member + 2;
        let textBytes = bytes[member + 1]!;
        if (textBytes > 0x7f) textBytes += (bytes[content++]! - 1) << 7;
        isRead = content + textBytes === next && isText(bytes, view, content, next);
        if (textBytes === 0) member = 0;
      } else if (isUsual) isRead = this.#isUsualValue(bytes, view, member, next);
      if (!isRead) {
        next = this.#readOdd(offset + 1, end);
        if (next === broken) return broken;
        keyAt = this.keyAt;
        keyBytes = this.keyEnd - keyAt;
        member = this.memberAt;
      }
      const entry =
        keyBytes < wordBytes ? keys.findShort(bytes, keyAt, keyBytes) : keys.findLong(view, keyAt, keyBytes);
      let flags: number;
      if (entry !== -1) {
        flags = flagsOf[entry]!;
        if (of <= ofResource && member !== 0) {
          // Of equal keys the first stays, because its offset is smaller.
          const lastTarget = targetFrom[entry + 1]!;
          for (let target = targetFrom[entry]!; target < lastTarget; target++) {
            const slot = slotBase + targetField[target]!;
            const value = (targetPriority[target]! | member) >>> 0;
            if (value < slots[slot]!) slots[slot] = value;
          }
        }
        if (flags & exceptionFlags) this.#exception(flags, member);
      } else {
        if (!isText(bytes, view, keyAt, keyAt + keyBytes)) return this.#fail(verdict.text);
        flags = keys.prefixFlags(bytes, view, keyAt, keyBytes);
      }
      if (flags & markedFlags) {
        const marks = of === ofSpan || of === ofEvent ? this.#marks : this.#envelopeMarks;
        const mark = marks.add(offset, next, flags, container);
        if (of === ofResource) marks.kind[mark] = markKind.resourceAttribute;
        else if (of === ofScope) marks.kind[mark] = markKind.scopeAttribute;
        marks.key(mark, entry, keyAt, keyAt + keyBytes, member, contentBytes(bytes, member, next));
      }
      offset = next;
    }
    return offset;
  }

  #exception(flags: number, member: number): void {
    if (flags & keyFlag.exceptionType) this.exceptionTypeAt ||= member;
    else this.exceptionMessageAt ||= member;
  }

  /** Whether the AnyValue [at, end) is a number, a boolean or a list of texts as every SDK writes it, and valid. */
  #isUsualValue(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
    const tag = bytes[at];
    if (tag === valueTag.int || tag === valueTag.bool) return skipVarint(bytes, at + 1, end) === end;
    if (tag === valueTag.double) return at + 9 === end;
    const listBytes = bytes[at + 1]!;
    const isList = tag === valueTag.array && listBytes > 0 && listBytes < 0x80 && at + 2 + listBytes === end;
    return isList && this.#isTextList(bytes, view, at + 2, end);
  }

  /** Whether the ArrayValue [at, end) holds texts below 126 bytes only, and is valid. */
  #isTextList(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
    let offset = at;
    while (offset + 4 <= end && bytes[offset] === elementTag && bytes[offset + 2] === valueTag.string) {
      const textBytes = bytes[offset + 3]!;
      const next = offset + 4 + textBytes;
      if (bytes[offset + 1] !== textBytes + 2 || textBytes > 125 || next > end) return false;
      if (!isText(bytes, view, offset + 4, next)) return false;
      offset = next;
    }
    return offset === end;
  }

  /** Reads the KeyValue whose length is at `at`; returns the offset behind it. */
  #readOdd(at: number, end: number): number {
    const packed = lengthAt(this.#bytes, at, end);
    const start = at + (packed & 7);
    const next = start + (packed >>> 3);
    if (packed !== broken && this.#isValueFirst(start, next)) return next;
    this.why =
      packed === broken ? verdict.malformed : readKeyValue(this.#bytes, this.#view, start, next, this);
    return this.why ? broken : next;
  }

  /** Whether the KeyValue [at, end) is a usual value and then a short key, as every Collector writes it; reads it then. */
  #isValueFirst(at: number, end: number): boolean {
    const bytes = this.#bytes;
    if (bytes[at] !== keyValueTag.value) return false;
    const packed = lengthAt(bytes, at + 1, end);
    if (packed === broken) return false;
    const member = at + 1 + (packed & 7);
    const valueEnd = member + (packed >>> 3);
    const keyAt = valueEnd + 2;
    if (keyAt > end || bytes[valueEnd] !== keyValueTag.key || keyAt + bytes[valueEnd + 1]! !== end)
      return false;
    if (bytes[valueEnd + 1]! > 0x7f || !this.#isUsualMember(member, valueEnd)) return false;
    this.keyAt = keyAt;
    this.keyEnd = end;
    return true;
  }

  /** Whether the AnyValue [at, end) is nothing or one member as every SDK writes it, and valid; sets where that is. */
  #isUsualMember(at: number, end: number): boolean {
    const bytes = this.#bytes;
    this.memberAt = 0;
    if (at === end) return true;
    if (bytes[at] !== valueTag.string) {
      this.memberAt = at;
      return this.#isUsualValue(bytes, this.#view, at, end);
    }
    const packed = lengthAt(bytes, at + 1, end);
    const text = at + 1 + (packed & 7);
    if (packed === broken || text + (packed >>> 3) !== end) return false;
    if (text < end) this.memberAt = at;
    return isText(bytes, this.#view, text, end);
  }

  #fail(why: Verdict): typeof broken {
    this.why = why;
    return broken;
  }
}
