import type { rollbackColumns } from '../core/rollback-columns.ts';
import { instantText, nameText as text, type TableRow } from '../core/table-row.ts';
import { canonicalJson } from './canonical-json.ts';
import type { RollbackBook } from './rollback-book.ts';
import type { EventBody, JournalEvent } from './rollback-event.ts';

/** What a column holds; undefined is what it holds when nobody says: 0 or ''. */
type RollbackRow = {
  readonly [C in (typeof rollbackColumns)[number] as C['name']]: string | number | undefined;
};

/** So much evidence goes into a row; the journal has all of it. */
const limitEvidence = 64 * 1024;

/** The row of `event`. State and names are those of its attempt as `book`, which has the event, knows it. */
export function rollbackRow(event: JournalEvent, book: Pick<RollbackBook, 'attempt'>): TableRow {
  const { seq, hash, prev, timeMs, body } = event;
  const attempt = 'id' in body ? book.attempt(body.id) : undefined;
  const plan = attempt?.plan;
  const row: RollbackRow = {
    Timestamp: instantText(timeMs),
    Seq: seq,
    Hash: hash,
    PrevHash: prev,
    RollbackId: attempt?.id,
    Event: body.event,
    State: stateAfter(body),
    Target: text(plan?.target ?? ('scope' in body ? body.scope : '')),
    Policy: text(plan?.policy ?? ('drill' in body ? body.drill.policy : '')),
    PolicyRevision: text(plan?.revision ?? ''),
    AgentName: text(attempt?.agent ?? ''),
    Environment: text(attempt?.environment ?? ('drill' in body ? body.drill.environment : '')),
    FromRelease: text(attempt?.from ?? ''),
    ToRelease: text('to' in body ? body.to : (attempt?.to ?? '')),
    Mode: plan?.mode,
    Cause: attempt?.cause,
    Actor: text('by' in body ? body.by : 'plimsoll'),
    Reason: text('reason' in body ? body.reason : 'note' in body ? body.note : ''),
    Evidence: evidenceOf(body),
    Version: seq,
  };
  return { table: 'rollbacks', key: hash, version: seq, row: JSON.stringify(row) };
}

/** The state that an event brings its attempt into; undefined where it brings it into none. */
function stateAfter({ event }: EventBody): string | undefined {
  const states: Partial<Record<EventBody['event'], string>> = {
    approval_asked: 'awaiting_approval',
    acted: 'verifying',
  };
  const sayNothing = [
    'repeated',
    'approval_given',
    'reviewed',
    'paged',
    'breaker_',
    'stopped',
    'resumed',
    'drilled',
  ];
  return states[event] ?? (sayNothing.some((start) => event.startsWith(start)) ? undefined : event);
}

function evidenceOf(body: EventBody): string | undefined {
  const said = saidBy(body);
  if (said === undefined) return undefined;
  const json = canonicalJson(said).toWellFormed();
  return json.length > limitEvidence ? '{"left_out":"too long"}' : json;
}

function saidBy(body: EventBody): Readonly<Record<string, unknown>> | undefined {
  if (body.event === 'reviewed') return { review: body.review };
  if ('evidence' in body) return body.evidence;
  return 'drill' in body ? body.drill : undefined;
}
