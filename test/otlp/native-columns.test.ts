import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, sameBytes, Source } from '../../src/otlp/native-arena.ts';
import {
  ArrayColumn,
  Ends,
  LowCardinalityColumn,
  nativeBlock,
  NullableColumn,
  PlainColumn,
  type NativeColumn,
} from '../../src/otlp/native-columns.ts';
import { Dictionary } from '../../src/otlp/native-dictionary.ts';
import { varintOf } from '../../src/otlp/native-field.ts';
import { MapColumn } from '../../src/otlp/native-map.ts';
import { writeVarint } from '../../src/otlp/wire.ts';
import { runs } from '../property-runs.ts';
import { readNative } from './native-oracle.ts';

/** The bytes of `text` at an odd offset of an array that ends with them, so that reading further would throw. */
function tight(bytes: Uint8Array): { readonly source: Source; readonly at: number } {
  const padded = new Uint8Array(3 + bytes.length);
  padded.set(bytes, 3);
  return { source: new Source().open(padded), at: 3 };
}

function appendText(column: LowCardinalityColumn, text: string): void {
  const { source, at } = tight(Buffer.from(text));
  column.append(source, at, source.bytes.length - at);
}

describe('an arena', () => {
  it('holds the bytes it was given, of any length, and reads none beside them', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 }), (parts) => {
        const arena = new Arena(16);
        for (const part of parts) {
          const { source, at } = tight(part);
          arena.copy(source, at, part.length);
        }
        expect(Buffer.from(arena.written())).toEqual(Buffer.concat(parts));
      }),
      { numRuns: runs },
    );
  });

  it('repeats what it holds', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 400 }),
        fc.nat(),
        fc.nat(),
        (bytes, from, count) => {
          const arena = new Arena(16);
          arena.copy(new Source().open(bytes), 0, bytes.length);
          const at = from % bytes.length;
          const length = count % (bytes.length - at + 1);
          arena.repeat(at, length);
          expect(Buffer.from(arena.written())).toEqual(
            Buffer.concat([bytes, bytes.subarray(at, at + length)]),
          );
        },
      ),
      { numRuns: runs },
    );
  });

  it('writes the digits of whole numbers', () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat(2000), fc.nat(2 ** 31 - 1), fc.constant(2 ** 31 - 1)), (value) => {
        const arena = new Arena(1);
        arena.digits(value);
        expect(Buffer.from(arena.written()).toString()).toBe(String(value));
      }),
      { numRuns: runs },
    );
  });

  it('writes whole numbers up to 2^53 as eight bytes', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const arena = new Arena(1);
        arena.u64(value);
        expect(arena.view.getBigUint64(0, true)).toBe(BigInt(value));
      }),
      { numRuns: runs },
    );
  });

  it('writes bytes in hex, of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const arena = new Arena(1);
        const { source, at } = tight(bytes);
        arena.hexText(source, at, bytes.length);
        const digits = Buffer.from(bytes).toString('hex');
        const head = digits.length < 128 ? [digits.length] : [(digits.length & 127) | 128, 1];
        expect(Buffer.from(arena.written())).toEqual(Buffer.concat([Buffer.from(head), Buffer.from(digits)]));
      }),
      { numRuns: runs },
    );
  });

  it('tells ranges apart that differ in one byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), (bytes, place) => {
        const other = Uint8Array.from(bytes);
        const [a, b] = [new Source().open(bytes), new Source().open(other)];
        expect(sameBytes(a.view, 0, b.view, 0, bytes.length)).toBe(true);
        other[place % bytes.length]! ^= 1;
        expect(sameBytes(a.view, 0, b.view, 0, bytes.length)).toBe(false);
      }),
      { numRuns: runs },
    );
  });
});

describe('a dictionary', () => {
  it('numbers strings by first appearance, like a Map', () => {
    const texts = fc.array(
      fc.oneof(fc.string({ maxLength: 3 }), fc.string({ minLength: 4, maxLength: 40 })),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(texts, texts, (first, second) => {
        const dictionary = new Dictionary();
        for (const block of [first, second]) {
          const ids = new Map<string, number>();
          for (const text of [...block, ...block]) {
            const { source, at } = tight(Buffer.from(text));
            const id = ids.get(text) ?? ids.size;
            ids.set(text, id);
            expect(dictionary.idOf(source, at, source.bytes.length - at)).toBe(id);
          }
          expect(dictionary.size).toBe(ids.size);
          dictionary.reset();
        }
      }),
      { numRuns: runs },
    );
  });
});

