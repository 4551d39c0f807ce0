import { memoryStore, RetryAfterError, WebhookError, type WebhookStore } from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answered, RETRY, refused } from '../support/deliver.ts';
import { gate, receiverWith } from '../support/receiver.ts';

describe('attempts in the request', () => {
  it('wait for the backoff and stop at the last attempt', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { webhooks, receive } = receiverWith({ retry: { attempts: 3, baseMs: 100, factor: 3, jitter: 'none' } });
    const at: number[] = [];
    const began = performance.now();
    webhooks.on('*', () => {
      at.push(performance.now() - began);
      throw new Error('no');
    });
    const reply = receive();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await reply).toEqual(answered('failed', 1, 1, 500));
    expect(at).toEqual([0, 100, 400]);
  });

  it('wait as long as an error requests, up to the deadline', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    for (const [waitMs, runs] of [
      [900, 2],
      [1000, 1],
    ] as const) {
      const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 1000, retry: { attempts: 2, jitter: 'none' } });
      const work = vi.fn(() => Promise.reject(new RetryAfterError('later', waitMs)));
      webhooks.on('*', work);
      const began = performance.now();
      const reply = receive().then((answer) => [answer, performance.now() - began]);
      await vi.advanceTimersByTimeAsync(2000);
      // A wait that would end at the deadline is not begun: the reply is not held back for nothing.
      expect(await reply).toEqual([answered('failed', 1, 1, 500), runs === 2 ? waitMs : 0]);
      expect(work).toHaveBeenCalledTimes(runs);
    }
  });

  it('end at the deadline, also during a wait', async () => {
    const { webhooks, errors, receive } = receiverWith({
      handlerTimeoutMs: 40,
      retry: { attempts: 9, schedule: [25], jitter: 'none' },
    });
    const work = vi.fn(() => Promise.reject(new Error('no')));
    webhooks.on('*', work);
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(work.mock.calls.length).toBeGreaterThanOrEqual(1);
    expect(work.mock.calls.length).toBeLessThanOrEqual(2);
    expect(errors.every((error) => (error as Error).message === 'no')).toBe(true);
  });

  it('of concurrent handlers are independent, and all are awaited', async () => {
    const { webhooks, receive } = receiverWith();
    const order: string[] = [];
    const failing =
      (name: string, times: number) =>
      (_: unknown, { attempt }: { readonly attempt: number }) => {
        order.push(`${name}${attempt}`);
        if (attempt <= times) throw new Error('no');
      };
    const slow = gate();
    webhooks.on('*', failing('a', 0), { name: 'a' }).on('*', failing('b', 2), { name: 'b' });
    webhooks.on('*', () => slow.promise, { name: 'slow' });
    const reply = receive();
    await vi.waitFor(() => expect(order).toHaveLength(4));
    slow.open();
    expect(await reply).toEqual(answered('processed', 3));
    expect(order.slice(0, 2)).toEqual(['a1', 'b1']);
    expect(order.toSorted()).toEqual(['a1', 'b1', 'b2', 'b3']);
  });

  it('continue counting from one delivery to the next, for each handler', async () => {
    const { webhooks, receive } = receiverWith();
    const seen: Record<string, number[]> = { once: [], often: [] };
    webhooks.on(
      '*',
      (_, { attempt }) => {
        seen.once?.push(attempt);
        throw new Error('no');
      },
      { name: 'once', retry: { attempts: 1 } },
    );
    webhooks.on(
      '*',
      (_, { attempt }) => {
        seen.often?.push(attempt);
        throw new Error('no');
      },
      { name: 'often', retry: { attempts: 2 } },
    );
    for (let i = 0; i < 3; i++) expect(await receive()).toEqual(answered('failed', 2, 2, 500));
    expect(seen).toEqual({ once: [1, 2, 3], often: [1, 2, 3, 4, 5, 6] });
  });

  it('log each failure with the handler and the attempt number across deliveries', async () => {
    const { webhooks, logger, receive } = receiverWith({ retry: { attempts: 2, baseMs: 1 } });
    const err = new Error('no');
    webhooks.on('*', () => Promise.reject(err), { name: 'fails' });
    for (let i = 0; i < 2; i++) await receive();
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual(
      [1, 2, 3, 4].map((attempt) => ({
        level: 'error',
        message: 'A webhook handler failed',
        fields: { err, event_id: 'evt_1', event_type: 'user.created', handler: '*#fails', attempt },
      })),
    );
  });
});

