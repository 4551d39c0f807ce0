import { memoryStore } from '@pathfinder/webhooks';
import { expect, it } from 'vitest';
import { runnableOf, runsAlone, takenWithClaim } from '../../../src/engines/shared/claimed-delivery.ts';

const sound = { id: 1, claims: 5, failures: 3 };
const deadly = { id: 2, claims: 5, failures: 2 };

it('an event that has lost three claims runs alone', () => {
  expect([runsAlone(sound), runsAlone(deadly)]).toEqual([false, true]);
});

it('events run up to the first that runs alone, which waits until it is the oldest and nothing else runs', () => {
  expect([
    runnableOf([sound, sound], false),
    runnableOf([sound, deadly, sound], true),
    runnableOf([deadly, sound], true),
    runnableOf([deadly, sound], false),
  ]).toEqual([[sound, sound], [sound], [deadly], []]);
});

async function taken() {
  const store = memoryStore();
  const claim = await store.claim('evt_1', { leaseMs: 1000, bodyHash: 'h' });
  if (claim.status !== 'acquired') throw new Error(claim.status);
  const delivery = {
    key: 'evt_1',
    eventId: 'evt_1',
    type: 'user.created',
    created: 1,
    body: new Uint8Array(),
    bodyHash: 'h',
    headers: {},
    receivedAtMs: 0,
  };
  const one = takenWithClaim(store, { delivery, held: { claim, claimedAtMs: 0 }, alone: false });
  return { one, state: () => store.get('evt_1') };
}

it('a retry gives the claim back, and counts as a failure only with an error', async () => {
  for (const [error, failures] of [
    [undefined, 0],
    [new Error('no'), 1],
  ] as const) {
    const { one, state } = await taken();
    await one.record({ kind: 'retry', inMs: 50, error });
    expect(await state()).toMatchObject({ state: 'free', failures, error: error && 'Error: no' });
  }
});

it('what the store has heard already is not told again', async () => {
  const { one, state } = await taken();
  await one.record({ kind: 'done' });
  expect(await state()).toMatchObject({ state: 'active' });
});

it('a delivery that is given back is free, without a failure', async () => {
  const { one, state } = await taken();
  await one.giveBack();
  expect(await state()).toMatchObject({ state: 'free', claims: 0, failures: 0, error: undefined });
});
