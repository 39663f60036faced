import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import type { Letter } from '../../src/store/dead-letter-log.ts';
import { letterKey } from '../../src/store/dead-letters.ts';
import { emptyLedger, type Ledger } from '../../src/store/intent.ts';
import type { Position } from '../../src/core/stream.ts';
import { isBefore, textOf, type Origin } from '../../src/store/place.ts';
import { isConserved, isProven, missingSpans, recount, type Recount } from '../../src/store/recount.ts';
import { runs } from '../property-runs.ts';
import { jsonEncoder, payloadOf, undecodablePayload, type TestSpan } from './json-rows.ts';
import { MemoryPartition } from './memory-stream.ts';
import { MemoryTable } from './memory-table.ts';
import { KeepingTable } from './keeping-table.ts';

const origin: Origin = { streamId: 's1', partition: 0 };
const today = new Date().toISOString().slice(0, 10);
const at = (offset: number, index = 0): Position => ({ offset, index });

/** What became of a span, or of a record that nobody can read. */
type Fate = 'stored' | 'twice' | 'dead' | 'lost';

/** Where a record has no span, a row of it is one that nobody sent. */
const strayIndex = 20;

/** A record of the stream, and what became of what is in it. */
interface Told {
  readonly fates: readonly Fate[];
  /** So many spans more that are not valid. */
  readonly invalid: number;
  readonly isUndecodable: boolean;
  /** Of the record that nobody can read, or of its invalid spans. */
  readonly isLetterLost: boolean;
  /** Whether there is a row of it for a span that it does not have. */
  readonly hasStray?: boolean;
}

/** A stream, its table and its dead letters, made as `records` tell. */
class Situation {
  readonly partition = new MemoryPartition();
  readonly table = new KeepingTable();
  readonly letters: Letter[] = [];
  haveLettersGone = false;

  add({ fates, invalid, isUndecodable, isLetterLost, hasStray }: Told, date = today): void {
    const offset = this.partition.records.length;
    if (hasStray === true) this.table.rows.push({ id: 1, date, offset, index: strayIndex });
    if (isUndecodable) {
      this.partition.append(undecodablePayload, fates.length);
      if (!isLetterLost) this.bury(offset, 0, Math.max(1, fates.length), undefined);
      return;
    }
    const span: TestSpan = { id: 1, date };
    const spans = fates.map(() => span);
    const others = Array.from({ length: invalid }, () => ({ ...span, isInvalid: true }));
    this.partition.append(payloadOf([...spans, ...others]), fates.length);
    for (const [index, fate] of fates.entries()) {
      if (fate === 'dead') this.bury(offset, index, 1, 1);
      const copies = { stored: 1, twice: 2, dead: 0, lost: 0 }[fate];
      for (let copy = 0; copy < copies; copy++) this.table.rows.push({ ...span, offset, index });
    }
    if (invalid > 0 && !isLetterLost) this.bury(offset, fates.length, invalid, undefined);
  }

  bury(offset: number, index: number, spans: number, readableSpans: number | undefined): void {
    this.letters.push({
      key: letterKey(origin, at(offset, index)),
      origin,
      position: at(offset, index),
      recordTimeMs: 0,
      offset: this.letters.length,
      reason: '',
      part: 'store',
      timeMs: 0,
      attempt: 1,
      spans,
      readableSpans,
    });
  }

  /** Retention removes the records before `start`. */
  expire(start: number): void {
    this.partition.start = start;
  }

  async recount(ledger: Partial<Ledger> & { readonly position: Position }): Promise<Recount> {
    const { table, letters, haveLettersGone } = this;
    const parts = {
      table,
      rows: jsonEncoder.rows(origin),
      reader: this.partition.claim(),
      letters,
      haveLettersGone,
    };
    return recount(parts, origin, { ...emptyLedger(ledger.position), ...ledger });
  }
}

/** One span, or as many as stand together because nobody can read them. */
interface Expected extends Position {
  readonly spans: number;
  readonly fate: Fate;
}

