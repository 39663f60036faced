import type { IncomingHttpHeaders } from 'node:http';

/** Whether `host` names this machine only: an address of 127.0.0.0/8, ::1 or localhost. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host === '::1' ||
    host === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
  );
}

/**
 * By what a request may be one that a web page in somebody's browser sends: `host` for a Host that is neither a loopback
 * address nor one of `hosts`, so perhaps a foreign name made to point here (DNS rebinding); `origin` for a foreign
 * Origin, and where the browser itself calls it cross-site. Undefined where it is none.
 */
export function foreignBy(
  headers: IncomingHttpHeaders,
  hosts: readonly string[],
): 'host' | 'origin' | undefined {
  const host = hostnameOf(headers.host ?? '');
  if (host === undefined || !(isLoopback(host) || hosts.includes(host))) return 'host';
  return isOfOtherOrigin(headers) ? 'origin' : undefined;
}

/** Whether a browser says that a request comes from a page of another origin than its Host, taken as HTTP. */
export function isOfOtherOrigin({ host, origin, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  const isOther = origin !== undefined && origin !== `http://${host}`;
  const isCross = typeof site === 'string' && site !== 'same-origin' && site !== 'none';
  return isOther || isCross;
}

/** The name in a Host header, in lower case and without the port; undefined when it is not one. */
function hostnameOf(host: string): string | undefined {
  return /^(\[[\da-f:]+\]|[\w.-]+)(?::\d+)?$/iu.exec(host)?.[1]?.toLowerCase();
}
