import { setTimeout as delay } from 'node:timers/promises';
import {
  isWebhookError,
  LeaseLostError,
  memoryStore,
  type NoEventSchemas,
  NonRetryableError,
  RetryAfterError,
  type StandardSchemaV1,
  WebhookErrorHandler,
  WebhookHandler,
  type WebhookHandlerOptions,
  type WebhookStore,
} from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered, bodyOf, deliveryOf, RETRY, recordingLogger, refused, SECRET, sign } from '../support/deliver.ts';
import { gate } from '../support/receiver.ts';

type Options = Partial<WebhookHandlerOptions>;

function create(options: Options = {}) {
  const logger = recordingLogger();
  const errors: (readonly [unknown, string | undefined])[] = [];
  const onError = (error: unknown, event?: { readonly id: string }) => void errors.push([error, event?.id]);
  const webhooks = new WebhookHandler({
    secret: SECRET,
    logger,
    onError,
    retry: { baseMs: 1 },
    ...options,
  } as WebhookHandlerOptions<NoEventSchemas>);
  const receive = (overrides = {}, more = {}) => webhooks.receive(deliveryOf(bodyOf(overrides), more));
  return { webhooks, logger, errors, receive };
}

function codesOf(errors: readonly (readonly [unknown, string | undefined])[]) {
  return errors.map(([error, id]) => [isWebhookError(error) ? error.code : String(error), id]);
}

function storeWith(parts: Partial<WebhookStore>): WebhookStore {
  return { ...memoryStore(), ...parts };
}

describe('a delivery', () => {
  it('works through the documented short form and its route', async () => {
    const webhooks = new WebhookHandler(SECRET);
    const seen: unknown[] = [];
    webhooks.on('user.created', ({ data }) => void seen.push(data.user.email));
    const result = await webhooks.handle(bodyOf(), sign(bodyOf()));
    expect({ success: true, ...result }).toEqual({ success: true, status: 'processed', processed: 1, failed: 0 });
    expect([result.event.id, result.failures]).toEqual(['evt_1', []]);
    expect(webhooks.reply(result)).toEqual(answered('processed', 1));
    expect(seen).toEqual(['ada@example.com']);
    expect(await webhooks.handle(bodyOf().toString(), sign(bodyOf()))).toMatchObject({ status: 'duplicate' });
    expect(await webhooks.handle(new Uint8Array(bodyOf()).buffer, sign(bodyOf()))).toMatchObject({
      status: 'duplicate',
    });
    expect(webhooks.verifySignature(bodyOf(), sign(bodyOf()))).toBe(true);
    expect(webhooks.verifySignature(bodyOf(), sign(bodyOf(), 'x'))).toBe(false);
  });

  it('is rejected with a coded error when it cannot be trusted or read', async () => {
    const { webhooks } = create();
    const codeOf = (payload: unknown, signature: string | undefined) =>
      webhooks.handle(payload as Uint8Array, signature).then(
        () => 'none',
        (error) => [error.name, error.code, error.status],
      );
    expect(await codeOf(bodyOf(), undefined)).toEqual(['WebhookError', 'missing_signature', 401]);
    expect(await codeOf(bodyOf(), 'nonsense')).toEqual(['WebhookError', 'malformed_signature', 401]);
    expect(await codeOf(bodyOf(), sign('x'))).toEqual(['WebhookError', 'signature_mismatch', 401]);
    expect(await codeOf({ id: 1 }, sign('x'))).toEqual(['WebhookError', 'body_already_parsed', 500]);
    expect(await codeOf(undefined, sign('x'))).toEqual(['WebhookError', 'body_already_parsed', 500]);
    expect(await codeOf('{', sign('{'))).toEqual(['WebhookError', 'invalid_json', 400]);
    const large = Buffer.alloc(1_048_577);
    expect(await codeOf(large, sign(large))).toEqual(['WebhookError', 'body_too_large', 413]);
  });

  it('touches no store, log or hook when it is forged, and is counted by its code alone', async () => {
    const touched: PropertyKey[] = [];
    const store = new Proxy(memoryStore(), {
      get(target, name) {
        if (typeof Reflect.get(target, name) === 'function') touched.push(name);
        return Reflect.get(target, name);
      },
    });
    const { webhooks, logger, errors, receive } = create({ store, onError: () => touched.push('onError') });
    let runs = 0;
    webhooks.on('*', () => void runs++);
    touched.length = 0;
    const forged = { signature: sign(bodyOf(), 'another secret') };
    for (const fields of [{}, { ssl_check: 1 }, { challenge: 'x' }, { type: 'url_verification' }, { test: true }]) {
      expect(await receive(fields, forged)).toEqual(refused(401, 'invalid_signature'));
    }
    const { rejected, received, byType } = webhooks.metrics.getStats();
    expect({
      touched,
      lines: logger.lines,
      errors,
      runs,
      rejected: { ...rejected },
      received,
      byType: { ...byType },
    }).toEqual({
      touched: [],
      lines: [],
      errors: [],
      runs: 0,
      rejected: { signature_mismatch: 5 },
      received: 0,
      byType: {},
    });
    expect(await receive()).toEqual(answered('processed', 1));
  });

  it('rejects a promise of a delivery that rejects', async () => {
    const { webhooks, logger } = create();
    expect(await webhooks.receive(Promise.reject(new Error('a bug in an adapter')))).toEqual(
      refused(500, 'handler_failed'),
    );
    expect(logger.lines.map(({ level }) => level)).toEqual(['error']);
  });

  it('returns a verified event to code that dispatches by itself', async () => {
    const { webhooks } = create();
    const delivery = deliveryOf(bodyOf());
    expect(await webhooks.admit(delivery)).toMatchObject({ event: { id: 'evt_1' }, tenant: undefined });
    expect(await webhooks.admit(delivery)).toMatchObject({ event: { id: 'evt_1' } });
    const forged = deliveryOf(bodyOf(), { signature: sign('x') });
    expect(await webhooks.admit(forged)).toEqual({ reply: refused(401, 'invalid_signature') });
  });
});

