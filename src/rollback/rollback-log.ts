import type { Log } from '../core/log.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import type { RollbackBook } from './rollback-book.ts';
import type { EventBody } from './rollback-event.ts';

/** What the log says of an event; those that are not here say nothing that people wait for. */
const sentences: Partial<Readonly<Record<EventBody['event'], readonly ['info' | 'warn', string]>>> = {
  requested: ['info', 'a rollback is asked for'],
  approval_asked: ['warn', 'a rollback is awaiting_approval'],
  refused: ['warn', 'a rollback is refused'],
  expired: ['warn', 'a rollback expired'],
  dry_run: ['info', 'a rollback is a dry run: nothing is done'],
  acted: ['warn', 'a target was told to roll back'],
  done: ['info', 'a rollback is done'],
  failed: ['warn', 'a rollback failed'],
  moved: ['warn', 'a rollback is moved: the target runs another release'],
  stopped: ['warn', 'all rollbacks are stopped'],
  resumed: ['info', 'rollbacks are resumed'],
};

/** Says to `log` what this process has just appended to the journal, of which `book` is what is known after it. */
export function logEvent(log: Pick<Log, 'info' | 'warn'>, body: EventBody, book: RollbackBook): void {
  const said = sentences[body.event];
  if (!said) return;
  const [level, sentence] = said;
  const attempt = 'id' in body ? book.attempt(body.id) : undefined;
  const { id, agent, environment, from: release, to } = attempt ?? {};
  const what = attempt && { agent, environment, release, id, ...(to !== '' && { to }) };
  const by = 'by' in body ? { by: body.by } : {};
  const reason = 'reason' in body && body.reason !== '' ? { reason: body.reason } : {};
  log[environment !== undefined && isRehearsal(environment) ? 'info' : level](
    { ...what, ...by, ...reason },
    sentence,
  );
}
