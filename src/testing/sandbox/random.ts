/** Numbers that look random and are the same for the same seed. Not for secrets of any worth. @internal */
export interface SeededRandom {
  /** The next number, from 0 up to, but without, 1. */
  next(): number;
  /** A generator of its own, so that what it is used for does not disturb this one. */
  fork(): SeededRandom;
  /** Lower-case hex digits. */
  hex(digits: number): string;
}

/** @internal */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  // The generator is Mulberry32 by Tommy Ettinger, public domain.
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  return {
    next,
    fork: () => seededRandom(Math.floor(next() * 2 ** 32)),
    hex: (digits) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join(''),
  };
}