describe('handlers', () => {
  it('run once each when they are registered by name, pattern and array', async () => {
    const { webhooks, receive } = create();
    const ran: string[] = [];
    const note = (name: string) => () => void ran.push(name);
    webhooks.on('user.created', note('name')).on('user.*', note('prefix')).on('*', note('all'));
    webhooks.on(['user.created', 'user.*', 'user.deleted'], note('array')).on('auth.*', note('never'));
    expect(await receive()).toEqual(answered('processed', 4));
    expect(ran).toEqual(['name', 'prefix', 'all', 'array']);
    expect(await receive({ id: 'evt_2', type: 'user.brand_new' })).toEqual(answered('processed', 1));
    expect(ran.slice(4)).toEqual(['all']);
    expect(webhooks.eventTypes).toHaveLength(19);
  });

  it('stop running after off, and can be added while an event runs', async () => {
    const { webhooks, receive } = create();
    const late = vi.fn();
    const first = vi.fn(() => void webhooks.on('*', late, { name: 'late' }));
    webhooks.on('*', first, { name: 'first' });
    expect(await receive()).toEqual(answered('processed', 1));
    webhooks.off('*', first);
    expect(await receive({ id: 'evt_2' })).toEqual(answered('processed', 1));
    expect([first.mock.calls.length, late.mock.calls.length]).toEqual([1, 1]);
    webhooks.off('*', late);
    expect(await receive({ id: 'evt_3' })).toEqual(answered('unhandled'));
    expect(webhooks.eventTypes).toEqual([]);
  });

  it('run again alone after a failure, and keep counting their attempts', async () => {
    const { webhooks, errors, receive } = create();
    const attempts: number[] = [];
    const sound = vi.fn();
    webhooks.on('*', sound, { name: 'sound' }).on(
      '*',
      (_, { attempt }) => {
        attempts.push(attempt);
        if (attempt < 5) throw new Error('not yet');
      },
      { name: 'flaky' },
    );
    expect(await receive()).toEqual(answered('failed', 2, 1, 500));
    expect(await receive()).toEqual(answered('processed', 1));
    expect(await receive()).toEqual(answered('duplicate'));
    expect(attempts).toEqual([1, 2, 3, 4, 5]);
    expect(sound).toHaveBeenCalledTimes(1);
    expect(codesOf(errors)).toEqual(Array(4).fill(['Error: not yet', 'evt_1']));
  });

  it('receive the documented context, also by destructuring', async () => {
    const { webhooks, logger, receive } = create();
    const seen: unknown[] = [];
    webhooks.on('user.*', async function welcome(_, context) {
      const {
        attempt,
        idempotencyKey,
        fencingToken,
        handlerName,
        tenant,
        rawBody,
        logger: own,
        once,
        isStale,
        signal,
      } = context;
      expect(await once('step', () => 1)).toBe(1);
      expect(await isStale('user_1')).toBe(false);
      const bytes = Buffer.from(rawBody).equals(bodyOf());
      seen.push([attempt, idempotencyKey, fencingToken, handlerName, tenant, bytes, signal.aborted]);
      own.warn({ handler: handlerName }, 'seen');
      expect([context.tx, context.commit]).toEqual([undefined, undefined]);
    });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(seen).toEqual([[1, 'evt_1:user.*#welcome', 1, 'welcome', undefined, true, false]]);
    expect(logger.lines).toEqual([{ level: 'warn', fields: { handler: 'welcome' }, message: 'seen' }]);
  });

  const trap = Object.defineProperty({}, 'message', {
    get() {
      throw new Error('trap');
    },
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['text', 'text'],
    ['a frozen object', Object.freeze({})],
    ['an object with a trap', trap],
  ])('can throw anything: %s', async (_, thrown) => {
    const { webhooks, receive } = create();
    webhooks.on('*', () => {
      throw thrown;
    });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
  });

  it('do not run again in the request after a NonRetryableError or beyond the deadline', async () => {
    for (const error of [new NonRetryableError('no'), new RetryAfterError('later', 60_000)]) {
      const { webhooks, receive } = create();
      const work = vi.fn(() => Promise.reject(error));
      webhooks.on('*', work);
      expect(await receive()).toEqual(answered('failed', 1, 1, 500));
      expect(await receive()).toEqual(answered('failed', 1, 1, 500));
      expect(work).toHaveBeenCalledTimes(2);
    }
  });

  it('accept their own retry options', async () => {
    const { webhooks, receive } = create();
    const work = vi.fn(() => Promise.reject(new Error('no')));
    webhooks.on('*', work, { retry: { attempts: 5 } });
    await receive();
    expect(work).toHaveBeenCalledTimes(5);
  });

  it('are named by option, function or position, and an ambiguous name is rejected', () => {
    const { webhooks } = create({ store: storeWith({ durable: true }) });
    webhooks.on('*', () => undefined);
    expect(() => webhooks.on('*', () => undefined)).toThrow(/Two unnamed handlers on '\*': pass \{ name \}/);
    webhooks.on('user.*', () => undefined).on('*', () => undefined, { name: 'second' });
    expect(() => webhooks.on('*', () => undefined, { name: 'second' })).toThrow(/already registered/);
    expect(() => webhooks.on('*', () => undefined, { name: 'a b' })).toThrow(/A handler name has 1 to 64/);
    expect(() => webhooks.on([], () => undefined)).toThrow(/at least one/);
    expect(() => webhooks.on('*', 'no function' as never)).toThrow(/must be a function/);
    expect(() => webhooks.on('*', () => undefined, { name: 'tx', transaction: true })).toThrow(
      /needs a store with transactions/,
    );
    const volatile = create().webhooks;
    volatile.on('*', () => undefined).on('*', () => undefined);
  });

  it('for an unknown event name cause a warning that suggests the nearest', () => {
    const { webhooks, logger } = create();
    webhooks.on('user.craeted' as 'user.created', () => undefined).on('billing.*' as '*', () => undefined);
    expect(logger.lines.map(({ message }) => message)).toEqual([
      "No known webhook event matches 'user.craeted'. Did you mean 'user.created'?",
      "No known webhook event matches 'billing.*'. Declare newer types in `events`.",
    ]);
  });
});

