import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { channel, tracingChannel } from 'node:diagnostics_channel';
import type {
  HandlerTrace,
  ObservedReceiver,
  ProcessTrace,
  ReceiveTrace,
  WebhookHandlerOptions,
  WebhookTelemetry,
} from '@pathfinder/webhooks';
import { memoryStore, WebhookHandler } from '@pathfinder/webhooks';
import { memoryQueue } from '@pathfinder/webhooks/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered, bodyOf, deliveryOf, RETRY, refused, SECRET } from '../support/deliver.ts';
import { gate, receiverWith } from '../support/receiver.ts';

const hashOf = (body: Uint8Array) => createHash('sha256').update(body).digest('hex');

type Kind = 'receive' | 'process' | 'handler';

/** Subscribes to the five channels of a kind, and remembers what they tell, with a copy of the trace. */
function listen(kind: Kind) {
  const heard: [string, Record<string, unknown>][] = [];
  const at = (name: string) => (trace: object) => void heard.push([name, { ...trace }]);
  const subscribers = {
    start: at('start'),
    end: at('end'),
    asyncStart: at('asyncStart'),
    asyncEnd: at('asyncEnd'),
    error: at('error'),
  };
  const traced = tracingChannel(`pathfinder.webhooks.${kind}`);
  traced.subscribe(subscribers);
  onTestFinished(() => void traced.unsubscribe(subscribers));
  return heard;
}

/** Telemetry that remembers each trace as it was when the work had ended. */
function recordingTelemetry() {
  const ended: [Kind, ReceiveTrace | ProcessTrace | HandlerTrace][] = [];
  const hook = (kind: Kind) => (trace: object, run: () => void) => {
    run();
    return () => void ended.push([kind, { ...trace } as ReceiveTrace]);
  };
  const telemetry: WebhookTelemetry = { receive: hook('receive'), process: hook('process'), handler: hook('handler') };
  return { telemetry, ended };
}

/** Telemetry that remembers the receivers that it is shown, and nothing else. */
function onlooker() {
  const shown: ObservedReceiver[] = [];
  const attach = (receiver: ObservedReceiver) => {
    shown.push(receiver);
    return undefined;
  };
  return { telemetry: { attach } satisfies WebhookTelemetry, shown };
}

const EVENT = { eventId: 'evt_1', eventType: 'user.created', tenant: undefined };
const NOW = { now: () => 1_709_280_004_000 };
const RECEIVED = { created: 1_709_280_000, receivedAtMs: 1_709_280_004_000 };

function processTrace(more: object = {}) {
  const trace = { ...EVENT, created: 1_709_280_000, bodyBytes: bodyOf().length, queued: false, traceparent: undefined };
  return { ...trace, attempt: 1, replayed: false, apiVersion: '1.0', ...more };
}

