import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';

/** A mistake in the configuration: one sentence that names the path and the fix. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** A YAML mapping as parsed: nested plain values. */
export type Mapping = Record<string, unknown>;

const reference = /\$\$|\$\{([^}]*)\}/g;
const environmentName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * Reads and merges configuration files, later ones over earlier ones, with the Collector's grammar: mappings merge,
 * lists and scalars are replaced, and `key: null` deletes. References to the environment stay as they are written.
 */
export function readSources(files: readonly string[]): Mapping {
  return files.reduce<Mapping>((merged, file) => merge(merged, readSource(file)), {});
}

/** The variable that `text`, as it stands in a file, refers to and says nothing beside; undefined where there is none. */
export function soleReference(text: string): string | undefined {
  const [, name] = /^\$\{(?:env:)?([a-zA-Z_][a-zA-Z0-9_]*)(?::-[^}]*)?\}$/.exec(text) ?? [];
  return name;
}

/** `text` as it is written in a file: what says it when it is expanded. */
export function unexpanded(text: string): string {
  return text.replaceAll('$', '$$$$');
}

function readSource(file: string): Mapping {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const [fault] = document.errors;
  if (fault) {
    const { line, col } = lines.linePos(fault.pos[0]);
    throw new ConfigError(`${file}:${line}:${col}: not valid YAML: ${fault.message}`);
  }
  const value: unknown = document.toJS();
  if (value === null || value === undefined) return {};
  if (!isMapping(value))
    throw new ConfigError(`${file}: must be a mapping with receivers, exporters and service`);
  return value;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new ConfigError(`cannot read the configuration file ${file} (${code}): check --config`, {
      cause: error,
    });
  }
}

/** Whether a parsed value is a mapping. */
export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function merge(under: Mapping, over: Mapping): Mapping {
  const merged: Mapping = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    if (value === null && key in under) delete merged[key];
    else merged[key] = isMapping(value) && isMapping(below) ? merge(below, value) : value;
  }
  return merged;
}

/**
 * `value`, which stands at `path`, with `${env:NAME:-default}` expanded in every string; a variable that is unset and has
 * no default is an error; `$$` is a dollar sign.
 */
export function expand(
  value: unknown,
  environment: NodeJS.ProcessEnv,
  path: readonly string[] = [],
): unknown {
  if (typeof value === 'string') return expandString(value, environment, path);
  if (Array.isArray(value)) return value.map((item, i) => expand(item, environment, [...path, String(i)]));
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, expand(item, environment, [...path, key])]),
  );
}

function expandString(text: string, environment: NodeJS.ProcessEnv, path: readonly string[]): string {
  return text.replaceAll(reference, (match, inner: string | undefined) => {
    if (inner === undefined) return '$';
    const [name = '', ...fallback] = inner.replace(/^env:/, '').split(':-');
    const at = path.join('::');
    if (!environmentName.test(name)) {
      throw new ConfigError(
        `${at}: ${match} is not a reference: write \${env:NAME} or \${env:NAME:-default}`,
      );
    }
    const value = environment[name] ?? (fallback.length > 0 ? fallback.join(':-') : undefined);
    if (value === undefined) {
      throw new ConfigError(
        `${at}: environment variable ${name} is not set: set it, or write \${env:${name}:-default}`,
      );
    }
    return value;
  });
}