describe('the handler deadline', () => {
  it('responds 500, aborts the signal and prevents a second run of the event', async () => {
    const { webhooks, errors, receive } = create({ handlerTimeoutMs: 40, retry: { attempts: 1 } });
    let release = () => {};
    const reasons: unknown[] = [];
    const work = vi.fn((_: unknown, { signal }: { readonly signal: AbortSignal }) => {
      signal.addEventListener('abort', () => reasons.push(signal.reason));
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    webhooks.on('*', work);
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(reasons.map((reason) => isWebhookError(reason, 'handler_timeout'))).toEqual([true]);
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(work).toHaveBeenCalledTimes(1);
    release();
    await vi.waitFor(async () => expect(await receive()).toEqual(answered('duplicate')));
    expect(work).toHaveBeenCalledTimes(1);
    expect(codesOf(errors)).toEqual([['handler_timeout', 'evt_1']]);
  });

  it('releases the event when the handler fails after it', async () => {
    const { webhooks, receive } = create({ handlerTimeoutMs: 30 });
    let runs = 0;
    webhooks.on('*', async (_, { signal }) => {
      if (++runs > 1) return;
      await delay(60_000, undefined, { signal });
    });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    await vi.waitFor(async () => expect(await receive()).toEqual(answered('processed', 1)));
    expect(runs).toBe(2);
  });

  it('can be set for each handler', async () => {
    const { webhooks, receive } = create();
    webhooks.on('*', () => delay(5000, undefined, { ref: false }), { timeoutMs: 20 });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
  });
});

describe('context.once', () => {
  it('keeps the result of a step for later attempts', async () => {
    const { webhooks, receive } = create();
    const charge = vi.fn(() => ({ id: 'ch_1' }));
    const nothing = vi.fn(() => undefined);
    const got: unknown[] = [];
    webhooks.on('*', async (_, { once, attempt }) => {
      got.push(await Promise.all([once('charge', charge), once('charge', charge), once('none', nothing)]));
      if (attempt < 5) throw new Error('later');
    });
    await receive();
    expect(await receive()).toEqual(answered('processed', 1));
    expect(got).toEqual(Array(5).fill([{ id: 'ch_1' }, { id: 'ch_1' }, undefined]));
    expect([charge.mock.calls.length, nothing.mock.calls.length]).toEqual([1, 1]);
  });

  it('does not keep a failure', async () => {
    const { webhooks, receive } = create();
    let runs = 0;
    webhooks.on('*', (_, { once }) =>
      once('step', () => {
        if (++runs < 3) throw new Error('again');
      }),
    );
    expect(await receive()).toEqual(answered('processed', 1));
    expect(runs).toBe(3);
  });

  it.each([
    ['a b', 1, /A step name has/],
    ['big', 'x'.repeat(8192), /over 8 kB/],
  ])('rejects the step name %j with a cure', async (step, value, message) => {
    const { webhooks, errors, receive } = create({ retry: { attempts: 1 } });
    webhooks.on('*', (_, { once }) => once(step, () => value));
    await receive();
    expect(errors.map(([error]) => error)).toEqual([
      expect.objectContaining({ message: expect.stringMatching(message) }),
    ]);
  });

  it('stops a handler whose event another worker has taken over', async () => {
    const store = memoryStore();
    const { webhooks, errors, receive } = create({ store: { ...store, checkpoint: async () => 'lost' } });
    webhooks.on('*', (_, { once }) => once('step', () => 1));
    expect(await receive()).toEqual(refused(503, 'in_progress', RETRY));
    expect(errors.map(([error]) => error)).toEqual([new LeaseLostError()]);
  });
});

describe('context.isStale', () => {
  it('returns true for events older than the newest one this handler applied', async () => {
    const { webhooks, receive } = create();
    const seen: (readonly [string, number, boolean])[] = [];
    webhooks.on('*', async ({ id, created }, { isStale, attempt }) => {
      seen.push([id, created, await isStale('user_1')]);
      if (id === 'fails' && attempt < 9) throw new Error('no');
    });
    for (const [id, created] of [
      ['a', 10],
      ['fails', 30],
      ['b', 20],
      ['c', 20],
      ['d', 19],
    ] as const)
      await receive({ id, created });
    expect(seen.filter(([id]) => id !== 'fails')).toEqual([
      ['a', 10, false],
      ['b', 20, false],
      ['c', 20, false],
      ['d', 19, true],
    ]);
  });
});

describe('duplicates', () => {
  it('run once when two hundred arrive at the same time', async () => {
    const { webhooks, receive } = create();
    const work = vi.fn(() => delay(20));
    webhooks.on('*', work);
    const replies = await Promise.all(Array.from({ length: 200 }, () => receive()));
    expect(work).toHaveBeenCalledTimes(1);
    expect(replies.filter(({ body }) => body.includes('"processed","processed":1'))).toHaveLength(1);
    expect(replies.filter(({ body }) => body.includes('"duplicate"'))).toHaveLength(199);
  });

  it('share the failure of the run that they waited for', async () => {
    const { webhooks, receive } = create({ retry: { attempts: 1 } });
    webhooks.on('*', () => delay(20).then(() => Promise.reject(new Error('no'))));
    expect(await Promise.all([receive(), receive()])).toEqual(Array(2).fill(answered('failed', 1, 1, 500)));
  });

  it('wait five seconds at most', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { webhooks, receive } = create({ handlerTimeoutMs: 60_000 });
    let release = () => {};
    webhooks.on(
      '*',
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    );
    const first = receive();
    await vi.advanceTimersByTimeAsync(1);
    const second = receive();
    await vi.advanceTimersByTimeAsync(5000);
    expect(await second).toEqual(refused(503, 'in_progress', RETRY));
    release();
    expect(await first).toEqual(answered('processed', 1));
  });

  it('with a different body are conflicts during the first run and afterwards', async () => {
    const { webhooks, errors, receive } = create();
    webhooks.on('*', () => delay(20));
    const [first, second] = await Promise.all([receive(), receive({ created: 5 })]);
    expect([first, second]).toEqual([answered('processed', 1), refused(409, 'id_conflict')]);
    expect(await receive({ created: 6 })).toEqual(refused(409, 'id_conflict'));
    expect(codesOf(errors)).toEqual(Array(2).fill(['id_conflict', 'evt_1']));
  });

  it('with a different body replace a failed event, with a warning', async () => {
    const { webhooks, logger, receive } = create({ retry: { attempts: 1 } });
    const sound = vi.fn();
    webhooks.on('*', sound, { name: 'sound' }).on('*', ({ created }) => {
      if (created !== 5) throw new Error('no');
    });
    expect(await receive()).toEqual(answered('failed', 2, 1, 500));
    expect(await receive({ created: 5 })).toEqual(answered('processed', 2));
    expect(sound).toHaveBeenCalledTimes(2);
    expect(logger.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
      'A failed event came back with other bytes; they replace the old ones',
    ]);
  });

  it('of an unhandled event are not remembered', async () => {
    const { webhooks, receive } = create();
    expect(await receive()).toEqual(answered('unhandled'));
    webhooks.on('*', () => undefined);
    expect(await receive()).toEqual(answered('processed', 1));
    expect(webhooks.metrics.getStats()).toMatchObject({ unhandled: 1, processed: 1, received: 1, duplicates: 0 });
  });

  it('of a dead event revive it', async () => {
    const store = memoryStore();
    const { webhooks, receive } = create({ store });
    webhooks.on('*', () => undefined);
    const { createHash } = await import('node:crypto');
    const bodyHash = createHash('sha256').update(bodyOf()).digest('hex');
    const claim = await store.claim('evt_1', { leaseMs: 1000, bodyHash });
    if (claim.status !== 'acquired') throw new Error('not acquired');
    await store.fail('evt_1', claim.token, { dead: 'failed', error: 'x' });
    expect(await receive()).toEqual(answered('processed', 1));
  });
});

