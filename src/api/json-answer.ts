import type { Answer } from '../core/http-endpoint.ts';

/** `value` as JSON. */
export function json(status: number, value: unknown): Answer {
  return {
    status,
    contentType: 'application/json',
    body: `${JSON.stringify(value, null, 2)}\n`,
    headers: { 'cache-control': 'no-store', ...(status === 503 && { 'retry-after': '5' }) },
  };
}

/** What is wrong, each as a sentence. */
export function failed(status: number, ...errors: readonly string[]): Answer {
  return json(status, { errors });
}
