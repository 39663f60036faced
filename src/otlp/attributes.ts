import { TextMemo } from './text-memo.ts';
import { varintWidth, writeVarint } from './wire.ts';

/** Tags of Span.attributes, KeyValue and AnyValue in opentelemetry/proto. */
const attributeTag = 0x4a;
const keyTag = 0x0a;
const valueTag = 0x12;
const memberTag = { string: 0x0a, bool: 0x10, int: 0x18, double: 0x21 } as const;

const initialBytes = 64 * 1024;
/** What one huge request made this larger is given back at the next. */
const keptBytes = 8 * 1024 * 1024;
/** Texts up to here are written character by character, which beats the call of a native writer. */
const limitCharacters = 40;
/** Distinct texts of one key that are remembered in their encoded form. */
const limitTerms = 1024;

/** Bytes that are copied at once. */
const wordBytes = 8;

/** A whole attribute field of a span, tag and length included, encoded once and copied from then on. */
export interface EncodedAttribute {
  readonly sizeBytes: number;
  /** Covers whole words of eight bytes, of which the last may go on behind the attribute. */
  readonly view: DataView;
}

/** The key of attributes that are added, encoded once. */
export class AttributeKey {
  readonly key: string;
  /**
   * What stands before the member of a value with this key: the attribute's tag and length, the key, the value's tag
   * and length. The two lengths are 0.
   */
  readonly prefix: EncodedAttribute;
  readonly #terms = new TextMemo((value) => this.#encode(value), limitTerms);

  constructor(key: string) {
    this.key = key;
    const text = Buffer.from(key);
    const head = Buffer.alloc(3 + varintWidth(text.length));
    head[0] = attributeTag;
    head[2] = keyTag;
    writeVarint(head, 3, text.length);
    this.prefix = encoded(Buffer.concat([head, text, Buffer.of(valueTag, 0)]));
  }

  /** The attribute with this key and the text `value`, for values of which there are few: each is encoded once. */
  term(value: string): EncodedAttribute {
    return this.#terms.get(value);
  }

  #encode(value: string): EncodedAttribute {
    const attributes = new Attributes();
    attributes.string(this, value);
    return encoded(attributes.bytes.subarray(0, attributes.sizeBytes));
  }
}

/**
 * Attributes being written one behind the other, each a whole field of a span. Reused from request to request;
 * growing replaces `bytes` and `view`.
 */
export class Attributes {
  /** What was written is [0, sizeBytes). */
  sizeBytes = 0;
  bytes = Buffer.alloc(0);
  view = new DataView(this.bytes.buffer, 0, 0);

  /** Forgets what was written. */
  reset(): void {
    this.sizeBytes = 0;
    if (this.bytes.length > keptBytes) this.#resize(initialBytes);
  }

  /** Adds an attribute encoded before. */
  append(attribute: EncodedAttribute): void {
    this.#reserve(attribute.sizeBytes);
    this.sizeBytes += this.#copy(attribute);
  }

  /** Adds a text. A lone surrogate, which UTF-8 cannot say, becomes U+FFFD. */
  string(key: AttributeKey, value: string): void {
    const start = this.sizeBytes;
    const short = value.length <= limitCharacters;
    const length = short ? value.length : Buffer.byteLength(value);
    const at = this.#open(key, memberTag.string, varintWidth(length) + length);
    const content = writeVarint(this.bytes, at, length);
    this.sizeBytes = content + length;
    if (!short) this.bytes.write(value, content);
    else if (!writeAscii(this.bytes, content, value)) {
      this.sizeBytes = start;
      this.#encoded(key, Buffer.from(value));
    }
  }

  /** Adds an integer, which must be safe. */
  int(key: AttributeKey, value: number): void {
    if (value < 0 || value >= 2 ** 32) {
      this.#wideInt(key, BigInt(value));
      return;
    }
    const at = this.#open(key, memberTag.int, varintWidth(value));
    this.sizeBytes = writeVarint(this.bytes, at, value);
  }

