import { IncidentBook, type BookListener } from '../../src/incidents/incident-book.ts';
import { settings } from '../incidents/books.ts';

/** An empty book that tells nobody but `told`. */
export function incidentBook(told: Partial<BookListener> = {}): IncidentBook {
  const nobody: BookListener = {
    opened: () => {},
    reported: () => {},
    changed: () => {},
    unopened: () => {},
  };
  return new IncidentBook(settings, { ...nobody, ...told });
}
