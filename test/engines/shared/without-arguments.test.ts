import { expect, it } from 'vitest';
import { asking, withoutArguments } from '../../../src/engines/shared/without-arguments.ts';

function commandError(): Error {
  return Object.assign(new Error('OOM'), { command: { name: 'hset', args: ['the bytes of an event'] } });
}

it('an error goes out without the arguments of its command', async () => {
  const error = commandError();
  await expect(asking(() => Promise.reject(error))).rejects.toBe(error);
  expect(Object.keys(error)).toEqual([]);
  expect(Object.keys(withoutArguments(commandError()) as Error)).toEqual([]);
});

it('what is no object goes out as it is', () => {
  expect([undefined, null, 'down', 7].map(withoutArguments)).toEqual([undefined, null, 'down', 7]);
});

it('an answer goes out as it is', async () => {
  const answer = { command: 'kept' };
  expect(await asking(async () => answer)).toBe(answer);
  expect(answer).toEqual({ command: 'kept' });
});
