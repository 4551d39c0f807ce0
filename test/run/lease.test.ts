import { memoryStore, type WebhookStore } from '@pathfinder/webhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createDeadlines } from '../../src/run/deadlines.ts';
import { Lease } from '../../src/run/lease.ts';

/** A lease of three seconds, claimed now, whose store answers its heartbeats so. */
function leaseWith(answer: () => Promise<boolean>) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const began = performance.now();
  const sinceMs = () => Math.round(performance.now() - began);
  const asked: unknown[] = [];
  const lost: unknown[] = [];
  const extend: WebhookStore['extend'] = (...given) => {
    asked.push([sinceMs(), ...given]);
    return answer();
  };
  const store = { ...memoryStore(), leaseMs: 3000, extend };
  const held = { key: 'k', token: 't', claimedAtMs: began };
  const lease = new Lease({ store, deadlines: createDeadlines() }, held, ({ code }) => lost.push([sinceMs(), code]));
  const endMs = () => Math.round(lease.endMs - began);
  return { lease, asked, lost, endMs };
}

describe('a lease', () => {
  it('is extended at each third of its length', async () => {
    const { lease, asked, lost, endMs } = leaseWith(async () => true);
    expect(endMs()).toBe(3000);
    await vi.advanceTimersByTimeAsync(3500);
    expect(asked).toEqual([1000, 2000, 3000].map((atMs) => [atMs, 'k', 't', 3000]));
    expect([endMs(), lost, lease.lost]).toEqual([6000, [], undefined]);
  });

  it('is lost with a fifth of it left when the store stays unavailable', async () => {
    const { lease, asked, lost, endMs } = leaseWith(() => Promise.reject(new Error('down')));
    await vi.advanceTimersByTimeAsync(9000);
    expect(asked).toEqual([1000, 2000].map((atMs) => [atMs, 'k', 't', 3000]));
    expect([endMs(), lost, lease.lost?.code]).toEqual([3000, [[2400, 'lease_lost']], 'lease_lost']);
  });

  it('is kept when the store responds again in time', async () => {
    const answers = [() => Promise.reject(new Error('down')), async () => true];
    const { lost, endMs } = leaseWith(() => answers.shift()?.() ?? new Promise(() => undefined));
    await vi.advanceTimersByTimeAsync(4300);
    expect([endMs(), lost]).toEqual([5000, []]);
    await vi.advanceTimersByTimeAsync(100);
    expect(lost).toEqual([[4400, 'lease_lost']]);
  });

  it('is lost at once when another worker has the event, and reported once', async () => {
    const { lease, asked, lost } = leaseWith(async () => false);
    await vi.advanceTimersByTimeAsync(5000);
    const error = lease.lose();
    expect([asked.length, lost, lease.lost]).toEqual([1, [[1000, 'lease_lost']], error]);
  });

  it('that was released is not extended, and its loss is ignored', async () => {
    const { lease, asked, lost } = leaseWith(async () => true);
    lease.stop();
    await vi.advanceTimersByTimeAsync(5000);
    expect([lease.lose(), asked, lost]).toEqual([lease.lost, [], []]);
  });
});
