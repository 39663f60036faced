import { expect, test } from 'vitest';
import { faultText } from '../../src/stream/kafka-fault.ts';

test('what caused an error is told once, whether or not the error tells it, too', () => {
  const closed = new Error('Connection closed.');
  expect(faultText(closed)).toBe('Connection closed');
  expect(faultText(new Error('cannot connect', { cause: closed }))).toBe('cannot connect: Connection closed');
  const said = new Error('no broker can be reached: Connection closed', { cause: closed });
  expect(faultText(said)).toBe('no broker can be reached: Connection closed');
  expect(faultText(new Error('cannot open', { cause: said }))).toBe(
    'cannot open: no broker can be reached: Connection closed',
  );
});
