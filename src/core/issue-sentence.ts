import type { z } from 'zod';

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
 * of a format itself is kept, and of a type where `isOurs` knows the message.
 */
export function sentenceOf(
  issue: z.core.$ZodIssue,
  isOurs: (message: string) => boolean = () => false,
): string {
  const isMissing = issue.input === undefined;
  if (issue.code === 'unrecognized_keys')
    return `unknown key ${issue.keys.join(', ')}: remove it or correct its spelling`;
  if (issue.code === 'invalid_value')
    return `${isMissing ? 'is missing: write' : 'must be'} ${oneOf(issue.values.map(String))}`;
  if (issue.code === 'invalid_type' && !isOurs(issue.message))
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

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`;
}
