import { BodyCollector, isWebhookError } from '@pathfinder/webhooks';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

describe('BodyCollector', () => {
  it('returns the added pieces byte for byte in a buffer of their exact size', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 });
    const announced = fc.constantFrom(undefined, null, '', 'x', '0', '7', '1000', '1e9');
    fc.assert(
      fc.property(pieces, announced, (pieces, announced) => {
        const whole = Buffer.concat(pieces);
        const collector = new BodyCollector(whole.length, announced === '1e9' ? String(whole.length) : announced);
        for (const piece of pieces) collector.add(piece);
        const bytes = collector.bytes();
        expect(Buffer.from(bytes)).toEqual(whole);
        expect(bytes.byteLength).toBe(whole.length);
        if (pieces.filter((piece) => piece.length > 0).length > 1) expect(bytes.buffer.byteLength).toBe(whole.length);
      }),
    );
  });

  it('keeps a single piece without copying it', () => {
    const piece = new Uint8Array([1, 2, 3]);
    const collector = new BodyCollector(3);
    collector.add(piece);
    expect(collector.bytes()).toBe(piece);
  });

  it('copies each byte once when the announced length is right', () => {
    const set = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array, 'set');
    onTestFinished(() => set.mockRestore());
    const collector = new BodyCollector(1000, '100');
    for (let i = 0; i < 100; i++) collector.add(new Uint8Array([i]));
    expect(set.mock.calls.map(([piece]) => piece.length)).toEqual(Array(100).fill(1));
    expect(collector.bytes()).toEqual(Uint8Array.from({ length: 100 }, (_, i) => i));
  });

  it('copies each byte at most three times when no length was announced', () => {
    const set = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array, 'set');
    onTestFinished(() => set.mockRestore());
    const collector = new BodyCollector(10_000);
    for (let i = 0; i < 10_000; i++) collector.add(new Uint8Array([i]));
    const copied = set.mock.calls.reduce((sum, [piece]) => sum + piece.length, 0);
    expect(copied).toBeGreaterThanOrEqual(10_000);
    expect(copied).toBeLessThan(30_000);
  });

  it('never writes into the caller’s pieces', () => {
    const first = new Uint8Array(new ArrayBuffer(8), 0, 2);
    const collector = new BodyCollector(8);
    collector.add(first);
    collector.add(new Uint8Array([9, 9]));
    expect([...new Uint8Array(first.buffer)]).toEqual(Array(8).fill(0));
    expect([...collector.bytes()]).toEqual([0, 0, 9, 9]);
  });

  it('reserves at most the limit, whatever length was announced', () => {
    const collector = new BodyCollector(1000, '4000000000');
    for (const piece of [new Uint8Array(1), new Uint8Array(1)]) collector.add(piece);
    expect(collector.bytes()).toEqual(new Uint8Array(2));
  });

  it('allocates no more than the limit for an announced gigabyte', () => {
    const collector = new BodyCollector(1000, '1000000000');
    const beforeBytes = process.memoryUsage().arrayBuffers;
    for (const piece of [new Uint8Array(1), new Uint8Array(1)]) collector.add(piece);
    expect(process.memoryUsage().arrayBuffers - beforeBytes).toBeLessThan(1_000_000);
    expect(collector.bytes()).toEqual(new Uint8Array(2));
  });

  it('rejects the byte beyond the limit, however it arrives', () => {
    for (const sizes of [[4], [3, 1], [1, 1, 1, 1]]) {
      const collector = new BodyCollector(3, '3');
      const add = () => sizes.map((size) => collector.add(new Uint8Array(size)));
      expect(add).toThrow(expect.toSatisfy((error) => isWebhookError(error, 'body_too_large')));
    }
  });
});
