import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldCount, fields } from '../../src/semconv/fields.ts';
import { ownKeys, ownPrefix } from '../../src/semconv/plimsoll.ts';
import {
  contentNameOf,
  contentNames,
  conventions,
  keyTableSpec,
  signals,
  unusualSignal,
} from '../../src/semconv/tables.ts';
import { runs } from '../property-runs.ts';

/** The key table's own reading of its content patterns. */
function isContentOfTable(key: string): boolean {
  const isSource = keyTableSpec.sources.some((source) => source.key === key);
  return keyTableSpec.content.some((pattern) =>
    pattern.endsWith('*') ? !isSource && key.startsWith(pattern.slice(0, -1)) : key === pattern,
  );
}

describe('the canonical fields', () => {
  test('have dense ids, each once', () => {
    expect(Object.values(fields).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: fieldCount }, (_, id) => id),
    );
  });

  test('each have a source', () => {
    const said = new Set(keyTableSpec.sources.map(({ field }) => field));
    for (const [name, id] of Object.entries(fields)) expect(said.has(id), name).toBe(true);
  });

  test('ask our own keys before anybody else', () => {
    for (const id of Object.values(fields)) {
      const isOurs = keyTableSpec.sources
        .filter(({ field }) => field === id)
        .map(({ key }) => key.startsWith(ownPrefix));
      expect(isOurs).toEqual(isOurs.toSorted((a, b) => Number(b) - Number(a)));
    }
  });
});

describe('the conventions', () => {
  test('leave our prefix to us', () => {
    for (const { sources, content } of conventions) {
      for (const key of [...sources.map((source) => source.key), ...content])
        expect(key.startsWith(ownPrefix)).toBe(false);
    }
  });

  test('give every signal a field of its own behind the canonical ones', () => {
    const ids = signals.map(({ field }) => field);
    expect(ids).toEqual(ids.map((_, index) => fieldCount + index));
    expect(unusualSignal).toBe(fieldCount + ids.length);
    expect(keyTableSpec.fieldCount).toBe(unusualSignal + 1);
    expect(new Set(signals.map(({ key }) => key)).size).toBe(signals.length);
  });

  test('never take a key that says something for content', () => {
    const ofEnrichmentAlone: readonly number[] = [fields.userId, fields.errorCategory, fields.toolArguments];
    for (const { key, field } of keyTableSpec.sources) {
      if (!ofEnrichmentAlone.includes(field)) expect(contentNameOf(key), key).toBeUndefined();
    }
  });

  test('read the session from no key that names something else', () => {
    const session = keyTableSpec.sources
      .filter(({ field }) => field === fields.sessionId)
      .map(({ key }) => key);
    expect(session).not.toContain('mcp.session.id');
  });
});

describe('content', () => {
  test.each([
    ['gen_ai.input.messages', 'gen_ai.input.messages'],
    ['gen_ai.prompt', 'gen_ai.prompt'],
    ['gen_ai.prompt.0.content', 'gen_ai.prompt'],
    ['gen_ai.prompt.17.tool_calls.0.arguments', 'gen_ai.prompt'],
    ['gen_ai.prompt.variable.name', 'gen_ai.prompt.variable'],
    ['exception.stacktrace', 'exception.stacktrace'],
    ['db.query.text', 'db.query.text'],
    ['http.request.header.authorization', 'http.request.header'],
    ['url.full', 'url.full'],
    ['gen_ai.prompt.name', undefined],
    ['gen_ai.prompt.version', undefined],
    ['exception.type', undefined],
    ['http.route', undefined],
    ['gen_ai.tool.name', undefined],
  ])('of %s is counted under %s', (key, name) => {
    expect(contentNameOf(key)).toBe(name);
  });

  test('is the same to the key table, whatever the key', () => {
    const beginning = fc.constantFrom(
      ...keyTableSpec.content.map((pattern) => pattern.replace(/\*$/, '')),
      'gen_ai.prompt.',
    );
    const key = fc
      .tuple(beginning, fc.oneof(fc.constant(''), fc.string({ maxLength: 5 })))
      .map(([start, rest]) => start + rest);
    fc.assert(
      fc.property(key, (text) => {
        expect(contentNameOf(text) !== undefined).toBe(isContentOfTable(text));
      }),
      { numRuns: runs },
    );
  });

  test('has a size and a hash that enrichment may write', () => {
    for (const name of contentNames) {
      expect(keyTableSpec.ownKeys).toContain(`plimsoll.content_size.${name}`);
      expect(keyTableSpec.ownKeys).toContain(`plimsoll.content_hash.${name}`);
    }
  });
});

test('every key of ours is listed once', () => {
  expect(new Set(ownKeys.map(({ key }) => key)).size).toBe(ownKeys.length);
  for (const { key } of ownKeys) expect(keyTableSpec.ownKeys).toContain(key);
});
