import { z } from 'zod';
import { serverDefaults } from './config-clickhouse.ts';
import { components, configSchema } from './config-schema.ts';
import { expand, isMapping, soleReference, unexpanded, type Mapping } from './config-source.ts';

/** A secret that stands in a file as text. */
interface HiddenSecret {
  /** Where it stands, such as extensions::api::token. */
  readonly path: string;
  /** The environment variable that is written in its place. */
  readonly variable: string;
}

/** A configuration as users write it, with every default and without a secret. */
export interface WrittenConfig {
  readonly config: unknown;
  readonly hidden: readonly HiddenSecret[];
}

/**
 * The valid configuration `source`, whose references to `environment` are not expanded yet, with the defaults of all that
 * it leaves out, in the units of users. Read back in the same environment it means the same, and is written the same. A
 * secret stays the reference that gives it, without a default, and so does a URL, since those of webhooks may be secret; in place of one that stands in a file as text there is a
 * reference to a variable that is named after its path, so that whoever reads it back is asked for it.
 */
export function writtenInFull(source: Mapping, environment: NodeJS.ProcessEnv): WrittenConfig {
  const writer = new Writer(environment);
  const config = writer.written(configSchema, source, []);
  return { config, hidden: writer.hidden };
}

class Writer {
  readonly hidden: HiddenSecret[] = [];
  readonly #environment: NodeJS.ProcessEnv;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
  }

  /** How `source` is written, which stands at `path` and which `schema` reads; undefined where it says nothing. */
  written(schema: z.core.$ZodType, source: unknown, path: readonly string[]): unknown {
    if (schema instanceof z.ZodPrefault)
      return this.written(schema.unwrap(), source === undefined ? schema.def.defaultValue : source, path);
    if (source === undefined) return undefined;
    if (schema instanceof z.ZodOptional) return this.written(schema.unwrap(), source, path);
    if (schema instanceof z.ZodType && schema.meta()?.title === 'secret') return this.#secret(source, path);
    if (schema instanceof z.ZodType && schema.meta()?.title === 'URL')
      return this.#reference(source) ?? escaped(this.#said(source));
    if (schema instanceof z.ZodPipe) return this.#pipe(schema, source, path);
    if (schema instanceof z.ZodDiscriminatedUnion) {
      const said = this.#said(source);
      const option = schema.options.find((each) => z.safeParse(each, said).success);
      return option && this.written(option, source, path);
    }
    return this.#below(schema, source, path) ?? escaped(this.#said(source));
  }

  #said(source: unknown): unknown {
    return expand(source, this.#environment);
  }

  #pipe(schema: z.ZodPipe, source: unknown, path: readonly string[]): unknown {
    const { in: first, out } = schema;
    if (!(first instanceof z.ZodTransform)) {
      const said = this.#said(source);
      const { data } = schema.safeParse(said);
      return String(data) === said && typeof data === 'number' ? data : this.written(first, source, path); // a number that a variable says
    }
    // What is read before anything is looked at, such as nothing of an empty text.
    return z.parse(first, this.#said(source)) === undefined
      ? undefined
      : this.written(out, z.parse(first, source), path);
  }

  /** The mapping or the list that `schema` reads; undefined where it reads neither. */
  #below(schema: z.core.$ZodType, source: unknown, path: readonly string[]): unknown {
    if (schema instanceof z.ZodArray && Array.isArray(source))
      return source.map((item, i) => this.written(schema.element, item, [...path, String(i)]));
    if (!isMapping(source)) return undefined;
    const entries: (readonly [string, unknown])[] = [];
    if (schema instanceof z.ZodObject)
      for (const [key, of] of Object.entries<z.core.$ZodType>(schema.shape))
        entries.push([key, this.written(of, source[key], [...path, key])]);
    else if (schema instanceof z.ZodRecord)
      for (const [key, item] of Object.entries(source))
        entries.push([key, this.#item(schema, item, [...path, key])]);
    else return undefined;
    return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
  }

  /** An item of a mapping by names, which may be a component. */
  #item({ valueType }: z.ZodRecord, source: unknown, path: readonly string[]): unknown {
    const [section = '', id = '', ...deeper] = path;
    const schemas: Readonly<Record<string, z.ZodType>> | undefined = isSection(section)
      ? components[section]
      : undefined;
    const schema = deeper.length === 0 ? schemas?.[id.split('/', 1)[0] ?? ''] : undefined;
    if (!schema) return this.written(valueType, source, path);
    const component = this.written(schema, source ?? {}, path);
    const isOfServer =
      schema === components.exporters.clickhouse && isMapping(component) && 'url' in component;
    return isOfServer ? { ...serverDefaults, ...component } : component;
  }

  /** The reference to a variable of the environment that is all that `source` says; undefined where it says more, or less. */
  #reference(source: unknown): string | undefined {
    const name = soleReference(String(source));
    return name !== undefined && this.#environment[name] !== undefined ? `\${env:${name}}` : undefined;
  }

  #secret(source: unknown, path: readonly string[]): string {
    const reference = this.#reference(source);
    if (reference !== undefined) return reference;
    let variable = `PLIMSOLL_SECRET_${path.join('_').toUpperCase().replaceAll(/\W+/g, '_')}`;
    while (this.hidden.some((other) => other.variable === variable)) variable += '_'; // of a path that differs in signs alone
    this.hidden.push({ path: path.join('::'), variable });
    return `\${env:${variable}}`;
  }
}

function isSection(key: string): key is keyof typeof components {
  return Object.hasOwn(components, key);
}

/** A value without a schema of its own below it, such that a dollar in it is one. */
function escaped(said: unknown): unknown {
  if (typeof said === 'string') return unexpanded(said);
  return Array.isArray(said) ? said.map((item) => escaped(item)) : said;
}
