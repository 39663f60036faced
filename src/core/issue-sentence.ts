import { z } from 'zod';

/** Types as users call them. */
const kinds: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
};

/**
 * An issue of zod, which was asked to report inputs, in our words: what is wrong and how to mend it. What a schema says
 * itself is kept, except of unknown keys.
 */
export function sentenceOf(issue: z.core.$ZodIssue): string {
  const isMissing = issue.input === undefined;
  if (issue.code === 'unrecognized_keys') return unknownKeys(issue);
  if (isOwn(issue)) return issue.message;
  if (issue.code === 'invalid_value')
    return `${isMissing ? 'is missing: write' : 'must be'} ${oneOf(issue.values.map(String))}`;
  if (issue.code === 'invalid_type')
    return isMissing ? 'is missing: set it' : `must be ${kinds[issue.expected] ?? issue.expected}`;
  if (issue.code === 'too_small') {
    if (issue.origin === 'array') return `must list ${String(issue.minimum)} or more`;
    return issue.inclusive === false
      ? `must be more than ${String(issue.minimum)}`
      : `must be ${String(issue.minimum)} or more`;
  }
  if (issue.code === 'too_big' && issue.origin === 'string')
    return `must have ${String(issue.maximum)} characters or less`;
  if (issue.code === 'too_big') return `must be ${String(issue.maximum)} or less`;
  return issue.message;
}

/** Whether the schema says itself what is wrong: it is not what zod says where a schema says nothing. */
function isOwn(issue: z.core.$ZodIssue): boolean {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an issue that reports its input is what its message was made of
  return issue.message !== z.config().localeError?.(issue as z.core.$ZodRawIssue);
}

/** What is said of keys that nobody knows. With the `schema` that found them, it names those that are known there. */
export function unknownKeys(
  { keys, path }: Pick<z.core.$ZodIssueUnrecognizedKeys, 'keys' | 'path'>,
  schema?: z.core.$ZodType,
): string {
  const known = keysAt(schema, path);
  const hint = known.length > 0 ? `; known are ${known.join(', ')}` : '';
  return `unknown key ${keys.join(', ')}: remove it or correct its spelling${hint}`;
}

/** The keys of the object at `path` of what `schema` reads; none where it reads no object, or one of several. */
function keysAt(schema: z.core.$ZodType | undefined, path: readonly PropertyKey[]): readonly string[] {
  const [key, ...rest] = path;
  if (schema instanceof z.ZodObject)
    return key === undefined ? Object.keys(schema.shape) : keysAt(schema.shape[String(key)], rest);
  if (schema instanceof z.ZodArray) return keysAt(schema.element, rest);
  if (schema instanceof z.ZodRecord) return keysAt(schema.valueType, rest);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault)
    return keysAt(schema.unwrap(), path);
  if (!(schema instanceof z.ZodPipe)) return [];
  return keysAt(schema.in instanceof z.ZodTransform ? schema.out : schema.in, path);
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`;
}
