import { describe, expect, test } from 'vitest';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { TracesTable } from '../../src/store/traces-table.ts';

const origin = { streamId: 's1', partition: 3 };
const stretch = { from: { offset: 0, index: 0 }, to: { offset: 9, index: 0 } };

/** Replicated tables as several servers behind one address would have them: no engine here has a Keeper. */
function tableOf(replica: object | undefined, answer: object): { table: TracesTable; asked: string[] } {
  const asked: string[] = [];
  const clickhouse: Pick<ClickHouse, 'command' | 'query' | 'insertBlock' | 'nowMs'> = {
    command: async () => Promise.resolve(),
    insertBlock: async () => Promise.resolve(),
    nowMs: () => 0,
    query: async <Row>(sql: string) => {
      asked.push(sql.includes('system.replicas') ? 'replica' : 'rows');
      const rows = sql.includes('system.replicas') ? (replica ? [replica] : []) : [answer];
      return Promise.resolve(rows as unknown as readonly Row[]); // oxlint-disable-line typescript/no-unsafe-type-assertion -- as an engine answers
    },
  };
  return { table: new TracesTable(clickhouse, { isReplicated: true }), asked };
}

const held = { rows: '2', positions: '2', server: 'a' };

describe('a replica', () => {
  test('that has what all others have is asked', async () => {
    const { table, asked } = tableOf({ server: 'a', isCurrent: 1 }, held);
    expect(await table.held(origin, stretch)).toEqual({ rows: 2, positions: 2 });
    expect(asked).toEqual(['replica', 'rows']);
  });

  test('that is behind is not asked: rows it does not have yet would be inserted again', async () => {
    const { table, asked } = tableOf({ server: 'a', isCurrent: 0 }, held);
    await expect(table.held(origin, stretch)).rejects.toThrow('is behind the others');
    expect(asked).toEqual(['replica']);
  });

  test('that answers for another is not believed', async () => {
    const { table } = tableOf({ server: 'b', isCurrent: 1 }, held);
    await expect(table.held(origin, stretch)).rejects.toThrow('two replicas of otel_traces answered');
  });

  test('is missed where the table is not replicated', async () => {
    const { table } = tableOf(undefined, held);
    await expect(table.held(origin, stretch)).rejects.toThrow(
      'otel_traces is not a replicated table although a cluster is configured: make it one, or remove cluster',
    );
  });
});