describe('the diagnostics channels', () => {
  it('publish a delivery, its event and its handler from start to end', async () => {
    const [receives, processes, handlers] = [listen('receive'), listen('process'), listen('handler')];
    const { webhooks, receive } = receiverWith(NOW);
    webhooks.on('user.created', async () => undefined, { name: 'welcome' });
    expect(await receive()).toEqual(answered('processed', 1));
    await vi.waitFor(() => expect(receives.at(-1)?.[0]).toBe('asyncEnd'));
    expect(receives.map(([name]) => name)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(receives[0]).toEqual(['start', {}]);
    const received = { ...EVENT, ...RECEIVED, outcome: 'processed', failures: [], result: undefined };
    expect(receives[3]).toEqual(['asyncEnd', received]);
    const { attempt, replayed, apiVersion, ...atStart } = processTrace();
    expect(processes[0]).toEqual(['start', atStart]);
    expect(processes[3]).toEqual(['asyncEnd', processTrace({ outcome: 'processed', result: undefined })]);
    const handled = { ...EVENT, handlerName: 'welcome', attempt: 1 };
    expect(handlers[0]).toEqual(['start', handled]);
    expect(handlers[3]).toEqual(['asyncEnd', { ...handled, result: undefined }]);
  });

  it('publish each failed attempt with its error', async () => {
    const handlers = listen('handler');
    const { webhooks, receive } = receiverWith({ retry: { attempts: 2, baseMs: 1 } });
    const error = new Error('no');
    webhooks.on('*', () => Promise.reject(error), { name: 'failing' });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    const errors = handlers.filter(([name]) => name === 'error').map(([, trace]) => trace);
    expect(errors).toEqual([
      { ...EVENT, handlerName: 'failing', attempt: 1, error },
      { ...EVENT, handlerName: 'failing', attempt: 2, error },
    ]);
  });

  it('publish a failure for a handler that throws undefined before its first await', async () => {
    const handlers = listen('handler');
    const { webhooks, receive } = receiverWith({ retry: { attempts: 1 } });
    const nothing: unknown = undefined;
    webhooks.on(
      '*',
      () => {
        throw nothing;
      },
      { name: 'failing' },
    );
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    const error = new Error('The handler threw undefined.');
    expect(handlers.filter(([name]) => name === 'error')).toEqual([
      ['error', { ...EVENT, handlerName: 'failing', attempt: 1, error }],
    ]);
  });

  it('publish only the rejection code of a forged delivery', async () => {
    const heard: unknown[] = [];
    const rejected = channel('pathfinder.webhooks.rejected');
    const hear = (message: unknown) => void heard.push(message);
    rejected.subscribe(hear);
    onTestFinished(() => void rejected.unsubscribe(hear));
    const [receives, processes] = [listen('receive'), listen('process')];
    const { webhooks, receive } = receiverWith();
    webhooks.on('*', () => undefined);
    expect(await receive({}, { signature: `sha256=${'0'.repeat(64)}` })).toEqual(refused(401, 'invalid_signature'));
    await vi.waitFor(() => expect(receives.at(-1)?.[0]).toBe('asyncEnd'));
    expect(heard).toEqual([{ code: 'signature_mismatch' }]);
    const error = expect.objectContaining({ code: 'signature_mismatch' });
    expect(receives.at(-1)?.[1]).toEqual({ outcome: 'rejected', error });
    expect(processes).toEqual([]);
  });

  it('carry an AsyncLocalStorage store to the handler', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { start } = tracingChannel('pathfinder.webhooks.handler');
    start.bindStore(storage, (trace) => (trace as HandlerTrace).handlerName);
    onTestFinished(() => void start.unbindStore(storage));
    const { webhooks, receive } = receiverWith();
    const seen: unknown[] = [];
    webhooks.on('*', () => void seen.push(storage.getStore()), { name: 'inside' });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(seen).toEqual(['inside']);
  });
});