describe('tenants', () => {
  const tenants: Record<string, string> = { a: 'secret of a, long enough', b: 'secret of b, long enough' };

  it('are found without reading the body, and share no event ids', async () => {
    const heads: unknown[] = [];
    const { webhooks } = create({
      secret: (head) => {
        heads.push(['body' in head && head.body, head.params]);
        const secret = tenants[head.params?.tenant ?? ''];
        return secret === undefined ? undefined : { secret, tenant: head.params?.tenant ?? '' };
      },
    });
    const seen: unknown[] = [];
    webhooks.on('*', (_, context) => void seen.push([context.tenant, context.idempotencyKey]));
    const send = (tenant: string, secret: string | undefined) =>
      webhooks.receive(deliveryOf(bodyOf(), { params: { tenant }, signature: sign(bodyOf(), secret) }));
    expect(await send('a', tenants.a)).toEqual(answered('processed', 1));
    expect(await send('b', tenants.b)).toEqual(answered('processed', 1));
    expect(await send('a', tenants.a)).toEqual(answered('duplicate'));
    expect(await send('a', tenants.b)).toEqual(refused(401, 'invalid_signature'));
    expect(await send('c', tenants.a)).toEqual(refused(401, 'invalid_signature'));
    expect(await send('c', 'there is no such tenant')).toEqual(refused(401, 'invalid_signature'));
    expect(seen).toEqual([
      ['a', 'a:evt_1:*#(1)'],
      ['b', 'b:evt_1:*#(1)'],
    ]);
    expect(() => webhooks.verifySignature(bodyOf(), sign(bodyOf()))).toThrow(/needs a fixed secret/);
  });

  it('keeps the newest version of an entity apart for each tenant', async () => {
    const { webhooks } = create({ secret: ({ params }) => ({ secret: SECRET, tenant: params?.tenant ?? '' }) });
    const seen: unknown[] = [];
    webhooks.on('*', async ({ id }, { isStale, tenant }) => void seen.push([tenant, id, await isStale('user_1')]));
    const send = (tenant: string, id: string, created: number) =>
      webhooks.receive(deliveryOf(bodyOf({ id, created }), { params: { tenant } }));
    await send('a', 'evt_1', 30);
    await send('b', 'evt_2', 20);
    await send('a', 'evt_3', 20);
    expect(seen).toEqual([
      ['a', 'evt_1', false],
      ['b', 'evt_2', false],
      ['a', 'evt_3', true],
    ]);
  });

  it('runs events of two tenants side by side in lanes of the same name', async () => {
    const { webhooks } = create({ secret: ({ params }) => ({ secret: SECRET, tenant: params?.tenant ?? '' }) });
    const both = gate();
    const running: unknown[] = [];
    const meet = async (_: unknown, { tenant }: { readonly tenant?: string | undefined }) => {
      running.push(tenant);
      if (running.length === 2) both.open();
      await both.promise;
    };
    webhooks.on('*', meet, { name: 'meet', serialBy: () => 'user_1' });
    const send = (tenant: string) => webhooks.receive(deliveryOf(bodyOf(), { params: { tenant } }));
    expect(await Promise.all([send('a'), send('b')])).toEqual([answered('processed', 1), answered('processed', 1)]);
    expect(running.sort()).toEqual(['a', 'b']);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('vault down'))],
    ['returns no usable secret', () => ({ secret: ' ', tenant: 'a' })],
    ['returns no usable tenant', () => ({ secret: SECRET, tenant: 'a\nb' })],
  ])('get 503 when the secret function %s', async (_, secret) => {
    const { logger, receive } = create({ secret });
    expect(await receive()).toEqual(refused(503, 'secret_unavailable', RETRY));
    expect(logger.lines.map(({ level }) => level)).toEqual(['error']);
  });

  it('get 503 when the secret function takes over five seconds', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { receive } = create({ secret: () => new Promise(() => undefined) });
    const reply = receive();
    await vi.advanceTimersByTimeAsync(5000);
    expect(await reply).toEqual(refused(503, 'secret_unavailable', RETRY));
  });
});