describe('handler results', () => {
  const withThen = (target: object, then: unknown) => Object.defineProperty(target, 'then', { value: then });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'then'],
    ['an object', { some: 'result' }],
    ['an object whose then is no function', withThen({}, 'later')],
  ])('succeed with %s, which is not awaited', async (_, returned) => {
    const { webhooks, receive } = receiverWith();
    webhooks.on('*', () => returned);
    expect(await receive()).toEqual(answered('processed', 1));
  });

  it.each<[string, (work: Promise<unknown>) => unknown]>([
    ['a promise', (work) => work],
    ['an object with then, such as the query of a database', (work) => withThen({}, work.then.bind(work))],
    ['a function with then', (work) => withThen(() => undefined, work.then.bind(work))],
  ])('are awaited when they are %s', async (_, returned) => {
    const { webhooks, errors, receive } = receiverWith({ retry: { attempts: 1 } });
    const work = gate();
    webhooks.on('*', () => returned(work.promise));
    const reply = receive();
    await new Promise((resolve) => setTimeout(resolve, 5));
    work.fail(new Error('no'));
    expect(await reply).toEqual(answered('failed', 1, 1, 500));
    expect(errors).toEqual([new Error('no')]);
  });
});

describe('handler errors', () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();

  it.each<[string, unknown]>([
    ['a proxy that nobody may touch', proxy],
    ['a symbol', Symbol('x')],
    ['a function', () => undefined],
    ['an error that names itself ours', { [Symbol.for('pathfinder.webhooks.WebhookError')]: true }],
  ])('fail the handler when it throws %s', async (_, thrown) => {
    const { webhooks, receive } = receiverWith();
    webhooks.on('*', () => Promise.reject(thrown));
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
  });

  it('from unawaited work are dropped', async () => {
    const { webhooks, receive } = receiverWith();
    webhooks.on('*', (_, { once }) => {
      void once('floating', () => Promise.reject(new Error('late')));
    });
    expect(await receive()).toEqual(answered('processed', 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('after the deadline are not reported twice', async () => {
    const store = memoryStore();
    const { webhooks, errors, receive } = receiverWith({ store, handlerTimeoutMs: 20 });
    const late = gate();
    webhooks.on('*', (_, { signal }) => late.promise.then(() => signal.throwIfAborted()));
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    late.open();
    await vi.waitFor(async () => expect(await store.get('evt_1')).toMatchObject({ state: 'free', failures: 1 }));
    expect(errors).toEqual([new WebhookError('handler_timeout')]);
  });

  it('after the deadline are reported when they differ from it', async () => {
    const { webhooks, errors, receive } = receiverWith({ handlerTimeoutMs: 20 });
    const late = gate();
    webhooks.on('*', () => late.promise);
    await receive();
    late.fail(new Error('of its own'));
    await vi.waitFor(() => expect(errors).toHaveLength(2));
    expect(errors).toEqual([new WebhookError('handler_timeout'), new Error('of its own')]);
  });
});

describe('a handler deadline', () => {
  it('is logged with the handler that missed it', async () => {
    const { webhooks, logger, receive } = receiverWith({ handlerTimeoutMs: 20 });
    const late = gate();
    webhooks.on('*', () => late.promise, { name: 'slow' });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(logger.lines.map(({ fields }) => fields)).toEqual([
      { err: new WebhookError('handler_timeout'), event_id: 'evt_1', event_type: 'user.created', handler: '*#slow' },
    ]);
    late.open();
  });

  it('counts once, and the other handlers are still awaited', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { webhooks, receive } = receiverWith();
    const [late, slow] = [gate(), gate()];
    webhooks.on('*', () => late.promise, { name: 'late', timeoutMs: 20 });
    webhooks.on('*', () => slow.promise, { name: 'slow' });
    const replies: unknown[] = [];
    const reply = receive().then((answer) => replies.push(answer));
    await vi.advanceTimersByTimeAsync(40);
    late.open();
    await vi.advanceTimersByTimeAsync(10);
    expect(replies).toEqual([]);
    slow.open();
    await reply;
    expect(replies).toEqual([answered('failed', 2, 1, 500)]);
  });
});

describe('the abort signal of a handler', () => {
  it('is shared by all attempts and already aborted when read late', async () => {
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 20 });
    const late = gate();
    const seen: unknown[] = [];
    webhooks.on('*', async (_, context) => {
      await late.promise;
      const { signal } = context;
      seen.push(signal === context.signal, signal.aborted, signal.reason);
    });
    await receive();
    late.open();
    await vi.waitFor(() => expect(seen).toEqual([true, true, new WebhookError('handler_timeout')]));
  });

  it('does not abort after a handler has succeeded', async () => {
    const { webhooks, receive } = receiverWith({ handlerTimeoutMs: 20 });
    let kept: AbortSignal | undefined;
    webhooks.on('*', (_, { signal }) => {
      kept = signal;
    });
    expect(await receive()).toEqual(answered('processed', 1));
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(kept?.aborted).toBe(false);
  });

  it('survives listeners that throw, which are logged', async () => {
    const { webhooks, logger, receive } = receiverWith({ handlerTimeoutMs: 20, retry: { attempts: 1 } });
    const heard = vi.fn();
    const never = gate();
    const err = new Error('a listener');
    const handler = (_: unknown, { signal }: { readonly signal: AbortSignal }) => {
      signal.addEventListener('abort', () => {
        throw err;
      });
      signal.addEventListener('abort', heard);
      return never.promise;
    };
    webhooks.on('*', handler, { name: 'heeds' });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(heard).toHaveBeenCalledTimes(1);
    expect(logger.lines).toContainEqual({
      level: 'error',
      fields: { event_id: 'evt_1', event_type: 'user.created', err, handler: '*#heeds' },
      message: 'A listener of context.signal failed',
    });
    never.open();
  });
});

