import { hash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import { placedEvent, type EventBody, type JournalEvent, type PlacedEvent } from './rollback-event.ts';

/** The last event of a chain. */
export interface ChainHead {
  /** 0 for a chain without events. */
  readonly seq: number;
  readonly hash: string;
}

/** The head of a chain without events. */
export const genesis: ChainHead = { seq: 0, hash: '0'.repeat(64) };

/** `body` as the event that follows `head`. Its place says what was before it, and its time what the clock of its writer said. */
export function eventAfter(head: ChainHead, body: EventBody, nowMs: number): JournalEvent {
  const unsealed = { seq: head.seq + 1, timeMs: nowMs, prev: head.hash, body };
  return { ...unsealed, hash: hashOf(unsealed) };
}

/** The hash that an event must have: SHA-256 of the rest of it as canonical JSON, in lower-case hex. */
export function hashOf({ seq, timeMs, prev, body }: Omit<PlacedEvent, 'hash'>): string {
  return hash('sha256', canonicalJson({ seq, timeMs, prev, body }), 'hex');
}

/** The line of a journal's file that says `event`, without its end. */
export function eventLine(event: PlacedEvent): string {
  return canonicalJson(event);
}

/** What the lines of a journal's file are: a chain of events, or what is wrong, as a sentence that begins with its line. */
export type VerifiedLines =
  | { readonly events: readonly PlacedEvent[]; readonly head: ChainHead }
  | { readonly fault: string };

/** Whether `lines` are a whole chain from its first event on. What is missing at its end only another's head can tell. */
export function verifiedLines(lines: readonly string[]): VerifiedLines {
  const events: PlacedEvent[] = [];
  let head = genesis;
  for (const [index, line] of lines.entries()) {
    const event = placedEvent(line);
    const fault = event ? linkFault(head, event) : 'is no event: it was edited, or the file is no journal';
    if (!event || fault !== undefined) return { fault: `line ${index + 1} ${fault}` };
    events.push(event);
    head = event;
  }
  return { events, head };
}

/** What is wrong with `event` after `head`; undefined when it follows. */
function linkFault(head: ChainHead, event: PlacedEvent): string | undefined {
  if (event.hash !== hashOf(event)) return `(event ${event.seq}) is not what its hash says: it was edited`;
  if (event.seq !== head.seq + 1 || event.prev !== head.hash)
    return `(event ${event.seq}) does not follow event ${head.seq}: events were removed, added or put in another order`;
  return undefined;
}
