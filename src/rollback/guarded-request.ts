import { lookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestHttps, type RequestOptions } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { z } from 'zod';
import { messageOf } from '../core/failure.ts';

/** A request to a target. Headers may hold secrets, and nothing of them is ever said. */
export interface TargetRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** '' for none. */
  readonly body: string;
  readonly timeoutMs: number;
  /** Certificates of authorities in PEM, instead of those that Node.js knows. */
  readonly ca: string | undefined;
}

/**
 * What came back. `unreached`: no connection was made, so the request was surely not heard. `uncertain`: it may have been
 * heard. A redirect is an answer like any other, and is not followed.
 */
export type TargetAnswer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: IncomingMessage['headers'];
      readonly body: string;
      /** What its JSON has as `message`, for people: a short line without what was secret in the request; '' for none. */
      readonly message: string;
    }
  | { readonly kind: 'unreached' | 'uncertain'; readonly reason: string };

/** Answers are short; what comes beyond is not read. */
const limitBytes = 1024 * 1024;
const limitCharacters = 300;
/** Headers that hold no secret. */
const openHeaders: readonly string[] = ['accept', 'content-type', 'idempotency-key', 'x-github-api-version'];

const answered = z.object({ message: z.string() });

const refused = new BlockList();
refuse('0.0.0.0', 8);
refuse('169.254.0.0', 16); // link-local, RFC 3927: metadata of most clouds
refuse('168.63.129.16', 32); // Azure
refuse('100.100.100.200', 32); // Alibaba Cloud
refuse('192.0.0.192', 32); // Oracle Cloud
refuse('224.0.0.0', 3); // multicast and reserved
refused.addAddress('::', 'ipv6');
refused.addSubnet('fe80::', 10, 'ipv6'); // link-local, RFC 4291
refused.addSubnet('ff00::', 8, 'ipv6');
refused.addSubnet('fd00:ec2::', 32, 'ipv6'); // AWS

/** Refuses a network of IPv4, in all ways in which IPv6 has its addresses. */
function refuse(network: string, bits: number): void {
  refused.addSubnet(network, bits, 'ipv4');
  const hex = Buffer.from(network.split('.').map(Number)).toString('hex');
  const groups = `${hex.slice(0, 4)}:${hex.slice(4)}`;
  refused.addSubnet(`64:ff9b::${groups}`, 96 + bits, 'ipv6'); // NAT64, RFC 6052
  refused.addSubnet(`64:ff9b:1::${groups}`, 96 + bits, 'ipv6'); // NAT64, RFC 8215
  refused.addSubnet(`2002:${groups}::`, 16 + bits, 'ipv6'); // 6to4, RFC 3056
  if (network === '0.0.0.0') return; // ::1 is in there
  refused.addSubnet(`::${groups}`, 96 + bits, 'ipv6'); // IPv4-compatible, RFC 4291
}

/** Whether an address is one that no target may have: link-local, where clouds keep credentials, and what is nobody's. */
export function isRefusedAddress(address: string): boolean {
  return refused.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** How names become addresses: the system's way, which is what `dns.lookup` is. */
type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: Error | null, found?: LookupAddress[]) => void,
) => void;

/** Looks a name up and lets only those through that targets may have, so that what is connected to is what was checked. */
function guarded(resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found = []) => {
      const [first] = found;
      const bad = found.find(({ address }) => isRefusedAddress(address));
      if (error || !first) callback(error ?? new Error(`${hostname} has no address`), '');
      else if (bad)
        callback(new Error(`${hostname} is ${bad.address}, a link-local or metadata address`), '');
      else if (options.all) callback(null, found);
      else callback(null, first.address, first.family);
    });
  };
}