describe('context.once in the request', () => {
  it('runs a failed step again, also within one attempt', async () => {
    const { webhooks, receive } = receiverWith({ retry: { attempts: 1 } });
    let runs = 0;
    const flaky = () => {
      if (++runs < 3) throw new Error('not yet');
      return runs;
    };
    const got: unknown[] = [];
    webhooks.on('*', async (_, { once }) => {
      for (let i = 0; i < 5; i++) got.push(await once('step', flaky).catch(() => 'failed'));
    });
    expect(await receive()).toEqual(answered('processed', 1));
    expect([got, runs]).toEqual([['failed', 'failed', 3, 3, 3], 3]);
  });

  it('keeps the steps of each handler apart', async () => {
    const { webhooks, receive } = receiverWith();
    const got: unknown[] = [];
    for (const name of ['a', 'b']) {
      webhooks.on('*', async (_, { once }) => void got.push(await once('step', () => name)), { name });
    }
    expect(await receive()).toEqual(answered('processed', 2));
    expect(got.toSorted()).toEqual(['a', 'b']);
  });

  it.each([8190, 8191])('stores text of %i characters or reports that it is too long', async (length) => {
    const { webhooks, receive } = receiverWith({ retry: { attempts: 1 } });
    webhooks.on('*', async (_, { once }) => void (await once('step', () => 'x'.repeat(length))));
    expect((await receive()).status).toBe(length === 8190 ? 200 : 500);
  });

  it.each(['a'.repeat(65), '', 'a/b', 'a b', '~1', 'a\n', 'é'])('rejects the step name %j', async (step) => {
    const { webhooks, errors, receive } = receiverWith({ retry: { attempts: 1 } });
    const work = vi.fn();
    webhooks.on('*', async (_, { once }) => void (await once(step, work)));
    expect((await receive()).status).toBe(500);
    expect(errors).toEqual([new TypeError('A step name has 1 to 64 of the characters A-Z a-z 0-9 _ . and -.')]);
    expect(work).not.toHaveBeenCalled();
  });

  it.each(['a'.repeat(64), 'A-z_0.9', 'constructor', '__proto__'])('accepts the step name %j', async (step) => {
    const { webhooks, receive } = receiverWith();
    const work = vi.fn(() => 1);
    webhooks.on('*', async (_, { once, attempt }) => {
      expect(await once(step, work)).toBe(1);
      if (attempt < 2) throw new Error('again');
    });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(work).toHaveBeenCalledTimes(1);
  });
});