describe('the age limit', () => {
  const at = 1_709_280_000;

  it.each([
    [at - 100, answered('processed', 1)],
    [at - 101, refused(400, 'too_old')],
    [at + 300, answered('processed', 1)],
    [at + 301, refused(400, 'too_new')],
  ])('judges an event created at %i to the second', async (created, reply) => {
    const { webhooks, receive } = create({ maxAgeSeconds: 100, now: () => at * 1000 });
    webhooks.on('*', () => undefined);
    expect(await receive({ created })).toEqual(reply);
  });

  it('is checked once, so that a known event can be finished', async () => {
    let nowMs = at * 1000;
    const { webhooks, receive } = create({ maxAgeSeconds: 100, now: () => nowMs });
    let fails = true;
    webhooks.on('*', () => {
      if (fails) throw new Error('no');
    });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    nowMs += 200_000;
    fails = false;
    expect(await receive()).toEqual(answered('processed', 1));
    expect(await receive()).toEqual(answered('duplicate'));
    expect(await receive({ id: 'evt_2' })).toEqual(refused(400, 'too_old'));
  });

  it('rejects an event from the future, even a known one', async () => {
    let nowMs = at * 1000;
    const { webhooks, receive } = create({ maxAgeSeconds: 100, now: () => nowMs });
    webhooks.on('*', () => undefined);
    expect(await receive()).toEqual(answered('processed', 1));
    nowMs -= 301_000;
    expect(await receive()).toEqual(refused(400, 'too_new'));
  });

  it('rejects a replay after the retention for good', async () => {
    let nowMs = at * 1000;
    const now = () => nowMs;
    const { webhooks, receive } = create({
      store: memoryStore({ retentionMs: 400_000, now }),
      maxAgeSeconds: 100,
      now,
    });
    let runs = 0;
    webhooks.on('*', () => void runs++);
    for (const seconds of [0, 99, 1, 200, 99, 1, 1, 1e6]) {
      nowMs += seconds * 1000;
      await receive();
    }
    expect(runs).toBe(1);
  });
});