function spansOf(told: Told, offset: number): readonly Expected[] {
  const fate = told.isLetterLost ? 'lost' : 'dead';
  if (told.isUndecodable) return [{ ...at(offset), spans: Math.max(1, told.fates.length), fate }];
  const valid = told.fates.map((each, index) => ({ ...at(offset, index), spans: 1, fate: each }));
  if (told.invalid === 0) return valid;
  return [...valid, { ...at(offset, told.fates.length), spans: told.invalid, fate }];
}

const toldRecord = fc.record<Told>({
  fates: fc.array(fc.constantFrom<Fate[]>('stored', 'stored', 'stored', 'twice', 'dead', 'lost'), {
    maxLength: 6,
  }),
  invalid: fc.nat({ max: 2 }),
  isUndecodable: fc.boolean(),
  isLetterLost: fc.boolean(),
  hasStray: fc.boolean(),
});

const sumOf = (spans: readonly Expected[], ...fates: readonly Fate[]): number =>
  spans.filter(({ fate }) => fates.includes(fate)).reduce((sum, one) => sum + one.spans, 0);

/** The places that `missing` names, one by one. */
const placesOf = (texts: readonly string[]): readonly string[] =>
  texts.flatMap((text) => {
    const [first = '', last = first] = text.split('-');
    const [offset = 0, from = 0] = first.split('.').map(Number);
    const to = Number(last.split('.')[1]);
    return Array.from({ length: to - from + 1 }, (_, n) => textOf(at(offset, from + n)));
  });

/** A record of so many spans that are all stored. */
const stored = (spans: number): Told => ({
  fates: Array.from({ length: spans }, () => 'stored'),
  invalid: 0,
  isUndecodable: false,
  isLetterLost: false,
});

