import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { StreamedBodies, type StreamedBody } from '../../src/core/streamed-body.ts';
import { listen } from '../../src/core/listen.ts';

const address = { host: '127.0.0.1', port: 0, configPath: 'a::test' };

/** Sends `body` to a client that reads nothing; resolves when it was given up. */
async function sentToNobody(body: StreamedBody, patienceMs: number): Promise<void> {
  const given = Promise.withResolvers<void>();
  const server = createServer((_, response) => {
    new StreamedBodies(patienceMs).send(response, body).then(given.resolve, given.reject);
  });
  const { port } = await listen(server, address);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  try {
    await given.promise;
    const closed = once(server, 'close');
    server.close();
    await closed; // so the connection is cut
  } finally {
    socket.destroy();
    server.close();
  }
}

test('a reader that takes nothing is cut, and what makes the body is told', async () => {
  let isOver = false;
  let chunks = 0;
  await sentToNobody(async function* () {
    try {
      for (;;) {
        chunks++;
        yield Buffer.alloc(1024 * 1024);
      }
    } finally {
      isOver = true;
    }
  }, 200);
  expect(isOver).toBe(true);
  expect(chunks).toBeLessThan(100); // what the system buffers, and no more
});

test('what a body throws is thrown', async () => {
  await expect(
    // oxlint-disable-next-line require-yield -- it throws first
    sentToNobody(async function* () {
      throw new Error('planted');
    }, 1000),
  ).rejects.toThrow('planted');
});
