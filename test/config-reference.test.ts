import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { components, configSchema } from '../src/config-schema.ts';
import { policySchema } from '../src/policy/policy-schema.ts';
import { keysOf, tableOf, type JsonSchema, type ReferenceKey } from './schema-reference.ts';

const made = (by: string): string =>
  `Made by \`npx vitest run -u --config .config/vitest.config.ts test/config-reference.test.ts\` from ${by}.`;

const intro = `# Configuration

${made('the schema of\nconfigurations (`src/config-schema.ts`)')}

The grammar is the OpenTelemetry Collector's: components in \`receivers\`, \`processors\`, \`connectors\`, \`exporters\` and
\`extensions\`, by \`type\` or \`type/name\`, and \`service\`, which says what of them runs. \`\${env:NAME:-default}\` is what the
environment variable NAME says, or the default, also where NAME is not set; \`$$\` is a dollar. Of several \`--config\` later
ones overrule earlier ones, key by key, and null removes a key. \`plimsoll validate\` says what is wrong, by the path and
with the fix, and \`plimsoll print-config\` shows what is in use, defaults included.

A **duration** has a unit: \`500ms\`, \`20s\`, \`5m\`, \`1h\`, \`7d\`. So has a **size**: \`512B\`, \`64KiB\`, \`64MiB\`, \`10GiB\`, \`1TiB\`. A
**secret** is shown nowhere; have it come from the environment. A **path** is seen from where the process runs. \`a::b\` is
the key \`b\` in the mapping \`a\`, and NAME a name that you choose. Environment variables are those that the files beside
this one read; files of your own may read others.`;

const policyIntro = `# Policies

${made('the schema of\npolicies (`src/policy/policy-schema.ts`)')}

\`plimsoll policy check\` says what is wrong with a policy, \`policy.schema.json\` tells an editor, and \`refund-agent.yaml\` is
an example. There are no defaults: what a policy says is all there is. A duration is one number and one unit, as Prometheus
writes it: \`30s\`, \`5m\`, \`1h\`, \`30d\`, \`13w\`. \`a::b\` is the key \`b\` in the mapping \`a\`.`;

function jsonSchema(schema: z.ZodType): JsonSchema {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- zod makes it, and this is what a reference shows of it
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
}

const sections = Object.entries(components).flatMap(([section, types]) =>
  Object.entries(types).map(([type, schema]) => ({ id: `${section}::${type}`, schema: jsonSchema(schema) })),
);

/** The values of a YAML document by their paths. */
function* leaves(value: unknown, path = ''): Generator<readonly [string, unknown]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) yield [path, value];
  else
    for (const [key, item] of Object.entries(value))
      yield* leaves(item, path === '' ? key : `${path}::${key}`);
}

const folder = new URL('../config/', import.meta.url);
const shipped = readdirSync(folder)
  .filter((file) => file.endsWith('.yaml'))
  .flatMap((file) =>
    [...leaves(parse(readFileSync(new URL(file, folder), 'utf8')))].map(([path, value]) => ({
      file,
      path,
      value,
    })),
  );

/** Which environment variables say the key at `path`, and in which of the files. */
function variablesOf(path: string): string {
  const names = shipped
    .filter((leaf) => leaf.path === path)
    .flatMap(({ value }) => [...String(value).matchAll(/\$\{env:(\w+)/g)].map(([, name = '']) => name));
  return [...new Set(names)].map((name) => `Environment: \`${name}\`.`).join(' ');
}

const remarkIn =
  (id: string) =>
  ({ path }: ReferenceKey): string =>
    variablesOf(id === '' ? path : `${id}::${path}`);

test('every key of a configuration and of a policy is described', () => {
  const known = [
    ...sections,
    { id: 'a configuration', schema: { ...jsonSchema(configSchema), description: 'all' } },
    { id: 'a policy', schema: jsonSchema(policySchema) },
  ].flatMap(({ id, schema }) => [
    { path: id, schema },
    ...[...keysOf(schema)].map((key) => ({ path: `${id}::${key.path}`, schema: key.schema })),
  ]);
  expect(known.length).toBeGreaterThan(300);
  const undescribed = known.filter(({ schema }) => (schema.description ?? '') === '');
  expect(undescribed.map(({ path }) => path)).toEqual([]);
});

test('config/reference.md says what can be configured (else: run this with -u)', async () => {
  const top = [...keysOf(jsonSchema(configSchema))];
  const text = [
    intro,
    '## At the top',
    tableOf(top, remarkIn('')),
    ...sections.flatMap(({ id, schema }) => [
      `## \`${id}\``,
      schema.description ?? '',
      tableOf([...keysOf(schema)], remarkIn(id)),
    ]),
  ].join('\n\n');
  await expect(`${text}\n`).toMatchFileSnapshot('../config/reference.md');
});

test('config/policies/reference.md says what a policy can say (else: run this with -u)', async () => {
  const text = [policyIntro, tableOf([...keysOf(jsonSchema(policySchema))])].join('\n\n');
  await expect(`${text}\n`).toMatchFileSnapshot('../config/policies/reference.md');
});

test('the files beside the reference say the defaults where they say that they do', () => {
  const keys = new Map<string, JsonSchema>(
    sections.flatMap(({ id, schema }) =>
      [...keysOf(schema)].map((key) => [`${id}::${key.path}`, key.schema] as const),
    ),
  );
  const said = shipped.filter(
    ({ file, path }) => file === 'plimsoll.yaml' && keys.get(path)?.default !== undefined,
  );
  expect(said.length).toBeGreaterThan(30);
  for (const { path, value } of said) {
    const text = String(value).replace(/^\$\{env:\w+:-(.*)\}$/, '$1');
    expect({ path, value: text }).toEqual({ path, value: String(keys.get(path)?.default) });
  }
});
