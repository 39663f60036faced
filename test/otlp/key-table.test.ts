import { expect, test } from 'vitest';
import { compileKeys, keyFlag, type KeyTableSpec } from '../../src/otlp/key-table.ts';

const spec: KeyTableSpec = {
  fieldCount: 2,
  sources: [
    { key: 'plimsoll.agent', field: 0, place: 'span' },
    { key: 'service.name', field: 0, place: 'resource' },
    { key: 'service.name', field: 1, place: 'resource' },
  ],
  content: ['input.value', 'llm.input.*', 'q.*'],
  ownPrefix: 'plimsoll.',
  ownKeys: ['plimsoll.agent'],
};

function flagsOf(key: string): number {
  const table = compileKeys(spec);
  const bytes = Buffer.from(`xx${key}yy`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = Buffer.byteLength(key);
  const entry = table.find(bytes, view, 2, length);
  return entry === -1 ? table.prefixFlags(bytes, view, 2, length) : table.flags[entry]!;
}

test('a key that differs in one byte, or goes on, is another key', () => {
  const keys = Array.from({ length: 300 }, (_, k) => `gen_ai.usage.field_${k}.tokens`);
  const table = compileKeys({
    ...spec,
    sources: keys.map((key) => ({ key, field: 0, place: 'span' as const })).slice(0, 63),
  });
  const find = (key: string): number => {
    const bytes = Buffer.from(key);
    return table.find(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
  };
  const found = keys.slice(0, 63).map(find);
  expect(new Set(found).size).toBe(63);
  expect(found).not.toContain(-1);
  for (const key of keys.slice(63)) expect(find(key)).toBe(-1);
  for (const key of keys.slice(0, 63)) {
    expect(find(`${key}s`)).toBe(-1);
    expect(find(key.slice(1))).toBe(-1);
    for (let k = 0; k < key.length; k++) expect(find(`${key.slice(0, k)}~${key.slice(k + 1)}`)).toBe(-1);
  }
});

test('a key too short for a word is found among its likes, and by all of its bytes', () => {
  const keys = ['a', 'ab', 'model', 'moder', 'modem', 'error', 'tool.id', 'ü', 'attempt'];
  const table = compileKeys({
    ...spec,
    sources: keys.map((key) => ({ key, field: 0, place: 'span' as const })),
  });
  const find = (key: string): number => {
    const bytes = Buffer.from(`x${key}y`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return table.find(bytes, view, 1, Buffer.byteLength(key));
  };
  expect(keys.map(find)).toEqual(keys.map((_, entry) => entry));
  for (const other of ['', 'b', 'aa', 'mode', 'models', 'nodel', 'modez', 'mxdel', 'tool.ix'])
    expect(find(other)).toBe(-1);
});

test('a prefix spares the keys that are sources', () => {
  const table = compileKeys({
    ...spec,
    sources: [{ key: 'llm.input.model', field: 0, place: 'span' }],
  });
  const bytes = Buffer.from('llm.input.model');
  const entry = table.find(
    bytes,
    new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    0,
    bytes.length,
  );
  expect(table.flags[entry]).toBe(0);
});

test('content is exact keys and prefixes; what begins with our prefix is foreign unless it is an own key', () => {
  expect(flagsOf('input.value')).toBe(keyFlag.content);
  expect(flagsOf('input.values')).toBe(0);
  expect(flagsOf('llm.input.0')).toBe(keyFlag.content);
  expect(flagsOf('llm.input.')).toBe(keyFlag.content);
  expect(flagsOf('llm.input')).toBe(0);
  expect(flagsOf('q.')).toBe(keyFlag.content);
  expect(flagsOf('q.x')).toBe(keyFlag.content);
  expect(flagsOf('q')).toBe(0);
  expect(flagsOf('plimsoll.agent')).toBe(keyFlag.own);
  expect(flagsOf('plimsoll.agents')).toBe(keyFlag.foreign);
  expect(flagsOf('plimsoll.')).toBe(keyFlag.foreign);
  expect(flagsOf('')).toBe(0);
});

test('a key can be a source of several fields', () => {
  const table = compileKeys(spec);
  const bytes = Buffer.from('service.name');
  const entry = table.find(
    bytes,
    new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    0,
    bytes.length,
  );
  const targets = table.targetField.slice(table.resourceFrom[entry], table.resourceFrom[entry + 1]);
  expect(targets).toEqual(Uint32Array.of(0, 1));
  expect(table.targetPriority.slice(table.resourceFrom[entry], table.resourceFrom[entry + 1])).toEqual(
    Uint32Array.of(1 << 26, 0),
  );
});

test.for<[string, Partial<KeyTableSpec>, string]>([
  [
    'a source twice',
    { sources: [...spec.sources, spec.sources[0]!] },
    'plimsoll.agent is twice a source of field 0: remove one',
  ],
  ['a field that does not exist', { fieldCount: 1 }, 'service.name is a source of field 1: use 0 to 0'],
  [
    'too many sources',
    { sources: Array.from({ length: 64 }, (_, k) => ({ key: `k${k}`, field: 0, place: 'span' as const })) },
    'k63 is one source too many of field 0: 63 fit',
  ],
  [
    'an empty key',
    { sources: [{ key: '', field: 0, place: 'span' }] },
    'a source of field 0 has an empty key',
  ],
  ['content that is everything', { content: ['*'] }, 'content key "*" would match everything'],
  ['an own key elsewhere', { ownKeys: ['agent'] }, 'own key agent does not begin with plimsoll.'],
  ['no own prefix', { ownPrefix: '' }, 'the own prefix is empty: everything would be ours'],
])('a table with %s is refused', ([, part, sentence]) => {
  expect(() => compileKeys({ ...spec, ...part })).toThrow(sentence);
});
