import { Failure } from '../core/failure.ts';

/** A bare integer of 16 digits or more may not survive as a double. */
const largeInteger = /[:[,\s]-?\d{16}/;
const densityFromBytes = 1 << 20;
/**
 * Objects and lists may stand in each other this deep: OTLP values of the depth that is taken need 4 * 64 and a few.
 * What recurses over JSON, the engine's reviver and `JSON.stringify`, has no stack for some thousands.
 */
const limitNesting = 500;

const quote = 0x22;
const backslash = 0x5c;

/** Large integers keep their digits, as bigint. The engine gives the source text to revivers (ES2025). */
function keepingLargeIntegers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && source !== undefined && /^-?\d{16,}$/.test(source)
    ? BigInt(source)
    : value;
}

/**
 * Refuses what is nested too deep, and what would take the parser a hundred times its size in memory: OTLP/JSON has 15
 * bytes or more for each `{` or `[`.
 */
function checkBrackets(body: Uint8Array): void {
  let containers = 0;
  let depth = 0;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]!;
    if (byte === quote) at = stringEnd(body, at);
    else if (byte === 0x7b || byte === 0x5b) {
      containers++;
      if (++depth > limitNesting)
        throw new Failure(
          'invalid',
          `the body is nested too deep: ${limitNesting} brackets may be open at once`,
        );
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  if (body.length >= densityFromBytes && containers * 8 > body.length)
    throw new Failure('invalid', 'the body has more brackets than OTLP/JSON can have');
}

/** Where the quote stands that ends the string whose first quote is at `at`. */
function stringEnd(body: Uint8Array, at: number): number {
  let end = at + 1;
  for (; end < body.length && body[end] !== quote; end++) if (body[end] === backslash) end++;
  return end;
}

/**
 * Parses JSON text in UTF-8; integers of 16 digits and more become bigint. Throws an `invalid` Failure for anything
 * else, and for what only an attack would send. The Failure goes to logs and dead letters, so it quotes nothing of the
 * text.
 */
export function parseJson(body: Uint8Array): unknown {
  checkBrackets(body);
  const text = decode(body);
  try {
    return largeInteger.test(text) ? JSON.parse(text, keepingLargeIntegers) : JSON.parse(text);
  } catch (error) {
    throw new Failure('invalid', `the body is no JSON${whatIsWrong(error)}`);
  }
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new Failure('invalid', 'the body is no JSON: it is not UTF-8');
  }
}

/** The engine quotes the text in some of its messages; of all others the end is a position. */
function whatIsWrong(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  if (message === 'Unexpected end of JSON input') return ': it ends too early';
  const position = / at position \d+(?: \(line \d+ column \d+\))?$/.exec(message)?.[0];
  return position === undefined ? ': it has a character where none may be' : `: it is wrong${position}`;
}
