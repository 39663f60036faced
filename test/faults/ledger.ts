/** What the sender was told of a request; `unknown` when its connection ended without an answer. */
export type Answer = 'acknowledged' | 'refused' | 'unknown';

/** The first bytes of every span id of the ledger, so that a row of anybody else is told apart. */
const tag = 0xfa17;
const tagText = tag.toString(16);

/** The id of span `index` of request `request`: 8 bytes, never used for another span. */
export function spanIdOf(request: number, index: number): Buffer {
  const id = Buffer.alloc(8);
  id.writeUInt16BE(tag, 0);
  id.writeUInt32BE(request, 2);
  id.writeUInt16BE(index, 6);
  return id;
}

function placeOf(spanId: string): { readonly request: number; readonly index: number } | undefined {
  if (!new RegExp(`^${tagText}[0-9a-f]{12}$`).test(spanId)) return undefined;
  return { request: parseInt(spanId.slice(4, 12), 16), index: parseInt(spanId.slice(12), 16) };
}

/** What became of the spans of a ledger. */
export interface Verdict {
  /** Spans whose requests were acknowledged. */
  readonly accepted: number;
  /** Of those, the ones that have a row. */
  readonly stored: number;
  /** Of those, the ones that have no row and are among the dead letters. */
  readonly deadLettered: number;
  /** Acknowledged spans that are in neither. */
  readonly lost: number;
  /** Spans that have more than one row, whatever their sender was told. */
  readonly duplicated: number;
  /** Spans that have a row and are a dead letter too. */
  readonly storedAndDead: number;
  /** Spans that the sender was not told about, and how many of them are there all the same: any number may be. */
  readonly unknown: { readonly sent: number; readonly stored: number };
  /** Spans whose requests were answered with an error, likewise. */
  readonly refused: { readonly sent: number; readonly stored: number };
  /** Rows and dead letters of spans that were never sent. */
  readonly strangers: number;
  /** Some ids of the lost and of the duplicated. */
  readonly examples: readonly string[];
}

const mostExamples = 10;

/** Every span that was sent, exactly once each, and what its sender was told. */
export class Ledger {
  readonly #spans: number[] = [];
  /** Spans that the table refuses, of those requests that have any. */
  readonly #poison = new Map<number, number>();
  readonly #answers: (Answer | undefined)[] = [];
  #acceptedSpans = 0;

  /** A new request of `spans` spans, `poison` of which the table refuses; returns its number. It is unknown until it is answered. */
  open(spans: number, poison = 0): number {
    this.#answers.push(undefined);
    const request = this.#spans.push(spans) - 1;
    if (poison > 0) this.#poison.set(request, poison);
    return request;
  }

  answer(request: number, answer: Answer): void {
    if (this.#answers[request] !== undefined) throw new Error(`request ${request} was answered twice`);
    this.#answers[request] = answer;
    if (answer === 'acknowledged') this.#acceptedSpans += this.#spans[request] ?? 0;
  }

  /** Requests so far: the number of the next one. */
  get requests(): number {
    return this.#spans.length;
  }

  get acceptedSpans(): number {
    return this.#acceptedSpans;
  }

  /** The numbers of the requests from `from` on that were acknowledged. */
  acknowledgedSince(from: number): readonly number[] {
    return Array.from({ length: this.requests - from }, (_, at) => from + at).filter(
      (request) => this.#answers[request] === 'acknowledged',
    );
  }

  /** How many rows a request becomes. */
  rowsOf(request: number): number {
    return (this.#spans[request] ?? 0) - (this.#poison.get(request) ?? 0);
  }

  /** Spans that were acknowledged and that the table refuses. */
  get poisonSpans(): number {
    return [...this.#poison].reduce(
      (sum, [request, spans]) => sum + (this.#answers[request] === 'acknowledged' ? spans : 0),
      0,
    );
  }

  /**
   * Compares with what was found: the rows of each span id in the table, and the span ids of the dead letters. An id may
   * come several times in either.
   */
  compare(rows: Iterable<readonly [spanId: string, rows: number]>, dead: Iterable<string>): Verdict {
    const found = new Found(this.#spans);
    for (const [spanId, count] of rows) found.addRows(spanId, count);
    for (const spanId of dead) found.addDead(spanId);
    const [accepted, unknown, refused] = [new Tally(), new Tally(), new Tally()];
    const examples: string[] = [];
    let [duplicated, storedAndDead] = [0, 0];
    for (const [request, answer] of this.#answers.entries()) {
      const tally = answer === 'acknowledged' ? accepted : answer === 'refused' ? refused : unknown;
      for (let index = 0; index < (this.#spans[request] ?? 0); index++) {
        const { rows: count, isDead } = found.at(request, index);
        tally.add(count > 0, isDead);
        if (count > 1) duplicated++;
        if (count > 0 && isDead) storedAndDead++;
        const isLost = tally === accepted && count === 0 && !isDead;
        if ((isLost || count > 1) && examples.length < mostExamples)
          examples.push(`${spanIdOf(request, index).toString('hex')} has ${count} rows`);
      }
    }
    return {
      accepted: accepted.sent,
      stored: accepted.stored,
      deadLettered: accepted.dead,
      lost: accepted.sent - accepted.stored - accepted.dead,
      duplicated,
      storedAndDead,
      unknown: { sent: unknown.sent, stored: unknown.stored },
      refused: { sent: refused.sent, stored: refused.stored },
      strangers: found.strangers,
      examples,
    };
  }
}

class Tally {
  sent = 0;
  stored = 0;
  dead = 0;

  add(isStored: boolean, isDead: boolean): void {
    this.sent++;
    if (isStored) this.stored++;
    else if (isDead) this.dead++;
  }
}

const deadBit = 0x80;
const mostRows = 0x7f;

/** What was found of each span of a ledger, in a byte each. */
class Found {
  readonly #bytes: readonly Uint8Array[];
  strangers = 0;

  constructor(spans: readonly number[]) {
    this.#bytes = spans.map((count) => new Uint8Array(count));
  }

  addRows(spanId: string, rows: number): void {
    const [bytes, index] = this.#find(spanId);
    if (!bytes) return;
    const before = bytes[index] ?? 0;
    bytes[index] = (before & deadBit) | Math.min(mostRows, (before & mostRows) + rows);
  }

  addDead(spanId: string): void {
    const [bytes, index] = this.#find(spanId);
    if (bytes) bytes[index] = (bytes[index] ?? 0) | deadBit;
  }

  at(request: number, index: number): { readonly rows: number; readonly isDead: boolean } {
    const byte = this.#bytes[request]?.[index] ?? 0;
    return { rows: byte & mostRows, isDead: (byte & deadBit) !== 0 };
  }

  #find(spanId: string): [bytes: Uint8Array | undefined, index: number] {
    const place = placeOf(spanId);
    const bytes = place && this.#bytes[place.request];
    if (place && bytes && place.index < bytes.length) return [bytes, place.index];
    this.strangers++;
    return [undefined, 0];
  }
}
