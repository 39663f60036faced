import { aiSdk } from './ai-sdk.ts';
import { claudeCode } from './claude-code.ts';
import { codex } from './codex.ts';
import type { Convention, LogEvent, Meaning, NamedStep, Place } from './convention.ts';
import { crewAi } from './crewai.ts';
import { fieldCount, fields } from './fields.ts';
import { geminiCli } from './gemini-cli.ts';
import { googleAdk } from './google-adk.ts';
import { laminar } from './laminar.ts';
import { langfuse } from './langfuse.ts';
import { langSmith } from './langsmith.ts';
import { microsoft } from './microsoft.ts';
import { openInference } from './openinference.ts';
import { openLit } from './openlit.ts';
import { openLlmetry } from './openllmetry.ts';
import { otelCore } from './otel-core.ts';
import { otelGenAi } from './otel-gen-ai.ts';
import { otelService } from './otel-service.ts';
import {
  contentHashPrefix,
  contentSizePrefix,
  ownKeys,
  ownPrefix,
  policyRevisionKey,
  scorePrefix,
  statusMessage,
} from './plimsoll.ts';
import { pydanticAi } from './pydantic-ai.ts';
import { strands } from './strands.ts';

/** Every convention we read, best first; our own keys come before all of them. A new one is a file and a line here. */
export const conventions: readonly Convention[] = [
  langfuse,
  openLit,
  otelCore,
  otelGenAi,
  openInference,
  openLlmetry,
  aiSdk,
  pydanticAi,
  langSmith,
  googleAdk,
  microsoft,
  strands,
  crewAi,
  claudeCode,
  geminiCli,
  codex,
  laminar,
  otelService,
];

/** What the values of a signal key say on spans whose name begins with `within`. */
interface Reading {
  readonly within: string;
  readonly meanings: Readonly<Record<string, Meaning>>;
}

/** All that conventions say of one signal key, with its field in the key table; those follow the canonical fields. */
export interface SignalKey {
  readonly key: string;
  readonly field: number;
  readonly readings: readonly Reading[];
}

/** The signals of all conventions in the order in which they are asked, each key once. */
export const signals: readonly SignalKey[] = [
  ...Map.groupBy(
    conventions.flatMap((convention) => convention.signals),
    ({ key }) => key,
  ),
].map(([key, listed], index) => ({
  key,
  field: fieldCount + index,
  readings: [...Map.groupBy(listed, ({ within = '' }) => within)].map(([within, alike]) => ({
    within,
    // Of two conventions that know a value the better one is listed first, and the last entry stays.
    meanings: Object.fromEntries(alike.toReversed().flatMap(({ meanings }) => Object.entries(meanings))),
  })),
}));

/** The signal that most spans have; of the others most have none. */
export const usualSignal = 'gen_ai.operation.name';

/** A field that says whether a span has any signal but the usual one. */
export const unusualSignal = fieldCount + signals.length;

/** The span names that mean something, in the order in which they are tried. */
export const namedSteps: readonly NamedStep[] = conventions.flatMap((convention) => convention.namedSteps);

/** The keys that say what evaluators found. */
export const evaluationKeys = conventions.flatMap(({ evaluations = [] }) => evaluations);

/** The events whose log records are kept, by name. */
export const logEvents: ReadonlyMap<string, LogEvent> = new Map(
  conventions.flatMap(({ logEvents: events = [] }) => events.map((event) => [event.name, event] as const)),
);

/** What `event.name` leaves out, by the beginning of a scope's name. */
export const logPrefixes = conventions.flatMap(({ logPrefix }) => logPrefix ?? []);

const sources = conventions.flatMap((convention) => convention.sources);

/** Keys of ids of users: personal whatever the content is. They share one content name. */
const userKeys: ReadonlySet<string> = new Set(
  sources.filter(({ field }) => field === 'userId').map(({ key }) => key),
);

/** The content name of the ids of users. */
export const userContent = 'user.id';

/** Content keys and patterns of all conventions. */
const content: readonly string[] = [
  ...new Set([...conventions.flatMap((convention) => convention.content), ...userKeys]),
];

/** Keys that say something; no pattern of content covers them. */
const sourceKeys: ReadonlySet<string> = new Set([
  ...sources.map(({ key }) => key),
  ...signals.map(({ key }) => key),
]);

/** Whether whoever reads an enriched record needs attribute `key`. */
export function needsKey(key: string): boolean {
  return sourceKeys.has(key) && !exactContent.has(key);
}

/** The name that a content key or pattern has behind `contentSizePrefix`: patterns are added up under their prefix. */
function nameOfContent(pattern: string): string {
  return userKeys.has(pattern) ? userContent : pattern.replace(/\.[*#]$/, '');
}

/** The names of everything that can be content, each once. */
export const contentNames: readonly string[] = [...new Set([statusMessage, ...content.map(nameOfContent)])];

/** The name under which the content of attribute `key` is counted; undefined when `key` holds no content. */
export function contentNameOf(key: string): string | undefined {
  if (exactContent.has(key)) return nameOfContent(key);
  if (sourceKeys.has(key)) return undefined;
  for (const { prefix, isNumbered, name } of patterns) {
    if (key.startsWith(prefix) && (!isNumbered || isDigit(key.charCodeAt(prefix.length)))) return name;
  }
  return undefined;
}

/** Keys that are content each by itself. */
export const contentKeys: readonly string[] = content.filter((key) => !/[*#]$/.test(key));
const exactContent: ReadonlySet<string> = new Set(contentKeys);
const patterns = content
  .filter((key) => /[*#]$/.test(key))
  .map((key) => ({ prefix: key.slice(0, -1), isNumbered: key.endsWith('#'), name: nameOfContent(key) }));

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** What stands for a tool call's arguments, best first: their hash, their size, themselves. */
const argumentKeys = conventions.flatMap((convention) => convention.toolArguments ?? []);
const argumentSources = [contentHashPrefix, contentSizePrefix, ''].flatMap((prefix) =>
  argumentKeys.map((key) => ({ key: prefix + key, field: fields.toolArguments, place: 'span' as const })),
);

/**
 * What `compileKeys` makes the one key table of, with which everybody reads: the canonical fields, then one field for
 * each signal, then `unusualSignal`.
 */
export const keyTableSpec = {
  fieldCount: unusualSignal + 1,
  sources: [
    ...ownKeys.flatMap(({ key, field, places }) =>
      places.map((place) => ({ key, field: fields[field], place })),
    ),
    { key: policyRevisionKey, field: fields.policyRevision, place: 'span' as const },
    ...sources.flatMap(({ key, field, places = ['span'] satisfies Place[] }) =>
      places.map((place) => ({ key, field: fields[field], place })),
    ),
    ...argumentSources,
    ...signals.map(({ key, field }) => ({ key, field, place: 'span' as const })),
    ...signals
      .filter(({ key }) => key !== usualSignal)
      .map(({ key }) => ({ key, field: unusualSignal, place: 'span' as const })),
  ],
  content: content.flatMap((pattern) =>
    pattern.endsWith('#')
      ? Array.from({ length: 10 }, (_, digit) => `${pattern.slice(0, -1)}${digit}*`)
      : [pattern],
  ),
  ownPrefix,
  scorePrefix,
  evaluations: [
    ...new Set(
      evaluationKeys.flatMap(({ name, score, label }) =>
        [name, score, label].map((key) => key.replace(/#.*/, '*')),
      ),
    ),
  ],
  ownKeys: [
    ...ownKeys.map(({ key }) => key),
    ...contentNames.flatMap((name) => [contentSizePrefix + name, contentHashPrefix + name]),
  ],
};