describe('a dictionary of Strings of the wire', () => {
  it('numbers them like the same strings elsewhere, in one block and the next', () => {
    const texts = fc.array(fc.oneof(fc.string({ maxLength: 4 }), fc.string({ maxLength: 140 })), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(texts, texts, fc.uint8Array({ minLength: 3, maxLength: 3 }), (first, second, before) => {
        const dictionary = new Dictionary();
        for (const block of [first, second]) {
          const ids = new Map<string, number>();
          for (const text of [...block, ...block]) {
            const bytes = Buffer.from(text);
            const head = bytes.length < 128 ? [...before, bytes.length] : [...before];
            const source = new Source().open(Buffer.concat([Buffer.from(head), bytes]));
            const id = ids.get(text) ?? ids.size;
            ids.set(text, id);
            expect(dictionary.idOf(source, head.length, bytes.length)).toBe(id);
          }
          dictionary.reset();
        }
      }),
      { numRuns: runs },
    );
  });
});

describe('a short varint', () => {
  it('is read from a word when it fills the width, and refused when it does not', () => {
    fc.assert(
      fc.property(fc.nat(0x1fffff), fc.integer(), fc.integer({ min: 1, max: 10 }), (value, beyond, width) => {
        const bytes = Buffer.alloc(4);
        bytes.writeInt32LE(beyond);
        const end = writeVarint(bytes, 0, value);
        expect(varintOf(bytes.readInt32LE(), end)).toBe(value);
        if (width > end || width === end - 1) {
          bytes[end - 1]! &= 0x7f;
          expect(varintOf(bytes.readInt32LE(), width)).toBe(-1);
        }
      }),
      { numRuns: runs },
    );
  });
});

describe('a Native block', () => {
  it.each([1, 255, 256, 257, 65_536, 65_537])('carries %i different strings at their width', (count) => {
    const column = new LowCardinalityColumn();
    for (let i = 0; i < count; i++) appendText(column, `string ${i}`);
    for (let i = 0; i < count; i++) appendText(column, `string ${i}`);
    const { rows } = readNative(nativeBlock(new Map([['text', column]]), 2 * count));
    expect(rows.map((row) => row['text'])).toEqual(
      Array.from({ length: 2 * count }, (_, i) => `string ${i % count}`),
    );
  });

  it('carries nested columns without any element', () => {
    const ends = new Ends();
    const names = new ArrayColumn(ends, new LowCardinalityColumn());
    const maps = new ArrayColumn(ends, new MapColumn());
    const map = new MapColumn();
    ends.append(0);
    map.endRow();
    const columns = new Map<string, NativeColumn>([
      ['e.names', names],
      ['e.maps', maps],
      ['map', map],
    ]);
    expect(readNative(nativeBlock(columns, 1)).rows).toEqual([{ 'e.names': [], 'e.maps': [], map: [] }]);
  });

  it('carries texts that are not UTF-8 as they are', () => {
    const column = new PlainColumn('String');
    const map = new MapColumn();
    const bytes = new Source().open(Uint8Array.from([0xff, 0x00, 0xc3]));
    column.values.text(bytes, 0, 3);
    if (map.key(bytes, 0, 3)) map.values.text(bytes, 0, 3);
    map.endRow();
    const columns = new Map<string, NativeColumn>([
      ['text', column],
      ['map', map],
    ]);
    const block = nativeBlock(columns, 1);
    const [row] = readNative(
      block,
      'hex(text) AS text, hex(mapKeys(map)[1]) AS key, hex(mapValues(map)[1]) AS value',
    ).rows;
    expect(row).toEqual({ text: 'FF00C3', key: 'FF00C3', value: 'FF00C3' });
  });

  it('tells NULL from 0 and carries decimals exactly', () => {
    const tokens = new NullableColumn('Nullable(UInt64)');
    const cost = new NullableColumn('Nullable(Decimal(18, 9))');
    tokens.setNumber(1, 0);
    tokens.setNumber(2, 2 ** 53 - 1);
    tokens.reach(3);
    cost.set(0, 999_999_999_999_999_999n);
    cost.setNumber(1, 1);
    cost.reach(3);
    const columns = new Map([
      ['tokens', tokens],
      ['cost', cost],
    ]);
    expect(readNative(nativeBlock(columns, 3)).rows).toEqual([
      { tokens: null, cost: '999999999.999999999' },
      { tokens: '0', cost: '0.000000001' },
      { tokens: '9007199254740991', cost: null },
    ]);
  });
});