describe('validation', () => {
  it('reports paths without values when data departs from the schema, and runs the handler', async () => {
    const { webhooks, logger, errors, receive } = create();
    webhooks.on('*', () => undefined);
    const data = { user: { id: 'canary-1', username: 5, email: 'a' } };
    expect(await receive({ data })).toEqual(answered('processed', 1));
    expect(codesOf(errors)).toEqual([['invalid_data', 'evt_1']]);
    expect(String(errors[0]?.[0])).toContain('At data.user.username.');
    expect(JSON.stringify(logger.lines) + String(errors[0]?.[0])).not.toContain('canary-1');
  });

  const schema = (validate: StandardSchemaV1['~standard']['validate']): StandardSchemaV1 => ({
    '~standard': { version: 1, vendor: 'test', validate },
  });

  it('accepts custom schemas, whose output replaces data', async () => {
    const events = {
      'billing.paid': schema(async (value) => ({ value: { amount: Number((value as { amount: string }).amount) } })),
      'user.created': schema(() => ({ value: 'replaced' })),
    };
    const { webhooks, receive } = create({ events });
    const seen: unknown[] = [];
    webhooks.on('*', ({ data }) => void seen.push(data));
    expect(await receive({ type: 'billing.paid', data: { amount: '5' } })).toEqual(answered('processed', 1));
    expect(await receive({ id: 'evt_2' })).toEqual(answered('processed', 1));
    expect(seen).toEqual([{ amount: 5 }, 'replaced']);
    expect(webhooks.eventTypes).toContain('billing.paid');
  });

  it.each([
    ['issues', () => ({ issues: [{ message: 'secret value', path: ['a', { key: 'b c' }] }] }), 'At data.a.?.'],
    [
      'a throw',
      () => {
        throw new Error('secret value');
      },
      'Its schema threw.',
    ],
  ])('can reject events that a schema answers with %s', async (_, validate, detail) => {
    const { webhooks, errors, receive } = create({
      events: { 'user.created': schema(validate) },
      validation: 'reject',
    });
    webhooks.on('*', () => undefined);
    expect(await receive()).toEqual(refused(422, 'invalid_data'));
    expect(errors.map(([error]) => (error as Error).message)).toEqual([expect.stringContaining(detail)]);
    expect(String(errors[0]?.[0])).not.toContain('secret value');
  });
});

