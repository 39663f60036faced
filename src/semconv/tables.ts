import type { Convention, NamedStep, Place, Signal } from './convention.ts';
import { fieldCount, fields } from './fields.ts';
import { otelCore } from './otel-core.ts';
import { otelGenAi } from './otel-gen-ai.ts';
import { otelService } from './otel-service.ts';
import { contentHashPrefix, contentSizePrefix, ownKeys, ownPrefix, statusMessage } from './plimsoll.ts';

/** Every convention we read, best first; our own keys come before all of them. A new one is a file and a line here. */
export const conventions: readonly Convention[] = [otelCore, otelGenAi, otelService];

/** A signal with the id of the field that its key has in the key table; ids follow those of the canonical fields. */
interface SignalField extends Signal {
  readonly field: number;
}

/** The signals of all conventions in the order in which they are asked. */
export const signals: readonly SignalField[] = conventions
  .flatMap((convention) => convention.signals)
  .map((signal, index) => ({ ...signal, field: fieldCount + index }));

/** The span names that mean something, in the order in which they are tried. */
export const namedSteps: readonly NamedStep[] = conventions.flatMap((convention) => convention.namedSteps);

/** Content keys and patterns of all conventions. */
const content = conventions.flatMap((convention) => convention.content);

/** The name that a content key or pattern has behind `contentSizePrefix`: patterns are added up under their prefix. */
function nameOfContent(pattern: string): string {
  return pattern.replace(/\.[*#]$/, '');
}

/** The names of everything that can be content, each once. */
export const contentNames: readonly string[] = [...new Set([statusMessage, ...content.map(nameOfContent)])];

/** The name under which the content of attribute `key` is counted; undefined when `key` holds no content. */
export function contentNameOf(key: string): string | undefined {
  if (exactContent.has(key)) return key;
  for (const { prefix, isNumbered, name } of patterns) {
    if (key.startsWith(prefix) && (!isNumbered || isDigit(key.charCodeAt(prefix.length)))) return name;
  }
  return undefined;
}

const exactContent: ReadonlySet<string> = new Set(content.filter((key) => !/[*#]$/.test(key)));
const patterns = content
  .filter((key) => /[*#]$/.test(key))
  .map((key) => ({ prefix: key.slice(0, -1), isNumbered: key.endsWith('#'), name: nameOfContent(key) }));

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/**
 * What `compileKeys` makes the one key table of, with which everybody reads: the canonical fields, then one field for
 * each signal.
 */
export const keyTableSpec = {
  fieldCount: fieldCount + signals.length,
  sources: [
    ...ownKeys.flatMap(({ key, field, places }) =>
      places.map((place) => ({ key, field: fields[field], place })),
    ),
    ...conventions
      .flatMap((convention) => convention.sources)
      .flatMap(({ key, field, places = ['span'] satisfies Place[] }) =>
        places.map((place) => ({ key, field: fields[field], place })),
      ),
    ...signals.map(({ key, field }) => ({ key, field, place: 'span' as const })),
  ],
  content: content.flatMap((pattern) =>
    pattern.endsWith('#')
      ? Array.from({ length: 10 }, (_, digit) => `${pattern.slice(0, -1)}${digit}*`)
      : [pattern],
  ),
  ownPrefix,
  ownKeys: [
    ...ownKeys.map(({ key }) => key),
    ...contentNames.flatMap((name) => [contentSizePrefix + name, contentHashPrefix + name]),
  ],
};