/** Sends `request`. Never rejects: what went wrong is the answer. Answers by the end of its timeout, whatever comes back. */
export async function answerOf(request: TargetRequest, resolveName: Resolve = lookup): Promise<TargetAnswer> {
  const url = new URL(request.url);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && isRefusedAddress(host))
    return { kind: 'unreached', reason: `${host} is a link-local or metadata address` };
  const signal = AbortSignal.timeout(request.timeoutMs);
  try {
    return await answerTo(opened(url, request, { lookup: guarded(resolveName), signal }), request, signal);
  } catch (error) {
    return { kind: 'unreached', reason: messageOf(error) }; // no request can be made of it
  }
}

/** A request that is not sent yet. Throws where a header is none that can be sent. */
function opened(
  url: URL,
  request: TargetRequest,
  options: Pick<RequestOptions, 'lookup' | 'signal'>,
): ClientRequest {
  const open = url.protocol === 'https:' ? requestHttps : requestHttp;
  return open(url, {
    ...options,
    method: request.method,
    headers: {
      'user-agent': 'plimsoll',
      ...request.headers,
      ...(request.body !== '' && { 'content-length': String(Buffer.byteLength(request.body)) }),
    },
    agent: false, // a kept connection may be half closed, and then nobody knows what was heard
    ...(request.ca !== undefined && { ca: request.ca }),
  });
}

async function answerTo(
  outgoing: ClientRequest,
  request: TargetRequest,
  signal: AbortSignal,
): Promise<TargetAnswer> {
  const { promise, resolve } = Promise.withResolvers<TargetAnswer>();
  let isConnected = false;
  let isAnswered = false;
  const unanswered = (reason: string): void =>
    resolve({ kind: isConnected ? 'uncertain' : 'unreached', reason });
  outgoing.on('socket', (socket) => {
    socket.once(outgoing.protocol === 'https:' ? 'secureConnect' : 'connect', () => (isConnected = true));
  });
  outgoing.on('response', (response) => {
    isAnswered = true;
    bodyOf(response).then(
      (body) =>
        resolve({
          kind: 'answered',
          status: response.statusCode ?? 0,
          headers: response.headers,
          body,
          message: messageIn(body, request),
        }),
      (error: unknown) => unanswered(faultOf(error, request)),
    );
  });
  outgoing.on('error', (error) => unanswered(faultOf(error, request)));
  // after `101 Switching Protocols` neither of both comes
  outgoing.on('close', () => {
    if (!isAnswered) unanswered('it hung up without an answer');
  });
  const cut = (): void => unanswered(faultOf(signal.reason, request));
  signal.addEventListener('abort', cut, { once: true });
  outgoing.end(request.body);
  return promise.finally(() => signal.removeEventListener('abort', cut));
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > limitBytes) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Some targets repeat what they were sent, and more than its message is too much of an answer to be kept for good. */
function messageIn(body: string, request: TargetRequest): string {
  const message = jsonMessage(body);
  return secretsOf(request)
    .reduce((text, secret) => text.replaceAll(secret, '[REDACTED]'), message)
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, limitCharacters)
    .toWellFormed();
}

function jsonMessage(body: string): string {
  try {
    return answered.parse(JSON.parse(body)).message;
  } catch {
    return '';
  }
}

/** All that may be secret in a request, longest first: its headers, what they consist of, and where it goes to. */
function secretsOf({ headers, url }: TargetRequest): readonly string[] {
  const { pathname, search, searchParams } = new URL(url);
  const values = Object.entries(headers)
    .filter(([name]) => !openHeaders.includes(name))
    .flatMap(([, value]) => [value, ...value.split(/[ ,]|\b(?:t|v1)=/).slice(1)]);
  return [...values, pathname, search, ...searchParams.values()]
    .flatMap((value) => [value, encodeURIComponent(value)])
    .filter((value) => value.length > 1)
    .toSorted((a, b) => b.length - a.length);
}

function faultOf(error: unknown, { timeoutMs }: TargetRequest): string {
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError'))
    return `it did not answer within ${timeoutMs / 1000} s`;
  return messageOf(error);
}