describe('checkpoints of several handlers', () => {
  function recording(store: WebhookStore = memoryStore()) {
    const calls: unknown[] = [];
    const wrapped: WebhookStore = {
      ...store,
      checkpoint(key, token, step, value) {
        calls.push([key, step, value]);
        return store.checkpoint(key, token, step, value);
      },
    };
    return { calls, store: wrapped };
  }

  it('are written for all handlers but the last, which completes the event', async () => {
    const { calls, store } = recording();
    const { webhooks, receive } = receiverWith({ store });
    for (const name of ['a', 'b', 'c']) webhooks.on('*', () => undefined, { name });
    expect(await receive()).toEqual(answered('processed', 3));
    expect(calls).toEqual([
      ['evt_1', '*#a', ''],
      ['evt_1', '*#b', ''],
    ]);
    expect(await receive({ id: 'evt_2', type: 'user.created' })).toEqual(answered('processed', 3));
  });

  it('are written for each success next to a failure, and for runs beyond a claim', async () => {
    const { calls, store } = recording();
    const { webhooks, receive } = receiverWith({ store, retry: { attempts: 3, baseMs: 1 } });
    webhooks.on('*', () => Promise.reject(new Error('no')), { name: 'fails' });
    webhooks.on('*', () => Promise.reject(new Error('no')), { name: 'fails-once', retry: { attempts: 1 } });
    webhooks.on('*', (_, { attempt }) => (attempt < 2 ? Promise.reject(new Error('no')) : undefined), {
      name: 'works',
    });
    await receive();
    expect(calls).toEqual([
      ['evt_1', '*#works', ''],
      ['evt_1', '*#fails/~1', '2'],
    ]);
  });

  it('are not written for the last handler that asked about an entity', async () => {
    const { calls, store } = recording();
    const advance = vi.spyOn(store, 'advance');
    const { webhooks, receive } = receiverWith({ store });
    webhooks.on('*', async (_, { isStale }) => void (await isStale('user_1')), { name: 'asks' });
    expect(await receive()).toEqual(answered('processed', 1));
    expect([calls, advance.mock.calls.length]).toEqual([[], 1]);
  });

  it('that fail to write are reported without running the handler again', async () => {
    const store = { ...memoryStore(), checkpoint: () => Promise.reject(new Error('down')) };
    const { webhooks, errors, logger, receive } = receiverWith({ store });
    const work = vi.fn();
    webhooks.on('*', work, { name: 'first' }).on('*', () => undefined, { name: 'second' });
    expect(await receive()).toEqual(answered('processed', 2));
    expect(work).toHaveBeenCalledTimes(1);
    const err = new WebhookError('store_unavailable', { cause: new Error('down') });
    expect(errors).toEqual([err]);
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([
      {
        level: 'error',
        message: 'A webhook handler failed',
        fields: { err, event_id: 'evt_1', event_type: 'user.created', handler: '*#first' },
      },
    ]);
  });

  it("that are lost stop another handler's wait for its next attempt", async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const store: WebhookStore = { ...memoryStore(), checkpoint: async () => 'lost' };
    const { webhooks, receive } = receiverWith({ store, retry: { attempts: 2, schedule: [200], jitter: 'none' } });
    const waiting = vi.fn(() => Promise.reject(new Error('no')));
    webhooks.on('*', waiting, { name: 'waiting' });
    webhooks.on(
      '*',
      async (_, { once }) => {
        await new Promise((resolve) => setTimeout(resolve, 10));
        await once('step', () => 1);
      },
      { name: 'loses', retry: { attempts: 1 } },
    );
    const began = performance.now();
    const reply = receive().then((answer) => [answer, performance.now() - began]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await reply).toEqual([refused(503, 'in_progress', RETRY), 10]);
    expect(waiting).toHaveBeenCalledTimes(1);
  });

  it('of run counts that are lost leave the event to its new owner without an error', async () => {
    const store: WebhookStore = { ...memoryStore(), checkpoint: async () => 'lost' };
    const fail = vi.spyOn(store, 'fail');
    const { webhooks, errors, receive } = receiverWith({ store, retry: { attempts: 2, baseMs: 1 } });
    webhooks.on('*', () => Promise.reject(new Error('no')));
    expect(await receive()).toEqual(refused(503, 'in_progress', RETRY));
    expect(errors).toEqual([new Error('no'), new Error('no')]);
    expect(fail).not.toHaveBeenCalled();
  });

  it('that are lost stop the other handlers and leave the event to its new owner', async () => {
    const store: WebhookStore = { ...memoryStore(), checkpoint: async () => 'lost' };
    const complete = vi.spyOn(store, 'complete').mockResolvedValue(false);
    const { webhooks, errors, receive } = receiverWith({ store });
    const reasons: unknown[] = [];
    webhooks.on('*', () => undefined, { name: 'first' });
    webhooks.on(
      '*',
      (_, { signal }) =>
        new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason);
            resolve();
          });
        }),
      { name: 'second' },
    );
    expect(await receive()).toEqual(refused(503, 'in_progress', RETRY));
    expect(reasons.map((reason) => (reason as WebhookError).code)).toEqual(['lease_lost']);
    expect(complete).toHaveBeenCalledTimes(1);
    expect(errors).toEqual([]);
  });
});

