import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../src/core/log.ts';
import { openEmbeddedClickHouse } from '../../src/store/clickhouse-embedded.ts';
import type { BlockInsert, ClickHouse } from '../../src/store/clickhouse.ts';

export const silentLog = createLog('silent');

/** An empty directory of its own below the system's temporary one. */
export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'plimsoll-clickhouse-'));
}

/** A started ClickHouse on a directory of its own. One process has one at a time. */
export async function startClickHouse(): Promise<{
  readonly clickhouse: ClickHouse;
  readonly directory: string;
  readonly remove: () => Promise<void>;
}> {
  const directory = await temporaryDirectory();
  const clickhouse = openEmbeddedClickHouse({ directory, log: silentLog });
  await clickhouse.start();
  const remove = async (): Promise<void> => {
    await clickhouse.stop(AbortSignal.timeout(10_000));
    await rm(directory, { recursive: true, force: true });
  };
  return { clickhouse, directory, remove };
}

/** An insert of whole numbers into the column `value`, that may land for an hour. */
export function numbersInsert(table: string, values: readonly number[], token?: string): BlockInsert {
  return {
    table,
    columns: [{ name: 'value', type: 'UInt64' }],
    format: 'Native',
    settings: token === undefined ? {} : { insert_deduplication_token: token },
    deadlineMs: Date.now() + 3_600_000,
    body: numbersBlock('value', values),
  };
}

/** One column of whole numbers as a Native block, in three chunks. */
export function numbersBlock(name: string, values: readonly number[]): readonly Uint8Array[] {
  const head = Buffer.concat([varint(1), varint(values.length), text(name), text('UInt64')]);
  const body = Buffer.from(BigUint64Array.from(values, BigInt).buffer);
  const middle = Math.floor(body.byteLength / 2);
  return [head, body.subarray(0, middle), body.subarray(middle)];
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(bytes.byteLength), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
