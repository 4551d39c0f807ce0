import {
  constructWebhookEvent,
  memoryStore,
  retry,
  WebhookErrorHandler,
  WebhookHandler,
  WebhookMetrics,
  WebhookRetry,
} from '@pathfinder/webhooks';
import { PathfinderWebhooksClient } from '@pathfinder/webhooks/client';
import { sqliteQueue, sqliteStore } from '@pathfinder/webhooks/sqlite';
import { createSandbox, memoryQueue, WebhookTester } from '@pathfinder/webhooks/testing';
import { describe, expect, it } from 'vitest';
import { bodyOf, SECRET, sign } from '../support/deliver.ts';
import { openDatabase } from '../support/sqlite.ts';

const LONGEST_MS = 2 ** 31 - 1;

function handlerWith(options: object): WebhookHandler {
  return new WebhookHandler({ secret: SECRET, ...options } as never);
}

/** Everything that takes options, as JavaScript may call it. */
const TAKERS: readonly (readonly [name: string, take: (options: never) => unknown, slip: string, meant: string])[] = [
  ['WebhookHandler', (options) => handlerWith(options), 'handlerTimeout', 'handlerTimeoutMs'],
  ['on', (options) => handlerWith({}).on('*', () => undefined, options), 'serialby', 'serialBy'],
  ['retry', (options) => handlerWith({ retry: options }), 'attempt', 'attempts'],
  ['retry', (options) => handlerWith({}).on('*', () => undefined, { retry: options }), 'baseMS', 'baseMs'],
  ['retry', (options) => retry(() => 1, options), 'onretry', 'onRetry'],
  ['WebhookRetry', (options) => new WebhookRetry(3, 1, options), 'jiter', 'jitter'],
  ['memoryStore', (options) => memoryStore(options), 'maxEntrys', 'maxEntries'],
  ['memoryQueue', (options: object) => memoryQueue({ allowVolatile: true, ...options }), 'maxpending', 'maxPending'],
  ['sqliteStore', (options) => sqliteStore(openDatabase(':memory:'), options), 'retention', 'retentionMs'],
  ['sqliteQueue', (options) => sqliteQueue(openDatabase(':memory:'), options), 'poolMs', 'pollMs'],
  ['WebhookErrorHandler', (options) => new WebhookErrorHandler(options), 'sendAlerts', 'sendAlert'],
  ['WebhookMetrics', (options) => new WebhookMetrics(options), 'type', 'types'],
  ['WebhookTester', (options) => new WebhookTester('http://localhost', SECRET, options), 'timeoutms', 'timeoutMs'],
  [
    'constructWebhookEvent',
    (options) => constructWebhookEvent(bodyOf(), sign(bodyOf()), SECRET, options),
    'maxAgeSecond',
    'maxAgeSeconds',
  ],
  [
    'PathfinderWebhooksClient',
    (options: object) => new PathfinderWebhooksClient({ token: 't', baseUrl: 'https://x', ...options }),
    'timeOutMs',
    'timeoutMs',
  ],
  ['createSandbox', (options) => createSandbox(options), 'delay', 'delayMs'],
];

describe('option names', () => {
  it.each(TAKERS)('%s rejects a misspelled option and suggests the right name', async (name, take, slip, meant) => {
    const taken = async () => take({ [slip]: 1 } as never);
    await expect(taken()).rejects.toEqual(
      new TypeError(`${name} has no option \`${slip}\`. Did you mean \`${meant}\`?`),
    );
  });

  it('unlike any known one are rejected with the list of known names', () => {
    expect(() => memoryStore({ somethingElse: 1 } as never)).toThrow(
      new TypeError('memoryStore has no option `somethingElse`. It knows maxEntries, retentionMs, now, logger.'),
    );
    expect(() => memoryStore(null as never)).toThrow(new TypeError('The options of memoryStore must be an object.'));
  });

  it.each([
    [
      { store: {} },
      '`store` must be an object with the methods claim, extend, checkpoint, complete, fail, get, revive, latest, advance, sweep.',
    ],
    [{ queue: {} }, '`queue` must be an object with the methods enqueue, start, stop, drain.'],
    [{ logger: {} }, '`logger` must be an object with the methods debug, info, warn, error.'],
    [
      { logger: { log() {}, warn() {}, error() {}, debug() {} } },
      '`logger` must be an object with the methods debug, info, warn, error.',
    ],
    [{ errorHandler: {} }, '`errorHandler` must be an object with the methods handle.'],
    [{ onError: 'log' }, '`onError` must be a function.'],
    [{ waitUntil: {} }, '`waitUntil` must be a function.'],
    [{ now: 5 }, '`now` must be a function.'],
    [{ events: { 'own.type': {} } }, "`events['own.type']['~standard']` must be an object with the methods validate."],
  ])('%o is rejected where it is passed', (options, message) => {
    expect(() => handlerWith(options)).toThrow(new TypeError(message));
  });
});

describe('durations', () => {
  const names = ['handlerTimeoutMs', 'storeTimeoutMs', 'bodyTimeoutMs'];
  const refused = [0, -1, LONGEST_MS + 1, 3e9, Number.POSITIVE_INFINITY, Number.NaN, '5', null];
  const message = (name: string) => `\`${name}\` must be a number of milliseconds above 0 and at most ${LONGEST_MS}.`;

  it.each(names)('%s accepts only times that a timer can hold', (name) => {
    handlerWith({ [name]: LONGEST_MS });
    for (const value of refused) {
      if (value === null) continue;
      expect(() => handlerWith({ [name]: value })).toThrow(new TypeError(message(name)));
    }
  });

  it('of handlers, leases, polls, stops and drains accept only such times as well', async () => {
    const webhooks = handlerWith({ queue: memoryQueue({ allowVolatile: true }) });
    webhooks.on('*', () => undefined);
    for (const value of [LONGEST_MS + 1, Number.POSITIVE_INFINITY]) {
      expect(() => webhooks.on('*', () => undefined, { timeoutMs: value })).toThrow(message('timeoutMs'));
      expect(() => memoryQueue({ allowVolatile: true, leaseMs: value })).toThrow(message('leaseMs'));
      expect(() => sqliteStore(openDatabase(':memory:'), { leaseMs: value })).toThrow(message('leaseMs'));
      expect(() => sqliteQueue(openDatabase(':memory:'), { pollMs: value })).toThrow(message('pollMs'));
      await expect(webhooks.stop({ timeoutMs: value })).rejects.toThrow(message('timeoutMs'));
      await expect(webhooks.drain({ maxMs: value })).rejects.toThrow(message('maxMs'));
      expect(() => new WebhookTester('http://localhost', SECRET, { timeoutMs: value })).toThrow(message('timeoutMs'));
      for (const retryOptions of [{ baseMs: value }, { capMs: value }, { schedule: [value] }]) {
        expect(() => handlerWith({ retry: retryOptions })).toThrow(/at most 2147483647/);
      }
    }
    await webhooks.stop({ timeoutMs: 0 });
  });
});
