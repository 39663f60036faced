import { markdownTable } from './markdown-table.ts';

/** What `z.toJSONSchema` makes of a schema, as far as a reference shows it. */
export interface JsonSchema {
  readonly title?: string | undefined;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly type?: string | readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly propertyNames?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
}

/** A key of what users write. */
export interface ReferenceKey {
  /** Such as protocols::grpc::endpoint; NAME stands for one that users choose. */
  readonly path: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
  /** Of which kind the mapping is that has it, where there are several: the value that says so. */
  readonly kind: string | undefined;
}

type Place = Pick<ReferenceKey, 'path' | 'kind'>;

/** The keys of the mapping that `schema` is, and of all below it, in order. */
export function* keysOf(
  schema: JsonSchema,
  at: Place = { path: '', kind: undefined },
): Generator<ReferenceKey> {
  const below = (key: string): string => (at.path === '' ? key : `${at.path}::${key}`);
  for (const variant of schema.oneOf ?? []) {
    const [first = {}] = Object.values(variant.properties ?? {});
    yield* keysOf(variant, { ...at, kind: typeOf({ ...first, title: undefined }) });
  }
  for (const [key, value] of Object.entries(schema.properties ?? {})) {
    const isRequired = schema.required?.includes(key) ?? false;
    yield { path: below(key), schema: value, isRequired, kind: at.kind };
    yield* keysOf(value, { path: below(key), kind: at.kind });
  }
  if (schema.items) yield* keysOf(schema.items, at);
  if (typeof schema.additionalProperties === 'object' && schema.propertyNames?.enum === undefined)
    yield* keysOf(schema.additionalProperties, { ...at, path: below('NAME') });
}

/** What a value of `schema` is, in words. */
function typeOf(schema: JsonSchema): string {
  const { title, type, items, oneOf, additionalProperties, minimum, maximum, exclusiveMinimum } = schema;
  if (title !== undefined) return title;
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(', ');
  if (type === 'array') return `list of ${items?.properties ? 'mappings' : typeOf(items ?? {})}`;
  if (type === 'boolean') return 'true or false';
  if (type === 'object' && typeof additionalProperties === 'object') {
    const { properties, oneOf: kinds, items: some } = additionalProperties;
    return properties || kinds || some
      ? 'mapping by name'
      : `mapping of names to ${typeOf(additionalProperties)}`;
  }
  if (type === 'object' || oneOf) return 'mapping';
  if (type === 'number' || type === 'integer') {
    const word = type === 'number' ? 'number' : 'whole number';
    if (exclusiveMinimum !== undefined) return `${word} above ${exclusiveMinimum}`;
    return minimum === undefined || maximum === undefined ? word : `${word}, ${minimum} to ${maximum}`;
  }
  return 'text';
}

/** `keys` as a table of Markdown; `remark` is what else there is to say of one. */
export function tableOf(
  keys: readonly ReferenceKey[],
  remark: (key: ReferenceKey) => string = () => '',
): string {
  const rows = keys.map((key) => {
    const { path, schema, isRequired, kind } = key;
    const words = [kind === undefined ? '' : `${kind}:`, schema.description ?? '', remark(key)];
    const preset = isRequired ? 'required' : presetOf(schema);
    return [code(path), typeOf(schema), preset, words.filter((word) => word !== '').join(' ')];
  });
  return markdownTable(['key', 'type', 'default', 'what it does'], rows);
}

/** What a key is without being said; '' where it is nothing, or the defaults of the keys below it. */
function presetOf({ default: preset }: JsonSchema): string {
  const isPlain = typeof preset !== 'object' || (Array.isArray(preset) && preset.length > 0);
  return preset !== undefined && isPlain ? code(preset) : '';
}

function code(value: unknown): string {
  const text = Array.isArray(value) ? value.join(', ') : String(value);
  return `\`${text}\``;
}