describe('telemetry hooks', () => {
  it('are called in the order handler, event, delivery', async () => {
    const { telemetry, ended } = recordingTelemetry();
    const { webhooks, receive } = receiverWith({ ...NOW, telemetry });
    webhooks.on('*', () => undefined, { name: 'welcome' });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(await receive()).toEqual(answered('duplicate'));
    await vi.waitFor(() => expect(ended).toHaveLength(5));
    const { attempt, replayed, ...unclaimed } = processTrace({ outcome: 'duplicate' });
    expect(ended).toEqual([
      ['handler', { ...EVENT, handlerName: 'welcome', attempt: 1 }],
      ['process', processTrace({ outcome: 'processed' })],
      ['receive', { ...EVENT, ...RECEIVED, outcome: 'processed', failures: [] }],
      ['process', unclaimed],
      ['receive', { ...EVENT, ...RECEIVED, outcome: 'duplicate', failures: [] }],
    ]);
  });

  it('run the work inside their own context', async () => {
    const storage = new AsyncLocalStorage<string>();
    const within = (name: string) => (_: object, run: () => void) => {
      storage.run(`${storage.getStore() ?? ''}/${name}`, run);
      return undefined;
    };
    const telemetry = { receive: within('receive'), process: within('process'), handler: within('handler') };
    const { webhooks, receive } = receiverWith({ telemetry });
    const seen: (string | undefined)[] = [];
    webhooks.on('*', async () => void seen.push(storage.getStore()), { name: 'plain' });
    webhooks.on('*', () => void seen.push(storage.getStore()), { name: 'lane', serialBy: () => 'one' });
    expect(await receive()).toEqual(answered('processed', 2));
    expect(seen).toEqual(['/receive/process/handler', '/receive/process/handler']);
  });

  const misbehaving: Record<string, WebhookTelemetry> = {
    'throws before it starts the work': {
      attach: throwing,
      receive: throwing,
      process: throwing,
      handler: throwing,
      traceparent: throwing,
    },
    'throws after it started the work': { receive: startAndThrow, process: startAndThrow, handler: startAndThrow },
    'throws at the end': {
      receive: startAndThrowAtTheEnd,
      process: startAndThrowAtTheEnd,
      handler: startAndThrowAtTheEnd,
    },
    'rejects, and never starts the work': { receive: reject, process: reject, handler: reject },
    'starts the work again': { receive: startLate, process: startLate, handler: startLate },
    'never answers': { receive: hang, process: hang, handler: hang },
  };

  it.each(Object.entries(misbehaving))('cannot affect the outcome when one %s', async (_, telemetry) => {
    const { webhooks, receive } = receiverWith({ telemetry, retry: { attempts: 1 } });
    let runs = 0;
    webhooks.on('user.created', () => void runs++);
    webhooks.on('user.deleted', () => Promise.reject(new Error('no')));
    expect(await receive()).toEqual(answered('processed', 1));
    expect(await receive()).toEqual(answered('duplicate'));
    expect(await receive({ id: 'evt_2', type: 'user.deleted', data: { user_id: 'u' } })).toEqual(
      answered('failed', 1, 1, 500),
    );
    expect(await receive({}, { signature: undefined })).toEqual(refused(401, 'invalid_signature'));
    expect(runs).toBe(1);
  });

  it('are rejected when they are not an object', () => {
    for (const telemetry of [null, 'otel', { receive: 'no function' }, { attach: 1 }]) {
      const options = { secret: SECRET, telemetry } as unknown as WebhookHandlerOptions;
      expect(() => new WebhookHandler(options)).toThrow(
        new TypeError('`telemetry` must be an object of hooks, such as otel() makes.'),
      );
    }
  });

  it('receive a hanging handler at its deadline', async () => {
    const { telemetry, ended } = recordingTelemetry();
    const { webhooks, receive } = receiverWith({ telemetry, handlerTimeoutMs: 20, retry: { attempts: 1 } });
    const never = gate();
    webhooks.on('*', () => never.promise, { name: 'hanging' });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    await vi.waitFor(() => expect(ended.map(([kind]) => kind)).toEqual(['handler', 'receive']));
    const error = expect.objectContaining({ code: 'handler_timeout' });
    expect(ended[0]?.[1]).toEqual({ ...EVENT, handlerName: 'hanging', attempt: 1, error });
    // The event itself goes on until the store knows how it ended.
    never.open();
    await vi.waitFor(() => expect(ended).toHaveLength(3));
    expect(ended[2]).toMatchObject(['process', { outcome: 'processed' }]);
  });

  it('receive a queued event with its request, attempts and death', async () => {
    const { telemetry, ended } = recordingTelemetry();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const queue = memoryQueue({ allowVolatile: true });
    const { webhooks, receive } = receiverWith({
      queue,
      telemetry: { ...telemetry, traceparent: () => traceparent },
      retry: { attempts: 2, baseMs: 1, jitter: 'none' },
    });
    const error = new Error('no');
    webhooks.on('*', () => Promise.reject(error), { name: 'failing' });
    await webhooks.start();
    onTestFinished(() => webhooks.stop());
    expect(await receive({}, { headers: { traceparent: traceparent.replace('b7ad', 'beef') } })).toEqual(
      answered('queued', 0, 0, 202),
    );
    const runs = () => ended.filter(([kind]) => kind === 'process').map(([, trace]) => trace);
    await vi.waitFor(() => expect(runs()).toHaveLength(2));
    const failures = [{ handlerName: 'failing', error }];
    const queued = { queued: true, traceparent, failures };
    expect(runs()).toEqual([
      processTrace({ ...queued, outcome: 'failed' }),
      processTrace({ ...queued, attempt: 2, outcome: 'dead' }),
    ]);
    expect(await queue.deadLetters.replay([{ id: 'evt_1' }])).toBe(1);
    await vi.waitFor(() => expect(runs()).toHaveLength(4));
    expect(runs()[2]).toEqual(processTrace({ ...queued, replayed: true, outcome: 'failed' }));
  });

  it('use the request’s trace header when telemetry returns nothing valid', async () => {
    const header = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    for (const traceparent of ['junk', '', undefined, 7, {}, header.replace('00-', 'zz-')]) {
      const { telemetry, ended } = recordingTelemetry();
      const queue = memoryQueue({ allowVolatile: true });
      const given = { ...telemetry, traceparent: () => traceparent as string };
      const { webhooks, receive } = receiverWith({ queue, telemetry: given });
      webhooks.on('*', () => undefined);
      await receive({}, { headers: { traceparent: header } });
      await webhooks.drain({ maxMs: 1000 });
      expect(ended.find(([kind]) => kind === 'process')?.[1]).toMatchObject({ traceparent: header });
    }
  });

  it('receive the handler at construction and again after a stop', async () => {
    const calls: string[] = [];
    let shown: ObservedReceiver | undefined;
    const telemetry: WebhookTelemetry = {
      attach(receiver) {
        calls.push('attach');
        shown = receiver;
        return () => void calls.push('detach');
      },
    };
    const queue = memoryQueue({ allowVolatile: true });
    const { webhooks, receive } = receiverWith({ queue, telemetry });
    webhooks.on('*', () => undefined);
    expect(shown?.eventTypes).toHaveLength(19);
    await receive();
    expect(await shown?.stats?.()).toMatchObject({ ready: 1, active: 0, delayed: 0, dead: 0, unhandled: 0 });
    await webhooks.stop();
    await webhooks.stop();
    await webhooks.start();
    await webhooks.stop();
    expect(calls).toEqual(['attach', 'detach', 'attach', 'detach']);
  });

  it("receive an error when a queue's stats fail", async () => {
    const queue = { ...memoryQueue({ allowVolatile: true }), stats: () => new Promise<never>(() => undefined) };
    const { telemetry, shown } = onlooker();
    receiverWith({ queue, telemetry, storeTimeoutMs: 20 });
    await expect(shown[0]?.stats?.()).rejects.toMatchObject({ code: 'queue_unavailable' });
  });

  it('receive the declared types', () => {
    const { telemetry, shown } = onlooker();
    const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } as const;
    new WebhookHandler({ secret: SECRET, telemetry, events: { 'own.type': schema } });
    expect([shown[0]?.eventTypes.length, shown[0]?.eventTypes.includes('own.type'), shown[0]?.stats]).toEqual([
      20,
      true,
      undefined,
    ]);
  });

  it('receive the event whose outcome could not be stored', async () => {
    const { telemetry, ended } = recordingTelemetry();
    const store = { ...memoryStore(), complete: () => Promise.reject(new Error('down')) };
    const { webhooks, receive } = receiverWith({ ...NOW, telemetry, store });
    webhooks.on('*', () => undefined, { name: 'welcome' });
    expect(await receive()).toEqual(refused(503, 'store_unavailable', RETRY));
    const error = expect.objectContaining({ code: 'store_unavailable' });
    const { apiVersion, ...unread } = processTrace({ error });
    expect(ended).toEqual([
      ['handler', { ...EVENT, handlerName: 'welcome', attempt: 1 }],
      ['process', unread],
      ['receive', { ...EVENT, ...RECEIVED, outcome: 'rejected', error }],
    ]);
  });

  it('receive a conflict and an event that runs elsewhere', async () => {
    const { telemetry, ended } = recordingTelemetry();
    const store = memoryStore();
    await store.claim('evt_2', { leaseMs: 30_000, bodyHash: hashOf(bodyOf({ id: 'evt_2' })) });
    const { webhooks, receive } = receiverWith({ telemetry, store });
    webhooks.on('*', () => undefined, { name: 'welcome' });
    await receive();
    expect((await receive({ api_version: '2.0' })).status).toBe(409);
    expect((await receive({ id: 'evt_2' })).status).toBe(503);
    const outcomes = ended.filter(([kind]) => kind === 'process').map(([, trace]) => (trace as ProcessTrace).outcome);
    expect(outcomes).toEqual(['processed', 'conflict', 'in_progress']);
  });

  it('receive what `handle` receives as well', async () => {
    const { telemetry, ended } = recordingTelemetry();
    const { webhooks } = receiverWith({ ...NOW, telemetry });
    const { body, header } = deliveryOf(bodyOf());
    expect((await webhooks.handle(body, header('x-pathfinder-signature'))).status).toBe('unhandled');
    await expect(webhooks.handle(body, 'sha256=junk')).rejects.toMatchObject({ code: 'malformed_signature' });
    await vi.waitFor(() => expect(ended.filter(([kind]) => kind === 'receive')).toHaveLength(2));
    const received = ended.filter(([kind]) => kind === 'receive').map(([, trace]) => trace);
    const error = expect.objectContaining({ code: 'malformed_signature' });
    expect(received).toEqual([
      { ...EVENT, ...RECEIVED, outcome: 'unhandled', failures: [] },
      { outcome: 'rejected', error },
    ]);
  });
});

function throwing(): never {
  throw new Error('telemetry is broken');
}

function startAndThrow(_: object, run: () => void): never {
  run();
  throw new Error('telemetry is broken');
}

function startAndThrowAtTheEnd(_: object, run: () => void): () => void {
  run();
  return throwing;
}

// Hooks that a program in JavaScript may have, against the type.
const reject = (() => Promise.reject(new Error('telemetry is broken'))) as unknown as () => undefined;
const hang = (() => new Promise(() => undefined)) as unknown as () => undefined;

function startLate(_: object, run: () => void): undefined {
  run();
  setTimeout(run, 5);
}
