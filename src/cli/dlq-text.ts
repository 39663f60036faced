import { protobufToJson } from '../otlp/protobuf-to-json.ts';
import type { Letter, ListedLetter } from '../store/dead-letter-log.ts';
import type { Replayed } from '../store/replay.ts';

/** What a letter is called and why it is dead, as JSON says it. */
function facts(letter: Letter): Readonly<Record<string, string | number>> {
  return {
    key: letter.key,
    offset: letter.offset,
    when: new Date(letter.timeMs).toISOString(),
    attempt: letter.attempt,
    origin: letter.part,
    reason: letter.reason,
  };
}

const titles = ['key', 'offset', 'when', 'attempt', 'spans', 'reason'] as const;

/** One line a letter under a head, or one JSON object a line. */
export function listText(letters: readonly ListedLetter[], isJson: boolean): string {
  const rows = letters.map((letter) => ({ ...facts(letter), spans: letter.deadSpans }));
  if (isJson) return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  if (rows.length === 0) return 'no dead letters\n';
  const cells = [
    [...titles],
    ...rows.map((row: Readonly<Record<string, string | number>>) =>
      titles.map((title) => String(row[title])),
    ),
  ];
  const widths = titles.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const lines = cells.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   '));
  const spans = rows.reduce((sum, row) => sum + row.spans, 0);
  const total = `${counted(rows.length, 'dead letter')}, ${counted(spans, 'span')}`;
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n${total}\n`;
}

/** A letter, all headers of its record, and what that holds as OTLP/JSON, or in base64 when nobody can read it. */
export function letterText(
  letter: Letter,
  record: { readonly headers: Readonly<Record<string, string>>; readonly payload: Uint8Array },
  isJson: boolean,
): string {
  const content = contentOf(record.payload);
  if (isJson) return `${JSON.stringify({ ...facts(letter), headers: record.headers, ...content })}\n`;
  const { headers } = record;
  const lines = Object.entries({ offset: letter.offset, ...headers });
  const width = Math.max(...lines.map(([name]) => name.length));
  const body = content.request === undefined ? content.base64 : JSON.stringify(content.request, undefined, 2);
  return `${lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')}\n\n${body}\n`;
}

function contentOf(payload: Uint8Array): { readonly request?: object; readonly base64?: string } {
  try {
    return { request: protobufToJson(payload) };
  } catch {
    return { base64: Buffer.from(payload).toString('base64') }; // that is why it is dead
  }
}

/** How many letters came to what end. */
export function replayText(replayed: Replayed, isJson: boolean): string {
  const { stored, alreadyStored, leftToStore, stillDead } = replayed;
  if (isJson) {
    const counts = { stored, alreadyStored, stillDead: Object.fromEntries(stillDead), leftToStore };
    return `${JSON.stringify(counts)}\n`;
  }
  const dead = [...stillDead.values()].reduce((sum, count) => sum + count, 0);
  const lines: readonly (readonly [number, string])[] = [
    [stored, 'stored'],
    [alreadyStored, 'had their rows already'],
    [dead, 'still dead'],
    ...[...stillDead].map(([reason, count]) => [count, `  ${reason}`] as const),
    ...(leftToStore > 0
      ? [[leftToStore, 'left to the store, which has not gone past them yet: replay again later'] as const]
      : []),
  ];
  const width = Math.max(...lines.map(([count]) => String(count).length));
  return lines.map(([count, what]) => `${String(count).padStart(width)}  ${what}\n`).join('');
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