  double(key: AttributeKey, value: number): void {
    const at = this.#open(key, memberTag.double, 8);
    this.view.setFloat64(at, value, true);
    this.sizeBytes = at + 8;
  }

  bool(key: AttributeKey, value: boolean): void {
    const at = this.#open(key, memberTag.bool, 1);
    this.bytes[at] = value ? 1 : 0;
    this.sizeBytes = at + 1;
  }

  #encoded(key: AttributeKey, value: Buffer): void {
    const at = this.#open(key, memberTag.string, varintWidth(value.length) + value.length);
    const content = writeVarint(this.bytes, at, value.length);
    this.bytes.set(value, content);
    this.sizeBytes = content + value.length;
  }

  #wideInt(key: AttributeKey, value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    const groups: number[] = [];
    for (; rest > 0x7fn; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80);
    groups.push(Number(rest));
    const at = this.#open(key, memberTag.int, groups.length);
    this.bytes.set(groups, at);
    this.sizeBytes = at + groups.length;
  }

  /** Writes everything before the value's content, whose bytes are `contentBytes` with its length prefix; returns where it goes. */
  #open(key: AttributeKey, tag: number, contentBytes: number): number {
    const { prefix } = key;
    const start = this.sizeBytes;
    const memberBytes = 1 + contentBytes;
    const keyValueBytes = prefix.sizeBytes - 2 + memberBytes;
    if (keyValueBytes > 0x7f) return this.#openLong(prefix, tag, memberBytes);
    this.#reserve(2 + keyValueBytes);
    const at = start + this.#copy(prefix);
    const { bytes } = this;
    bytes[start + 1] = keyValueBytes;
    bytes[at - 1] = memberBytes;
    bytes[at] = tag;
    return at + 1;
  }

  /** The same for an attribute with a length that takes more than one byte. */
  #openLong(prefix: EncodedAttribute, tag: number, memberBytes: number): number {
    const keyAndTagBytes = prefix.sizeBytes - 3;
    const keyValueBytes = keyAndTagBytes + varintWidth(memberBytes) + memberBytes;
    this.#reserve(6 + keyValueBytes);
    const { bytes } = this;
    bytes[this.sizeBytes] = attributeTag;
    let at = writeVarint(bytes, this.sizeBytes + 1, keyValueBytes);
    for (let k = 0; k < keyAndTagBytes; k++) bytes[at++] = prefix.view.getUint8(2 + k);
    at = writeVarint(bytes, at, memberBytes);
    bytes[at] = tag;
    return at + 1;
  }

  /** Writes what was encoded; the last word may go on behind it, into what comes next. */
  #copy({ sizeBytes, view: from }: EncodedAttribute): number {
    const { sizeBytes: at, view } = this;
    for (let k = 0; k < sizeBytes; k += wordBytes) {
      view.setBigInt64(at + k, from.getBigInt64(k, true), true);
    }
    return sizeBytes;
  }

  #reserve(more: number): void {
    if (this.sizeBytes + more + wordBytes > this.bytes.length) {
      this.#resize(Math.max(initialBytes, this.bytes.length * 2, this.sizeBytes + more + wordBytes));
    }
  }

  #resize(length: number): void {
    const bytes = Buffer.allocUnsafeSlow(length);
    bytes.set(this.bytes.subarray(0, this.sizeBytes));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}

function encoded(attribute: Uint8Array): EncodedAttribute {
  const bytes = new Uint8Array(Math.ceil(attribute.length / wordBytes) * wordBytes);
  bytes.set(attribute);
  return { sizeBytes: attribute.length, view: new DataView(bytes.buffer) };
}

/** Writes `value` if it is ASCII; false when it is not. */
function writeAscii(bytes: Uint8Array, at: number, value: string): boolean {
  for (let k = 0; k < value.length; k++) {
    const code = value.charCodeAt(k);
    if (code > 0x7f) return false;
    bytes[at + k] = code;
  }
  return true;
}
