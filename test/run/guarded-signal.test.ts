import { addAbortListener } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { guardListeners } from '../../src/run/guarded-signal.ts';

function open() {
  const controller = new AbortController();
  const failures: unknown[] = [];
  const { signal } = controller;
  guardListeners(signal, (error) => failures.push(error));
  return { controller, signal, failures };
}

const fail = () => {
  throw new Error('canary');
};

describe('a guarded signal', () => {
  it('survives listeners of every kind that throw or reject', async () => {
    const { controller, signal, failures } = open();
    const called: unknown[] = [];
    signal.addEventListener('abort', fail);
    signal.addEventListener('abort', { handleEvent: fail });
    signal.addEventListener('abort', async () => fail());
    signal.onabort = fail;
    signal.addEventListener('abort', function (this: unknown, { type }) {
      called.push([this === signal, type]);
    });
    controller.abort();
    await sleep(1);
    expect(called).toEqual([[true, 'abort']]);
    expect(failures).toEqual(Array(4).fill(new Error('canary')));
  });

  it('adds a listener once and forgets a removed one', () => {
    const { controller, signal } = open();
    const called: string[] = [];
    const kept = () => called.push('kept');
    const removed = () => called.push('removed');
    signal.addEventListener('abort', kept);
    signal.addEventListener('abort', kept);
    signal.addEventListener('abort', removed);
    signal.removeEventListener('abort', removed);
    signal.onabort = removed;
    expect(signal.onabort).toBe(removed);
    signal.onabort = null;
    signal.onabort = 'no function' as never;
    signal.addEventListener('abort', null as never);
    expect(signal.onabort).toBe(null);
    controller.abort();
    expect(called).toEqual(['kept']);
  });

  it('stops timers, fetches, Node listeners and signals derived from it', async () => {
    const { controller, signal } = open();
    const reason = new Error('over');
    const called: string[] = [];
    const any = AbortSignal.any([signal]);
    addAbortListener(signal, () => called.push('listener'));
    const waiting = [sleep(10_000, undefined, { signal }), fetch('http://127.0.0.1:9/', { signal })];
    controller.abort(reason);
    const [timer, fetched] = await Promise.allSettled(waiting);
    expect([timer?.status, fetched]).toEqual(['rejected', { status: 'rejected', reason }]);
    expect([any.reason, called, signal.aborted]).toEqual([reason, ['listener'], true]);
  });
});