describe('a recount', () => {
  test('names every span that has neither a row nor a letter, and every one that has two rows, whatever happened', async () => {
    const place = fc.tuple(fc.nat({ max: 8 }), fc.nat({ max: 6 }), fc.nat({ max: 8 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(toldRecord, { maxLength: 8 }),
        place,
        async (records, [offset, index, start]) => {
          const position = at(Math.min(offset, records.length), 0);
          const told = records[position.offset];
          const isWithin = told !== undefined && !told.isUndecodable && index < told.fates.length;
          const here = isWithin ? at(position.offset, index) : position;
          const situation = new Situation();
          for (const record of records) situation.add(record);
          const first = Math.min(start, position.offset);
          situation.table.rows = situation.table.rows.filter(
            ({ offset: of, index: n }) => of >= first || n !== strayIndex, // of records that are gone, nobody can tell a stray row
          );
          situation.expire(first);
          const all = records.flatMap(spansOf);
          const before = all.filter((span) => isBefore(span, here));
          const seen = before.filter((span) => span.offset >= situation.partition.start);
          const unseen = before.filter((span) => span.offset < situation.partition.start);
          const strays = records.filter(
            (record, n) => record.hasStray === true && n >= first && n < here.offset,
          ).length;
          const passedSpans = sumOf(before, 'stored', 'twice', 'dead', 'lost');
          const found = await situation.recount({ position: here, passedSpans });
          expect(found).toMatchObject({
            storedSpans: sumOf(before, 'stored', 'twice'),
            deadSpans: sumOf(before, 'dead'),
            inFlightSpans: sumOf(all, 'stored', 'twice', 'dead', 'lost') - passedSpans,
            missingUnseen: sumOf(unseen, 'lost'),
            untoldSpans: 0,
            uncountedSpans: 0,
            doubledRows: sumOf(before, 'twice'),
            strayRows: strays,
          });
          const lost = seen
            .filter(({ fate }) => fate === 'lost')
            .flatMap((span) =>
              Array.from({ length: span.spans }, (_, n) => textOf(at(span.offset, span.index + n))),
            );
          expect(placesOf(found.missing.texts).toSorted()).toEqual(lost.toSorted());
          expect(placesOf(found.doubled.texts).toSorted()).toEqual(
            before
              .filter(({ fate }) => fate === 'twice')
              .map(textOf)
              .toSorted(),
          );
          expect(isConserved(found)).toBe(sumOf(before, 'lost', 'twice') + strays === 0);
        },
      ),
      { numRuns: runs },
    );
  });

  test('does not call missing what is older than the table keeps, and says how much that is', async () => {
    const situation = new Situation();
    situation.table.kept = 5 * 86_400_000;
    situation.add({ ...stored(0), fates: ['lost', 'lost', 'stored'] }, '2026-01-01');
    situation.add({ ...stored(0), fates: ['lost', 'stored'] });
    const found = await situation.recount({ position: at(2), passedSpans: 5 });
    expect(found).toMatchObject({ storedSpans: 2, untoldSpans: 2 });
    expect(found.missing.texts).toEqual(['1.0']);
    situation.expire(2);
    expect(await situation.recount({ position: at(2), passedSpans: 5 })).toMatchObject({
      storedSpans: 2,
      untoldSpans: 3,
      missingUnseen: 0,
    });
  });

  test('calls missing, of records that are gone, what cannot be older than the table keeps; else that it is not proven', async () => {
    const situation = new Situation();
    situation.table.kept = 3650 * 86_400_000;
    situation.add(stored(2));
    situation.add({ ...stored(0), fates: ['stored', 'lost'] });
    situation.expire(2);
    const young = await situation.recount({ position: at(2), passedSpans: 4 });
    expect(young).toMatchObject({ missingUnseen: 1, untoldSpans: 0 });
    expect([isConserved(young), isProven(young)]).toEqual([false, true]);
    situation.table.kept = 0; // of today, and may go at any moment
    const old = await situation.recount({ position: at(2), passedSpans: 4 });
    expect(old).toMatchObject({ missingUnseen: 0, untoldSpans: 1 });
    expect([isConserved(old), isProven(old)]).toEqual([true, false]);
    situation.table.kept = 3650 * 86_400_000;
    situation.table.rows = situation.table.rows.filter(({ offset }) => offset > 0);
    expect(isProven(await situation.recount({ position: at(2), passedSpans: 4 }))).toBe(false);
  });

  test('has not proven what the store did not count', async () => {
    const situation = new Situation();
    situation.add({ ...stored(0), fates: ['lost'] });
    situation.add(stored(1));
    situation.expire(1);
    expect(isProven(await situation.recount({ position: at(2) }))).toBe(false);
    expect(isProven(await situation.recount({ position: at(2), passedSpans: 1, expiredRecords: 1 }))).toBe(
      true,
    );
  });

  test('of records that are gone, takes no more for dead letters that are gone than the store had counted', async () => {
    const situation = new Situation();
    situation.haveLettersGone = true;
    situation.add({ ...stored(0), fates: ['stored', 'lost', 'lost'] });
    situation.expire(1);
    const ledger = { position: at(1), passedSpans: 3, deadSpans: 1 };
    expect(await situation.recount(ledger)).toMatchObject({ untoldSpans: 1, missingUnseen: 1 });
  });

  test('does not call lost what may have been a dead letter that is gone, though its record is there', async () => {
    const situation = new Situation();
    situation.haveLettersGone = true;
    situation.add({ ...stored(0), fates: ['stored', 'dead', 'lost', 'lost'] });
    const purged = await situation.recount({ position: at(1), passedSpans: 4, deadSpans: 3 });
    expect(purged).toMatchObject({ deadSpans: 1, untoldSpans: 2, missingUntold: 2 });
    expect([isConserved(purged), isProven(purged)]).toEqual([true, false]);
    const lost = await situation.recount({ position: at(1), passedSpans: 4, deadSpans: 2 });
    expect([missingSpans(lost), lost.untoldSpans, isConserved(lost)]).toEqual([1, 1, false]);
    situation.haveLettersGone = false;
    expect(missingSpans(await situation.recount({ position: at(1), passedSpans: 4, deadSpans: 3 }))).toBe(2);
  });

  test('counts what the stream removed before it was stored as expired, not as missing', async () => {
    const situation = new Situation();
    situation.add({ ...stored(0), fates: ['lost', 'lost'] });
    situation.add(stored(1));
    situation.expire(1);
    const found = await situation.recount({ position: at(2), passedSpans: 3, expiredSpans: 2 });
    expect(found).toMatchObject({ storedSpans: 1, expiredSpans: 2, missingUnseen: 0 });
    expect(isConserved(found)).toBe(false);
  });

  test('does not call conserved what lacks records that the stream removed before anything of them was stored', async () => {
    const situation = new Situation();
    for (let n = 0; n < 3; n++) situation.add({ ...stored(0), fates: n < 2 ? ['lost'] : ['stored'] });
    situation.expire(2);
    const found = await situation.recount({ position: at(3), passedSpans: 1, expiredRecords: 2 });
    expect(found).toMatchObject({ storedSpans: 1, expiredRecords: 2, missingUnseen: 0 });
    expect(isConserved(found)).toBe(false);
  });

  test('finds what the stream removed while the store was down, before the store notices', async () => {
    const situation = new Situation();
    for (let n = 0; n < 5; n++) situation.add({ ...stored(0), fates: n < 2 ? ['stored'] : ['lost', 'lost'] });
    situation.expire(4);
    const found = await situation.recount({ position: at(1), passedSpans: 1 });
    expect(found).toMatchObject({ storedSpans: 1, expiredRecords: 2, inFlightSpans: 2, missingUnseen: 0 });
    expect(isConserved(found)).toBe(false);
  });

  test('asks for few enough rows at once of what the stream no longer has', async () => {
    const situation = new Situation();
    for (let n = 0; n < 9; n++) situation.add(n === 4 ? { ...stored(0), fates: ['twice'] } : stored(1));
    situation.expire(9);
    const { table } = situation;
    const rowsHeld: number[] = [];
    table.count = async (...asked) => 1_000_000 * (await MemoryTable.prototype.held.apply(table, asked)).rows;
    table.held = async (...asked) => {
      const held = await KeepingTable.prototype.held.apply(table, asked);
      rowsHeld.push(held.rows);
      return held;
    };
    const found = await situation.recount({ position: at(9), passedSpans: 9 });
    expect(found).toMatchObject({ storedSpans: 9, doubledRows: 1, missingUnseen: 0 });
    expect(found.doubled.texts).toEqual(['4.0']);
    expect(Math.max(...rowsHeld)).toBe(2);
  });

  test('tells a span without a row from a row without a span, though they are equal in number', async () => {
    const situation = new Situation();
    situation.add({ ...stored(0), fates: ['stored', 'lost'], hasStray: true });
    const found = await situation.recount({ position: at(1), passedSpans: 2 });
    expect(found).toMatchObject({ storedSpans: 1, strayRows: 1 });
    expect(found.missing.texts).toEqual(['0.1']);
  });

  test('finds rows where the stream has no span', async () => {
    const situation = new Situation();
    situation.add(stored(2));
    situation.table.rows.push({ id: 9, date: today, offset: 0, index: 7 });
    const found = await situation.recount({ position: at(1), passedSpans: 2 });
    expect([found.strayRows, isConserved(found)]).toEqual([1, false]);
  });

  test('says how many spans a store whose commit was moved has not counted, and that nothing is missing', async () => {
    const situation = new Situation();
    for (let n = 0; n < 3; n++) situation.add(stored(2));
    situation.expire(1);
    const found = await situation.recount({ position: at(3), passedSpans: 1 });
    expect(found).toMatchObject({ storedSpans: 6, unseenSpans: 2, uncountedSpans: 5 });
    expect(isConserved(found)).toBe(true);
  });

  test('is refused where the stream is another one than that of which the table speaks', async () => {
    const situation = new Situation();
    situation.add(stored(2));
    await expect(situation.recount({ position: at(5), passedSpans: 9 })).rejects.toThrow(
      'partition 0 of stream s1 ends at offset 1, before the position 5.0 that was committed',
    );
  });
});
