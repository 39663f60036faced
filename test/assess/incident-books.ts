import { IncidentBook, type BookListener } from '../../src/incidents/incident-book.ts';

const minuteMs = 60_000;

/** An empty book with room enough, which tells nobody but `told`. */
export function incidentBook(told: Partial<BookListener> = {}): IncidentBook {
  return new IncidentBook(
    {
      conditions: { wellForMs: 5 * minuteMs, silentMs: 60 * minuteMs, gapMs: minuteMs, limit: 100 },
      openLimit: 100,
      resolvedLimit: 100,
      rememberMs: 60 * minuteMs,
      quietMs: 30 * minuteMs,
    },
    { opened: () => {}, changed: () => {}, unopened: () => {}, ...told },
  );
}
