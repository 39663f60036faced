import type { Envelopes } from './envelopes.ts';
import { Arena, sameBytes, Source } from './native-arena.ts';
import type { AttributeEntries } from './native-attributes.ts';
import { LowCardinalityColumn, PlainColumn } from './native-columns.ts';
import { FieldCursor } from './native-field.ts';
import { KeyValueParts } from './native-key-value.ts';
import { MapColumn } from './native-map.ts';
import type { ValueTexts } from './native-values.ts';

const serviceName = new Source().open(Buffer.from('service.name'));
const serviceNameLength = serviceName.bytes.length;

/** The Resource of a ResourceSpans, the InstrumentationScope of a ScopeSpans. */
const subjectTag = 0x0a;
const attributeTag = 0x0a;
const nameTag = 0x0a;
const versionTag = 0x12;

/**
 * What stood around the previous row's span (see Envelopes), copied into one message. Rows of one sender follow each
 * other, within a request and across requests, so comparing with it saves reading it again.
 */
class Previous {
  readonly message = new Arena();
  #known = false;
  /** Where it was met last: an index makes its `bytes` anew for each request. */
  #bytes: Uint8Array | undefined;
  #ordinal = 0;

  /** Whether envelope `ordinal` is the same again; if not, it is now what `message` holds. */
  isSame(source: Source, envelopes: Envelopes, ordinal: number): boolean {
    if (source.bytes === this.#bytes && ordinal === this.#ordinal) return true;
    this.#bytes = source.bytes;
    this.#ordinal = ordinal;
    if (this.#known && this.#holds(source, envelopes, ordinal)) return true;
    this.message.reset();
    const to = envelopes.rangesFrom[ordinal + 1] ?? 0;
    for (let range = envelopes.rangesFrom[ordinal] ?? 0; range < to; range++) {
      const start = envelopes.start[range] ?? 0;
      this.message.copy(source, start, (envelopes.end[range] ?? 0) - start);
    }
    this.#known = true;
    return false;
  }

  #holds(source: Source, envelopes: Envelopes, ordinal: number): boolean {
    const { view, length } = this.message;
    const to = envelopes.rangesFrom[ordinal + 1] ?? 0;
    let at = 0;
    for (let range = envelopes.rangesFrom[ordinal] ?? 0; range < to; range++) {
      const start = envelopes.start[range] ?? 0;
      const size = (envelopes.end[range] ?? 0) - start;
      if (at + size > length || !sameBytes(view, at, source.view, start, size)) return false;
      at += size;
    }
    return at === length;
  }

  reset(): void {
    this.#known = false;
    this.#bytes = undefined;
  }
}

/** Calls `visit` with the content of each field `tag` of the message in [at, end). For messages read once in many rows. */
function eachField(
  source: Source,
  at: number,
  end: number,
  wanted: number,
  visit: (from: number, to: number) => void,
): void {
  const field = new FieldCursor();
  for (let next = at; next < end; next = field.end) {
    field.read(source.bytes, next, end);
    if (field.tag === wanted) visit(field.at, field.end);
  }
}

/** Columns that hold what the span's Resource says, encoded once for all rows in a row that share it. */
export class ResourceColumns {
  readonly serviceName = new LowCardinalityColumn(['']);
  readonly attributes = new MapColumn();
  readonly #previous = new Previous();
  readonly #field = new FieldCursor();
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

  /** Bytes of the last row's attributes, about. */
  get rowBytes(): number {
    return this.#valuesBytes;
  }

  /** Appends a row for resource `ordinal` of the request in `source`; returns whether it is that of the row before. */
  append(source: Source, resources: Envelopes, ordinal: number): boolean {
    const isSame = this.#previous.isSame(source, resources, ordinal);
    if (isSame) this.attributes.repeatRow(this.#entry, this.#count, this.#valuesAt, this.#valuesBytes);
    else this.#encode(this.#previous.message.source, this.#previous.message.length);
    this.serviceName.appendId(this.#serviceNameId);
    return isSame;
  }

  #encode(message: Source, length: number): void {
    const map = this.attributes;
    this.#serviceNameId = -1;
    this.#entry = map.entries;
    this.#valuesAt = map.values.length;
    eachField(message, 0, length, subjectTag, (resourceAt, resourceEnd) => {
      this.#appendAttributes(message, resourceAt, resourceEnd);
      eachField(message, resourceAt, resourceEnd, attributeTag, (from, to) => {
        if (this.#serviceNameId < 0) this.#readServiceName(message, from, to);
      });
    });
    this.#serviceNameId = Math.max(0, this.#serviceNameId);
    this.#count = map.entries - this.#entry;
    this.#valuesBytes = map.values.length - this.#valuesAt;
    map.endRow();
  }

  #appendAttributes(source: Source, at: number, end: number): void {
    const field = this.#field;
    for (let next = at; next < end;) {
      if (source.bytes[next] === attributeTag) {
        next = this.#entries.append(this.attributes, source, next, end, attributeTag);
      } else {
        field.read(source.bytes, next, end);
        next = field.end;
      }
    }
  }

  #readServiceName(source: Source, at: number, end: number): void {
    const parts = this.#parts;
    parts.read(source.bytes, at, end);
    if (parts.keyLength !== serviceNameLength) return;
    if (!sameBytes(serviceName.view, 0, source.view, parts.keyAt, serviceNameLength)) return;
    const text = this.#texts.text(source, parts.valueAt, parts.valueEnd);
    this.#serviceNameId = this.serviceName.idOf(text.source, 0, text.length);
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

  /** Appends a row for scope `ordinal` of the request in `source`. */
  append(source: Source, scopes: Envelopes, ordinal: number): void {
    const { message } = this.#previous;
    if (!this.#previous.isSame(source, scopes, ordinal)) this.#read(message.source, message.length);
    this.name.values.text(message.source, this.#nameAt, this.#nameLength);
    this.version.values.text(message.source, this.#versionAt, this.#versionLength);
  }

  #read(message: Source, length: number): void {
    this.#nameLength = 0;
    this.#versionLength = 0;
    eachField(message, 0, length, subjectTag, (scopeAt, scopeEnd) => {
      eachField(message, scopeAt, scopeEnd, nameTag, (from, to) => {
        [this.#nameAt, this.#nameLength] = [from, to - from];
      });
      eachField(message, scopeAt, scopeEnd, versionTag, (from, to) => {
        [this.#versionAt, this.#versionLength] = [from, to - from];
      });
    });
  }

  reset(): void {
    this.#previous.reset();
  }
}
