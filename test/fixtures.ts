import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** One OTLP/JSON ExportTraceServiceRequest of a real program, by file name. */
export interface CapturedRequest {
  readonly name: string;
  readonly json: string;
}

function read(folder: URL, ending = '.otlp.json'): readonly CapturedRequest[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .toSorted()
    .map((name) => ({ name, json: readFileSync(new URL(name, folder), 'utf8') }));
}

/** Requests captured from released agent frameworks with mock models. */
export function capturedRequests(): readonly CapturedRequest[] {
  return read(new URL('otlp-captured/', import.meta.url));
}

/** Requests written by hand from what frameworks document, where no capture is to be had: constructed, not seen. */
export function constructedRequests(): readonly CapturedRequest[] {
  return read(new URL('otlp-constructed/', import.meta.url));
}

/** Requests of log records, constructed likewise. */
export function constructedLogs(): readonly CapturedRequest[] {
  return read(new URL('otlp-constructed/', import.meta.url), '.logs.json');
}

/** Third-party payloads, read where a checkout has them beside it; they are not ours to copy. */
export function thirdPartyRequests(): readonly CapturedRequest[] {
  return ['otlp-derived', 'otlp-test-payloads'].flatMap((name) => {
    const folder = new URL(`../../shared/fixtures/${name}/`, import.meta.url);
    return existsSync(folder) ? read(folder) : [];
  });
}
