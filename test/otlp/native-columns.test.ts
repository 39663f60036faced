import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, sameBytes } from '../../src/otlp/native-arena.ts';
import {
  ArrayColumn,
  Ends,
  LowCardinalityColumn,
  MapColumn,
  nativeBlock,
  NullableColumn,
  PlainColumn,
  sourceOf,
  type NativeColumn,
} from '../../src/otlp/native-columns.ts';
import { Dictionary } from '../../src/otlp/native-dictionary.ts';
import { runs } from '../property-runs.ts';
import { readNative } from './native-oracle.ts';

/** The bytes of `text` at an odd offset of an array that ends with them, so that reading further would throw. */
function tight(bytes: Uint8Array): { readonly source: ReturnType<typeof sourceOf>; readonly at: number } {
  const padded = new Uint8Array(3 + bytes.length);
  padded.set(bytes, 3);
  return { source: sourceOf(padded), at: 3 };
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
          arena.copy(sourceOf(bytes), 0, bytes.length);
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

  it('tells ranges apart that differ in one byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), (bytes, place) => {
        const other = Uint8Array.from(bytes);
        const [a, b] = [sourceOf(bytes), sourceOf(other)];
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
    const bytes = sourceOf(Uint8Array.from([0xff, 0x00, 0xc3]));
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
