import { expect, test } from 'vitest';
import { calledAs } from '../../src/cli/called-as.ts';

test('in a clone commands are scripts of npm, and in an installed package they are its program', () => {
  const clone = calledAs('file:///home/me/plimsoll/src/cli/called-as.ts', '/home/me/plimsoll');
  expect([clone.call('sql'), clone.config('plimsoll.yaml')]).toEqual([
    'npm run -s plimsoll -- sql',
    'config/plimsoll.yaml',
  ]);
  const folder = 'file:///home/me/app/node_modules/plimsoll';
  const installed = calledAs(`${folder}/dist/cli/called-as.js`, '/home/me/app');
  expect([installed.call('sql'), installed.config('plimsoll.yaml')]).toEqual([
    'npx plimsoll sql',
    'node_modules/plimsoll/config/plimsoll.yaml',
  ]);
});