describe('lanes of serialBy', () => {
  it('are kept apart by handler', async () => {
    const keys: string[] = [];
    const store = memoryStore();
    const claim: WebhookStore['claim'] = (key, options) => {
      if (key.startsWith('lane')) keys.push(key);
      if (key.startsWith('lane')) expect(options).toEqual({ leaseMs: 30_000, bodyHash: '' });
      return store.claim(key, options);
    };
    const { webhooks, receive } = receiverWith({ store: { ...store, claim } });
    webhooks.on('user.created', () => undefined, { name: 'a', serialBy: ({ data }) => data.user.id });
    webhooks.on('user.*', () => undefined, { name: 'b', serialBy: () => '' });
    expect(await receive()).toEqual(answered('processed', 2));
    expect(keys).toEqual(['lane\n\nuser.created#a\nuser_1', 'lane\n\nuser.*#b\n']);
    // A lane that is free leaves nothing behind.
    expect(await store.get(keys[0] ?? '')).toBeUndefined();
  });

  it.each([
    ['nothing', () => undefined],
    ['a number', () => 7],
    ['a promise, also one that rejects', () => Promise.reject(new Error('no key'))],
  ])('fail their handler when serialBy returns %s', async (_, serialBy) => {
    const { webhooks, errors, receive } = receiverWith({ retry: { attempts: 1 } });
    const work = vi.fn();
    webhooks.on('*', work, { serialBy: serialBy as never });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect([errors, work.mock.calls]).toEqual([[new TypeError('`serialBy` must return a string.')], []]);
  });

  it('fail their handler when serialBy throws', async () => {
    const { webhooks, errors, receive } = receiverWith({ retry: { attempts: 1 } });
    const work = vi.fn();
    webhooks.on('*', work, {
      serialBy: () => {
        throw new Error('no key');
      },
    });
    expect(await receive()).toEqual(answered('failed', 1, 1, 500));
    expect(errors).toEqual([new Error('no key')]);
    expect(work).not.toHaveBeenCalled();
  });

  it('that the store cannot release are reported without changing the outcome', async () => {
    const store = memoryStore();
    const fail: WebhookStore['fail'] = (key, ...given) =>
      key.startsWith('lane') ? Promise.reject(new Error('down')) : store.fail(key, ...given);
    const { webhooks, errors, logger, receive } = receiverWith({ store: { ...store, fail } });
    webhooks.on('*', () => undefined, { name: 'serial', serialBy: () => 'lane' });
    expect(await receive()).toEqual(answered('processed', 1));
    expect(errors).toEqual([new WebhookError('store_unavailable', { cause: new Error('down') })]);
    expect(logger.lines.map(({ fields }) => fields)).toEqual([
      { err: errors[0], event_id: 'evt_1', event_type: 'user.created', handler: '*#serial' },
    ]);
  });

  it('that another worker takes over abort the handler', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const store = { ...memoryStore(), leaseMs: 3000 };
    const extend: WebhookStore['extend'] = async (key, ...given) =>
      !key.startsWith('lane') && store.extend(key, ...given);
    const { webhooks, errors, receive } = receiverWith({ store: { ...store, extend } });
    const heed = (_: unknown, { signal }: { readonly signal: AbortSignal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    webhooks.on('*', heed, { serialBy: () => 'lane' });
    const reply = receive();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await reply).toEqual(answered('failed', 1, 1, 500));
    expect(errors.map((error) => (error as WebhookError).code)).toEqual(['lease_lost']);
  });

  it('are released after a failure for the next attempt', async () => {
    const { webhooks, receive } = receiverWith();
    webhooks.on(
      '*',
      (_, { attempt }) => {
        if (attempt < 3) throw new Error('no');
      },
      { serialBy: () => 'lane' },
    );
    expect(await receive()).toEqual(answered('processed', 1));
  });
});

describe('the options of on', () => {
  it.each([
    [{ timeoutMs: 0 }, '`timeoutMs` must be a number of milliseconds above 0 and at most 2147483647.'],
    [{ timeoutMs: Number.NaN }, '`timeoutMs` must be a number of milliseconds above 0 and at most 2147483647.'],
    [{ timeoutMs: '5' }, '`timeoutMs` must be a number of milliseconds above 0 and at most 2147483647.'],
    [{ retry: { attempts: 0 } }, 'The retry option attempts must be a whole number from 1.'],
    [
      { retry: { schedule: [] } },
      'The retry option schedule must be an array of at least one such number: a number of milliseconds from 0 and at most 2147483647.',
    ],
    [{ serialBy: 'user' }, '`serialBy` must be a function of the event that returns a key.'],
  ])('are validated at registration: %j', (options, message) => {
    const { webhooks } = receiverWith();
    expect(() => webhooks.on('*', () => undefined, options as never)).toThrow(new TypeError(message));
    expect(webhooks.eventTypes).toEqual([]);
  });
});
