import { compileKeys } from '../otlp/key-table.ts';
import { keyTableSpec } from '../semconv/tables.ts';

/** The one key table: whoever reads a record, to enrich, to store or to assess, reads it with these keys. */
export const canonicalKeys = compileKeys(keyTableSpec);
