// A webhook target for extensions::rollback::targets, to begin with: `SECRET=… node deploy/rollback-webhook.mjs`.
// GET says what runs. POST is an order to go back: it is signed, has the same idempotency-key however often it comes, and
// says from_release and to_release. 2xx: it is done; 409: something else runs; another 4xx: it will not be done.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

const { SECRET = '', RELEASE = '1.5.0-rc1', PORT = '8099' } = process.env;
const toleranceSeconds = 300;
let running = RELEASE; // in earnest: ask whatever deploys your agents
const done = new Set();

/** Whether `x-plimsoll-signature: t=<seconds>,v1=<hex>` is the HMAC-SHA256 of `<seconds>.<body>`, and fresh. */
function isSigned(header, body) {
  const [, seconds, sign] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? [];
  if (seconds === undefined || Math.abs(Date.now() / 1000 - Number(seconds)) > toleranceSeconds) return false;
  const own = createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest();
  return timingSafeEqual(own, Buffer.from(sign, 'hex'));
}

createServer(async (request, response) => {
  const body = await text(request);
  const answer = (status, value) => response.writeHead(status).end(JSON.stringify(value));
  if (request.method === 'GET') return answer(200, { release: running });
  if (!isSigned(request.headers['x-plimsoll-signature'], body)) return answer(403, { message: 'not signed' });
  const key = request.headers['idempotency-key'];
  const { from_release: from, to_release: to } = JSON.parse(body);
  if (done.has(key)) return answer(200, { release: running });
  if (running !== from) return answer(409, { message: `${running} runs` });
  running = to; // in earnest: deploy it, and keep the key where a restart finds it
  done.add(key);
  return answer(200, { release: running });
}).listen(Number(PORT), '127.0.0.1');
