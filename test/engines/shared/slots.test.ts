import { expect, it } from 'vitest';
import { HeldSlot, Slots } from '../../../src/engines/shared/slots.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Waits for a slot, and notes when there is one. */
function enter(log: string[], name: string, slots: { enter(): Promise<void> }): void {
  void slots.enter().then(() => log.push(name));
}

it('a slot that is given back goes to whoever waits the longest, else to new deliveries', async () => {
  const slots = new Slots(2);
  const log: string[] = [];
  for (const name of ['a', 'b', 'c', 'd']) enter(log, name, slots);
  await turn();
  expect([log, slots.free]).toEqual([['a', 'b'], 0]);
  slots.give();
  await turn();
  expect([log, slots.free]).toEqual([['a', 'b', 'c'], 0]);
  slots.give();
  slots.give();
  await turn();
  expect([log, slots.free]).toEqual([['a', 'b', 'c', 'd'], 1]);
});

it('slots that are opened let in everybody who waits, and all who come', async () => {
  const slots = new Slots(1);
  slots.take();
  const log: string[] = [];
  enter(log, 'a', slots);
  enter(log, 'b', slots);
  slots.open();
  await turn();
  enter(log, 'c', slots);
  await turn();
  expect([log, slots.free]).toEqual([['a', 'b', 'c'], Number.POSITIVE_INFINITY]);
});

it('a delivery leaves its slot once, tells of it, and enters again', async () => {
  const slots = new Slots(1);
  const log: string[] = [];
  const held = new HeldSlot(slots, () => log.push('left'));
  expect([slots.free, held.left]).toEqual([0, false]);
  held.leave();
  held.leave();
  expect([slots.free, held.left, log]).toEqual([1, true, ['left']]);
  await held.enter();
  expect([slots.free, held.left]).toEqual([0, false]);
  held.end();
  expect(slots.free).toBe(1);
});

it('a delivery is out of its slot until it has entered again', async () => {
  const slots = new Slots(1);
  const log: string[] = [];
  const first = new HeldSlot(slots, () => undefined);
  first.leave();
  const second = new HeldSlot(slots, () => undefined);
  enter(log, 'first', first);
  await turn();
  expect([log, first.left]).toEqual([[], true]);
  second.end();
  await turn();
  expect([log, first.left, slots.free]).toEqual([['first'], false, 0]);
});

it('a delivery that ends outside of its slot gives none back', () => {
  const slots = new Slots(1);
  const held = new HeldSlot(slots, () => undefined);
  held.leave();
  held.end();
  expect(slots.free).toBe(1);
});

it('a delivery whose workers are stopped opens their slots', () => {
  const slots = new Slots(1);
  new HeldSlot(slots, () => undefined).open();
  expect(slots.free).toBe(Number.POSITIVE_INFINITY);
});
