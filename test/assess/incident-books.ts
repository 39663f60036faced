import { IncidentBook, type BookListener } from '../../src/incidents/incident-book.ts';
import { settings } from '../incidents/books.ts';

/** An empty book that tells nobody but `told`. */
export function incidentBook(told: Partial<BookListener> = {}): IncidentBook {
  return new IncidentBook(settings, { opened: () => {}, changed: () => {}, unopened: () => {}, ...told });
}
