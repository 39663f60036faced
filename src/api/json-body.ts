import type { z } from 'zod';
import type { Answer } from '../core/http-endpoint.ts';
import { sentenceOf } from '../core/issue-sentence.ts';
import { failed } from './json-answer.ts';

/** What `text` says as JSON; undefined when it is none. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What is wrong with a body, as a sentence that begins with its place; `at` is where what was read stands in it. */
export function faultOf(issue: z.core.$ZodIssue, at = ''): string {
  const path = `${at}${issue.path.join('.')}`.replace(/\.$/, '');
  return `${path || 'the body'}: ${sentenceOf(issue)}`;
}

/** The answer to a body that is not read to its end. */
export function tooLarge(limitBytes: number): Answer {
  const answer = failed(413, `the body is larger than ${limitBytes} bytes: send less`);
  return { ...answer, headers: { ...answer.headers, connection: 'close' } };
}
