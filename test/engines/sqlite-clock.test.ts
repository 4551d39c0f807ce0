// Steps of the wall clock, as a host makes them that finds out what time it is, or whose owner sets it.

import { setImmediate } from 'node:timers/promises';
import { NonRetryableError, WebhookHandler } from '@pathfinder/webhooks';
import { type SqliteStoreOptions, sqliteQueue, sqliteStore } from '@pathfinder/webhooks/sqlite';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered, bodyOf, deliveryOf, recordingLogger, SECRET } from '../support/deliver.ts';
import { databaseFolder, openDatabase } from '../support/sqlite.ts';

const folder = databaseFolder();
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const claiming = { leaseMs: 30_000, bodyHash: 'a' } as const;
const CLAIMED = { status: 'acquired', attempt: 1, claims: 1, failures: 0, steps: {}, token: expect.any(String) };
let files = 0;
let file = '';
let steppedMs = 0;
let passedMs = 0;

beforeEach(() => {
  file = folder.file(`clock-${files++}.db`);
  steppedMs = 0;
  passedMs = 0;
  const { now: wallNow } = Date;
  const monotonicNow = performance.now.bind(performance);
  vi.spyOn(Date, 'now').mockImplementation(() => wallNow() + passedMs + steppedMs);
  vi.spyOn(performance, 'now').mockImplementation(() => monotonicNow() + passedMs);
  onTestFinished(() => void vi.restoreAllMocks());
});

/** Time that really passes, which both clocks show. */
function pass(ms: number): void {
  passedMs += ms;
}

/** The clock on the wall is set. */
function step(ms: number): void {
  steppedMs += ms;
}

/** A store as a process has it: on a connection of its own. */
function processOn(options: SqliteStoreOptions = {}) {
  const db = openDatabase(file);
  return { store: sqliteStore(db, options), db };
}

/** A receiver as a process has it, and what its handler has seen. */
function receiverOn(handler: () => unknown = () => undefined) {
  const seen: string[] = [];
  const queue = sqliteQueue(openDatabase(file), { logger: recordingLogger() });
  const webhooks = new WebhookHandler({ secret: SECRET, queue, logger: recordingLogger() });
  webhooks.on('*', ({ id }) => {
    seen.push(id);
    return handler() as undefined;
  });
  return { webhooks, queue, seen, receive: (id: string) => webhooks.receive(deliveryOf(bodyOf({ id }))) };
}

const busyFor = (mostMs: number, claim: Awaited<ReturnType<ReturnType<typeof sqliteStore>['claim']>>) => {
  expect(claim).toEqual({ status: 'busy', retryAfterMs: expect.any(Number) });
  const { retryAfterMs } = claim as { readonly retryAfterMs: number };
  expect([retryAfterMs > mostMs - 5000, retryAfterMs <= mostMs + 5]).toEqual([true, true]);
};

