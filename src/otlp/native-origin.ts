import { Arena, sameBytes, type Source } from './native-arena.ts';
import { KeyValueParts, type AttributeEntries } from './native-attributes.ts';
import { LowCardinalityColumn, MapColumn, PlainColumn, sourceOf } from './native-columns.ts';
import type { ValueTexts } from './native-values.ts';
import { lengthAt, skipField, tagAt, varintWidth } from './wire.ts';

const serviceName = sourceOf(Buffer.from('service.name'));
const serviceNameLength = serviceName.bytes.length;

const attributeTag = 0x0a;
const nameTag = 0x0a;
const versionTag = 0x12;

/** The message that the previous row had; rows of one sender follow each other, within a request and across. */
class Previous {
  readonly bytes = new Arena();
  #known = false;

  /** Whether [at, end) is the same again; if not, it is what the next rows are compared with. */
  isSame(source: Source, at: number, end: number): boolean {
    const length = end - at;
    const { bytes } = this;
    if (this.#known && bytes.length === length && sameBytes(bytes.view, 0, source.view, at, length)) return true;
    bytes.reset();
    bytes.copy(source, at, length);
    this.#known = true;
    return false;
  }

  reset(): void {
    this.#known = false;
  }
}

/** Columns that hold what the span's Resource says, encoded once for all rows in a row that share it. */
export class ResourceColumns {
  readonly serviceName = new LowCardinalityColumn(['']);
  readonly attributes = new MapColumn();
  readonly #previous = new Previous();
  readonly #parts = new KeyValueParts();
  readonly #entries: AttributeEntries;
  readonly #texts: ValueTexts;
  #serviceNameId = 0;
  /** The previous row of `attributes`: its entries and the bytes of their values. */
  #entry = 0;
  #count = 0;
  #valuesAt = 0;
  #valuesBytes = 0;

  constructor(entries: AttributeEntries, texts: ValueTexts) {
    this.#entries = entries;
    this.#texts = texts;
  }

  /** Appends a row for the Resource message in [at, end), which is empty when there is none. */
  append(source: Source, at: number, end: number): void {
    if (this.#previous.isSame(source, at, end)) {
      this.attributes.repeatRow(this.#entry, this.#count, this.#valuesAt, this.#valuesBytes);
    } else this.#encode(source, at, end);
    this.serviceName.appendId(this.#serviceNameId);
  }

  #encode(source: Source, at: number, end: number): void {
    const map = this.attributes;
    this.#serviceNameId = -1;
    this.#entry = map.entries;
    this.#valuesAt = map.values.length;
    for (let next = at; next < end; ) {
      const tag = tagAt(source.bytes, next, end);
      const content = next + varintWidth(tag);
      next = skipField(source.bytes, content, end, tag);
      if (tag !== attributeTag) continue;
      const from = content + (lengthAt(source.bytes, content, end) & 7);
      this.#entries.append(map, source, from, next);
      if (this.#serviceNameId < 0) this.#readServiceName(source, from, next);
    }
    this.#serviceNameId = Math.max(0, this.#serviceNameId);
    this.#count = map.entries - this.#entry;
    this.#valuesBytes = map.values.length - this.#valuesAt;
    map.endRow();
  }

  #readServiceName(source: Source, at: number, end: number): void {
    const parts = this.#parts;
    parts.read(source.bytes, at, end);
    if (parts.keyLength !== serviceNameLength) return;
    if (!sameBytes(serviceName.view, 0, source.view, parts.keyAt, serviceNameLength)) return;
    const text = this.#texts.text(source, parts.valueAt, parts.valueEnd);
    this.#serviceNameId = this.serviceName.idOf(text, 0, text.length);
  }

  reset(): void {
    this.#previous.reset();
  }
}

/** Columns that hold what the span's InstrumentationScope says. */
export class ScopeColumns {
  readonly name = new PlainColumn('String');
  readonly version = new PlainColumn('String');
  readonly #previous = new Previous();
  #nameAt = 0;
  #nameLength = 0;
  #versionAt = 0;
  #versionLength = 0;

  /** Appends a row for the InstrumentationScope message in [at, end), which is empty when there is none. */
  append(source: Source, at: number, end: number): void {
    if (!this.#previous.isSame(source, at, end)) this.#read();
    const { bytes } = this.#previous;
    this.name.values.text(bytes, this.#nameAt, this.#nameLength);
    this.version.values.text(bytes, this.#versionAt, this.#versionLength);
  }

  #read(): void {
    const message = this.#previous.bytes;
    this.#nameLength = 0;
    this.#versionLength = 0;
    for (let next = 0; next < message.length; ) {
      const tag = tagAt(message.bytes, next, message.length);
      const content = next + varintWidth(tag);
      next = skipField(message.bytes, content, message.length, tag);
      if (tag !== nameTag && tag !== versionTag) continue;
      const from = content + (lengthAt(message.bytes, content, message.length) & 7);
      if (tag === nameTag) [this.#nameAt, this.#nameLength] = [from, next - from];
      else [this.#versionAt, this.#versionLength] = [from, next - from];
    }
  }

  reset(): void {
    this.#previous.reset();
  }
}