describe('error hooks', () => {
  it('are called once per event for a final failure', async () => {
    const told: string[] = [];
    const steps = ['storeFailedEvent', 'sendAlert', 'scheduleRetry'] as const;
    const options = Object.fromEntries(steps.map((step) => [step, () => void told.push(step)]));
    const work: Promise<unknown>[] = [];
    const errorHandler = new WebhookErrorHandler({ ...options, logger: recordingLogger() });
    const { webhooks, receive } = create({ errorHandler, waitUntil: (promise) => void work.push(promise) });
    webhooks.on('*', () => Promise.reject(new Error('no')));
    await receive({ type: 'user.deleted', data: { user_id: 'u' } });
    await receive({ type: 'user.deleted', data: { user_id: 'u' } });
    await Promise.all(work);
    expect(told).toEqual([...steps]);
    expect(work).toHaveLength(1);
  });

  it('can fail without affecting the response', async () => {
    const broken = () => {
      throw new Error('broken');
    };
    const logger = { debug: broken, info: broken, warn: broken, error: broken };
    const { webhooks, receive } = create({ onError: broken, logger, retry: { attempts: 1 } });
    webhooks.on('*', () => Promise.reject(new Error('no')));
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(await receive({ id: 'evt_2', data: {} })).toEqual(answered('failed', 1, 1, 500));
  });
});

describe('a store outage', () => {
  const down = () => Promise.reject(new Error('connection refused'));

  it('at any step responds 503 and loses no outcome once it ends', async () => {
    const { webhooks, errors, receive } = create({ store: storeWith({ claim: down }) });
    webhooks.on('*', () => undefined);
    expect(await receive()).toEqual(refused(503, 'store_unavailable', RETRY));
    expect(codesOf(errors)).toEqual([['store_unavailable', 'evt_1']]);
    const store = memoryStore();
    let failures = 2;
    const flaky = create({
      store: { ...store, complete: (...given) => (failures-- > 0 ? down() : store.complete(...given)) },
    });
    const work = vi.fn();
    flaky.webhooks.on('*', work);
    expect(await flaky.receive()).toEqual(answered('processed', 1));
    const dead = create({ store: storeWith({ complete: down }) });
    dead.webhooks.on('*', () => undefined);
    expect(await dead.receive()).toEqual(refused(503, 'store_unavailable', RETRY));
    const old = create({ store: storeWith({ get: down }), maxAgeSeconds: 1 });
    expect(await old.receive()).toEqual(refused(503, 'store_unavailable', RETRY));
  });

  it("while saving a checkpoint or a failure does not change the handlers' result", async () => {
    const { webhooks, errors, receive } = create({
      store: storeWith({ checkpoint: down, fail: down }),
      retry: { attempts: 1 },
    });
    webhooks.on('*', () => undefined, { name: 'a' }).on('*', () => Promise.reject(new Error('no')), { name: 'b' });
    expect(await receive()).toEqual(answered('failed', 2, 1, 500));
    expect(codesOf(errors).map(([code]) => code)).toEqual(expect.arrayContaining(['store_unavailable', 'Error: no']));
  });

  it('responds in_progress when the event went to another worker', async () => {
    const { webhooks, receive } = create({ store: storeWith({ complete: async () => false }) });
    webhooks.on('*', () => undefined);
    expect(await receive()).toEqual(refused(503, 'in_progress', RETRY));
  });

  it('extends the lease while a handler runs, and aborts the handler when that is refused', async () => {
    const extended: unknown[] = [];
    const store = storeWith({ leaseMs: 60, extend: async (...given) => extended.push(given) < 3 });
    const { webhooks, receive } = create({ store });
    const reasons: unknown[] = [];
    webhooks.on('*', async (_, { signal }) => {
      await delay(5000, undefined, { signal }).catch(() => reasons.push(signal.reason));
    });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(reasons).toEqual([new LeaseLostError()]);
    expect(extended).toEqual(Array(3).fill(['evt_1', '1', 60]));
  });

  it('during heartbeats counts as a lost lease before the lease ends', async () => {
    const store = storeWith({ leaseMs: 60, extend: () => Promise.reject(new Error('down')) });
    const { webhooks, receive } = create({ store });
    let reason: unknown;
    webhooks.on('*', async (_, { signal }) => {
      await delay(5000, undefined, { signal }).catch(() => undefined);
      reason = signal.reason;
      throw new Error('stopped');
    });
    expect(await receive()).toEqual(refused(503, 'in_progress', RETRY));
    expect(reason).toEqual(new LeaseLostError());
  });

  it('does not stop the regular sweep of the store', async () => {
    const sweep = vi.fn(async () => 0);
    const { webhooks, receive } = create({ store: storeWith({ sweep }) });
    webhooks.on('*', () => undefined);
    for (let i = 0; i < 1000; i++) await receive({ id: `evt_${i}` });
    expect(sweep.mock.calls).toEqual([[1000]]);
  });
});

