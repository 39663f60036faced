import { hash } from 'node:crypto';
import { AttributeKey, Attributes } from '../otlp/attributes.ts';
import type { LogRecord } from '../otlp/log-record.ts';
import { logsToSpans, noId, type KeptLog } from '../otlp/logs-to-spans.ts';
import { Rewrite } from '../otlp/rewrite.ts';
import { SpanIndex } from '../otlp/span-index.ts';
import { SpanView } from '../otlp/span-view.ts';
import { TextMemo } from '../otlp/text-memo.ts';
import type { LogEvent } from '../semconv/convention.ts';
import { fields } from '../semconv/fields.ts';
import { logEvents, logPrefixes } from '../semconv/tables.ts';
import type { LogOrigin } from '../semconv/vocabulary.ts';
import { canonicalKeys } from './canonical-keys.ts';

/** What became of the log records of one request. */
export interface LogsRead {
  /** An ExportTraceServiceRequest with a span for each record that is kept. Its memory is the reader's. */
  readonly request: Uint8Array;
  /** How many records are not valid, by the sentence that says why. */
  readonly rejections: ReadonlyMap<string, number>;
  /** Records of events that nobody here asks for. */
  readonly unstored: number;
  /** Why, as the end of a sentence; '' when there are none. */
  readonly unstoredReason: string;
}

/** What an event took is believed up to a day. */
const limitDurationMs = 86_400_000;
/** Names of events that the sender reads back, and how long each may be. */
const shownNames = 5;
const shownCharacters = 64;

const ofNoRun =
  'the evaluation has neither a trace id nor the attribute plimsoll.run.id: nothing says which run it speaks of';
const ofNobody = 'the log record has neither a trace id nor a session: nothing says which run it tells of';

function encodedLog(origin: LogOrigin): Uint8Array {
  const attributes = new Attributes();
  attributes.string(new AttributeKey('plimsoll.log'), origin);
  return attributes.bytes.subarray(0, attributes.sizeBytes);
}
const origins: Readonly<Record<LogOrigin, Uint8Array>> = {
  traced: encodedLog('traced'),
  unsampled: encodedLog('unsampled'),
  untraced: encodedLog('untraced'),
};

/**
 * Makes spans of the log records that tell of an agent, so that everything behind the receiver has one way. Ids are
 * derived from what a record says: it becomes the same span whenever it is sent again, records of one prompt of a
 * session without traces meet in one trace, and none of them is a root. Serves one thread.
 */
export class LogSpans {
  readonly #index = new SpanIndex(canonicalKeys);
  readonly #view = new SpanView(this.#index);
  readonly #rewrite = new Rewrite();
  #unstored = 0;
  readonly #unstoredNames = new Set<string>();

  /** Reads an ExportLogsServiceRequest in protobuf. Throws an `invalid` Failure when the request is none. */
  read(request: Uint8Array): LogsRead {
    this.#unstored = 0;
    this.#unstoredNames.clear();
    const converted = logsToSpans(request, (record) => this.#keep(record));
    const index = this.#index;
    index.read(converted.request);
    const rejections = new Map([...converted.rejections, ...index.rejections]);
    this.#rewrite.begin(index, Infinity);
    for (let row = 0; row < index.count; row++) {
      const fault = this.#identify(row);
      if (fault === '') this.#rewrite.endSpan();
      else {
        this.#rewrite.omitSpan();
        rejections.set(fault, (rejections.get(fault) ?? 0) + 1);
      }
    }
    const [spans] = this.#rewrite.finish(1);
    return {
      request: spans?.payload ?? new Uint8Array(0),
      rejections,
      unstored: this.#unstored,
      unstoredReason: this.#unstoredReason(),
    };
  }

  #keep(record: LogRecord): KeptLog | undefined {
    const event = eventOf(record);
    if (event && (!event.only || record.text(event.only.key) === event.only.value)) {
      return { name: event.name, attribute: origins[originOf(record)] };
    }
    this.#unstored++;
    if (this.#unstoredNames.size <= shownNames) {
      const name = event?.name ?? (record.eventName || record.text('event.name'));
      this.#unstoredNames.add(name ? name.slice(0, shownCharacters) : 'records without an event name');
    }
    return undefined;
  }

  #unstoredReason(): string {
    if (this.#unstored === 0) return '';
    const names = [...this.#unstoredNames].slice(0, shownNames).join(', ');
    const more = this.#unstoredNames.size > shownNames ? ' and more' : '';
    return `not stored: only events that tell of tool calls, costs and evaluations of agents are, and not ${names}${more}`;
  }

  /** Sets the ids and the start of the span of `row`, which are in memory of ours; why not when it belongs to nobody, else ''. */
  #identify(row: number): string {
    const { bytes, view: words, spans } = this.#index;
    const view = this.#view.at(row);
    const traceAt = spans.traceIdAt[row]!;
    if (isNoId(bytes, traceAt, 16)) {
      const session = view.string(fields.sessionId);
      const run = view.string(fields.runId) ?? view.string(fields.promptId);
      if (run === undefined && logEvents.get(view.name())?.speaksOfRun) return ofNoRun;
      if (session === undefined && run === undefined) return ofNobody;
      sharedDigestOf(['trace', session, run]).copy(bytes, traceAt, 0, 16);
    }
    const trace = view.traceIdHex();
    const endNanos = view.endUnixNano();
    const durationMs = view.number(fields.durationMs) ?? 0;
    const startNanos = endNanos - BigInt(Math.round(Math.min(durationMs, limitDurationMs) * 1e6));
    if (startNanos > 0n) words.setBigUint64(spans.startTimeAt[row]!, startNanos, true);
    const parentAt = spans.parentSpanIdAt[row]!;
    if (isNoId(bytes, parentAt, 8)) sharedDigestOf(['parent', trace]).copy(bytes, parentAt, 0, 8);
    const callId = view.string(fields.toolCallId);
    const sequence = view.string(fields.eventSequence);
    const what =
      callId === undefined && sequence === undefined
        ? bytes.toString('base64', spans.start[row], spans.end[row])
        : [view.name(), callId, sequence, String(endNanos)];
    digestOf(['span', trace, what]).copy(bytes, spans.spanIdAt[row], 0, 8);
    return '';
  }
}

function originOf({ traceIdAt, isUnsampled }: LogRecord): LogOrigin {
  if (traceIdAt === 0) return 'untraced';
  return isUnsampled ? 'unsampled' : 'traced';
}

/** Its own name, the attribute `event.name` or its body names the event. */
function eventOf(record: LogRecord): LogEvent | undefined {
  const prefix = logPrefixes.find(({ scope }) => record.scopeName.startsWith(scope))?.prefix ?? '';
  for (const name of [record.eventName, record.text('event.name'), record.body]) {
    const event = name && (logEvents.get(name) ?? logEvents.get(prefix + name));
    if (event) return event;
  }
  return undefined;
}

function isNoId(bytes: Buffer, at: number, length: number): boolean {
  for (let k = at; k < at + length; k++) if (bytes[k] !== noId) return false;
  return true;
}

function digestOf(parts: readonly unknown[]): Buffer {
  return hash('sha256', JSON.stringify(parts), 'buffer');
}

/** Records of one run mostly stand together. */
const sharedDigest = new TextMemo((parts) => hash('sha256', parts, 'buffer'));

function sharedDigestOf(parts: readonly unknown[]): Buffer {
  return sharedDigest.get(JSON.stringify(parts));
}