describe.each([
  ['back', -HOUR],
  ['forward', HOUR],
])('sqliteQueue with the wall clock set %s by an hour', (_, ms) => {
  it('runs events queued before the change at once, and before later ones', async () => {
    const { webhooks, receive, seen } = receiverOn();
    expect(await receive('evt_1')).toEqual(answered('queued', 0, 0, 202));
    step(ms);
    expect(await receive('evt_2')).toEqual(answered('queued', 0, 0, 202));
    expect(await webhooks.drain({ maxMs: 10_000 })).toBe(2);
    expect(seen).toEqual(['evt_1', 'evt_2']);
    expect(await receive('evt_1')).toEqual(answered('duplicate'));
  });

  it('starts a running event nowhere else, and its lease ends on time', async () => {
    const [one, another] = [processOn(), processOn()];
    const claim = await one.store.claim('k', claiming);
    expect(claim).toEqual(CLAIMED);
    step(ms);
    busyFor(30_000, await another.store.claim('k', claiming));
    expect(await one.store.extend('k', (claim as { readonly token: string }).token, 40_000)).toBe(true);
    // A process that starts after the step goes by what the first has written down.
    busyFor(40_000, await processOn().store.claim('k', claiming));
  });

  it('keeps the length of a delay', async () => {
    const { store } = processOn();
    const claim = (await store.claim('k', claiming)) as { readonly token: string };
    await store.fail('k', claim.token, { retryInMs: 60_000, error: 'not now' });
    step(ms);
    busyFor(60_000, await store.claim('k', claiming));
  });

  it('dates a dead letter by wall clock and finds it by that date', async () => {
    const { webhooks, queue, receive } = receiverOn(() => {
      throw new NonRetryableError('never');
    });
    await receive('evt_1');
    await webhooks.drain({ maxMs: 10_000 });
    step(ms);
    const [letter] = await queue.deadLetters.list({ sinceMs: Date.now() - 10_000 });
    expect(Math.abs(Date.now() - (letter?.failedAtMs ?? 0))).toBeLessThan(10_000);
    expect(await queue.deadLetters.list({ sinceMs: Date.now() + 10_000 })).toEqual([]);
  });

  it('stores a clock step as soon as it is noticed', async () => {
    const { store } = processOn();
    const { token } = (await store.claim('done', claiming)) as { readonly token: string };
    await store.complete('done', token);
    await store.claim('k', claiming);
    step(ms);
    expect((await store.get('done'))?.state).toBe('done');
    await setImmediate();
    busyFor(30_000, await processOn().store.claim('k', claiming));
  });

  it('remembers a clock step although the transaction that noticed it was rolled back', async () => {
    const { store } = processOn();
    await store.claim('k', claiming);
    step(ms);
    await expect(store.transaction?.(() => Promise.reject(new Error('undone')))).rejects.toThrow('undone');
    await store.claim('another', claiming);
    busyFor(30_000, await processOn().store.claim('k', claiming));
  });

  it('the test detects a store that uses the wall clock directly', async () => {
    const now = () => Date.now();
    const { store } = processOn({ now });
    await store.claim('k', claiming);
    step(ms);
    const claim = await processOn({ now }).store.claim('k', claiming);
    if (ms > 0) expect(claim).toEqual({ ...CLAIMED, attempt: 2, claims: 2 });
    else expect(claim).toEqual({ status: 'busy', retryAfterMs: expect.closeTo(HOUR + 30_000, -4) });
  });
});

it('sqliteQueue runs waiting events and knows completed ones after the clock was set back while no process ran', async () => {
  const before = receiverOn();
  await before.receive('evt_1');
  await before.webhooks.drain({ maxMs: 10_000 });
  await before.receive('evt_2');
  step(-HOUR);
  const { webhooks, receive, seen } = receiverOn();
  expect(await receive('evt_1')).toEqual(answered('duplicate'));
  // The time that the file knows is up to a second old.
  await vi.waitFor(async () => expect(await webhooks.drain({ maxMs: 10_000 })).toBe(1), { timeout: 5000 });
  expect(seen).toEqual(['evt_2']);
});

it('sqliteQueue keeps an id when the wall clock jumps beyond the retention', async () => {
  const { store } = processOn();
  const { token } = (await store.claim('k', claiming)) as { readonly token: string };
  await store.complete('k', token);
  step(8 * DAY);
  await store.sweep?.(100);
  expect(await store.claim('k', claiming)).toEqual({ status: 'done' });
});

it('two processes with sqliteQueue agree on the time after a clock step, even if one started without knowing it', async () => {
  const one = processOn();
  await one.store.claim('first', claiming);
  pass(10 * 60_000);
  step(-HOUR);
  const another = processOn();
  await another.store.claim('second', claiming);
  await one.store.claim('third', claiming);
  await another.store.claim('fourth', claiming);
  await one.store.claim('a', claiming);
  busyFor(30_000, await another.store.claim('a', claiming));
  await another.store.claim('b', claiming);
  busyFor(30_000, await one.store.claim('b', claiming));
  expect(await another.store.claim('first', claiming)).toMatchObject({ status: 'acquired', attempt: 2 });
});

it('sqliteQueue keeps its clock when the tables are emptied between tests', async () => {
  const { store, db } = processOn();
  await store.claim('k', claiming);
  for (const table of ['event', 'body', 'version', 'clock']) db.exec(`DELETE FROM pathfinder_webhook_${table}`);
  step(-HOUR);
  const claim = await store.claim('k', claiming);
  expect(claim).toEqual(CLAIMED);
  busyFor(30_000, await processOn().store.claim('k', claiming));
});