describe('serialBy', () => {
  it('runs one event of a key at a time, and other keys in parallel', async () => {
    const { webhooks, receive } = create();
    const running = new Map<string, number>();
    let most = 0;
    let lanes = 0;
    webhooks.on(
      'user.created',
      async ({ data }) => {
        const lane = data.user.id;
        running.set(lane, (running.get(lane) ?? 0) + 1);
        most = Math.max(most, running.get(lane) ?? 0);
        lanes = Math.max(lanes, running.size);
        await delay(15);
        running.set(lane, (running.get(lane) ?? 0) - 1);
      },
      { serialBy: ({ data }) => data.user.id },
    );
    const send = (id: string, lane: string) => receive({ id, data: { user: { id: lane, username: 'a', email: 'b' } } });
    const replies = await Promise.all([send('1', 'x'), send('2', 'x'), send('3', 'y'), send('4', 'x')]);
    expect(replies).toEqual(Array(4).fill(answered('processed', 1)));
    expect([most, lanes]).toEqual([1, 2]);
  });

  it('gives up at the deadline and responds in_progress', async () => {
    const { webhooks, receive } = create();
    const lane = { serialBy: () => 'lane', timeoutMs: 150 };
    let release = () => {};
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    webhooks.on('user.created', ({ id }) => (id === 'slow' ? blocked : undefined), lane);
    const slow = receive({ id: 'slow' });
    await delay(5);
    expect(await receive({ id: 'waits' })).toEqual(refused(503, 'in_progress', RETRY));
    release();
    await slow;
    expect(await receive({ id: 'waits' })).toEqual(answered('processed', 1));
  });
});

it('a guessable secret causes a warning that does not show it', () => {
  const logger = recordingLogger();
  new WebhookHandler({ secret: ['fifteen letters', 'x'.repeat(16)], logger });
  new WebhookHandler({ secret: 'x'.repeat(16), logger });
  const message = 'A webhook secret is shorter than 16 characters: use 32 random bytes.';
  expect(logger.lines).toEqual([{ level: 'warn', fields: {}, message }]);
});

describe('new WebhookHandler', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['no secret', () => new WebhookHandler(undefined as unknown as string), /Webhook secret: pass/],
    ['an empty secret', () => new WebhookHandler({ secret: '' }), /Webhook secret: pass/],
    [
      'a retention that maxAgeSeconds outlives',
      () => new WebhookHandler({ secret: SECRET, maxAgeSeconds: 7 * 86_400 }),
      /beyond the store's retention/,
    ],
    [
      'a maxAgeSeconds of 0',
      () => new WebhookHandler({ secret: SECRET, maxAgeSeconds: 0 }),
      /`maxAgeSeconds` must be a number above 0/,
    ],
    [
      'a negative skew',
      () => new WebhookHandler({ secret: SECRET, maxAgeSeconds: 1, futureSkewSeconds: -1 }),
      /futureSkewSeconds/,
    ],
    [
      'a limit of 0',
      () => new WebhookHandler({ secret: SECRET, maxBodyBytes: 0 }),
      /`maxBodyBytes` must be a number above 0/,
    ],
    [
      'an unknown validation',
      () => new WebhookHandler({ secret: SECRET, validation: 'strict' as 'reject' }),
      /`validation` must be/,
    ],
    ['a retry of nonsense', () => new WebhookHandler({ secret: SECRET, retry: { attempts: 0 } }), /attempts/],
  ])('rejects %s', (_, construct, message) => {
    expect(construct).toThrow(TypeError);
    expect(construct).toThrow(message);
  });

  it('rejects start, stop and drain without a queue', async () => {
    const { webhooks } = create();
    await expect(webhooks.start()).rejects.toThrow(/has no queue/);
    await expect(webhooks.drain({ maxMs: 1 })).rejects.toThrow(/has no queue/);
    await webhooks.stop();
  });
});
