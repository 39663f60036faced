import type { OwnView } from './own-view.ts';

/** Types that every exception is: what an instrumentation wraps the text of somebody else's in. */
const bareTypes: ReadonlySet<string> = new Set(['Error', 'Exception']);

/** The type of the exception that the span recorded; undefined when it says none, or a bare one. */
export function exceptionType(view: OwnView): string | undefined {
  const type = view.exceptionType();
  return type === undefined || bareTypes.has(type) ? undefined : type;
}

/** The text that may begin with the class of what was thrown: what a bare type wraps, else the status message. */
export function thrownText(view: OwnView): string {
  const wrapped = bareTypes.has(view.exceptionType() ?? '') ? view.exceptionMessage() : undefined;
  return wrapped ?? view.statusMessage();
}

/** The first frame of a stack in JavaScript. */
const firstFrame = '\n    at ';
const limitName = 64;
const isName = /^[A-Za-z_$][\w$]*$/;

/**
 * The class of an exception that was recorded as `message\n\nClass: message\n    at …`, its message and its stack, and
 * in no other way: so do LangChain and LangSmith for JavaScript. '' when `text` is anything else.
 */
export function stackClass(text: string): string {
  const end = text.indexOf(firstFrame);
  if (end === -1) return '';
  // The message stands there twice, so the length of the name says where the name must be.
  for (let length = 1; length <= limitName; length++) {
    const messageLength = (end - length) / 2 - 2;
    if (messageLength < 1 || !text.startsWith('\n\n', messageLength)) continue;
    const colon = messageLength + 2 + length;
    const name = text.slice(messageLength + 2, colon);
    if (!text.startsWith(': ', colon) || !isName.test(name)) continue;
    if (text.slice(0, messageLength) === text.slice(colon + 2, end)) return name;
  }
  const name = text.slice(2, end);
  return text.startsWith('\n\n') && end <= limitName && isName.test(name) ? name : '';
}
